"""The backup of the data into another file: ``python -m backend.backup DATA BACKUP``, also beside a running server.

BACKUP is one SQLite file that holds everything of one moment: messages, and the secret that signs tokens, so keep it
as safe as the data. It must not exist yet. ``python -m backend.restore`` brings it back.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from backend.store import snapshot
from backend.store.base import StoreError


def main(arguments: Sequence[str] | None = None) -> int:
    """Save the data. Returns the exit code: 0, or 1 after one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m backend.backup", description="Save Kizuna's data.")
    parser.add_argument("data", type=Path, metavar="DATA", help="the server's SQLite file")
    parser.add_argument("backup", type=Path, metavar="BACKUP", help="the file to make")
    chosen = parser.parse_args(arguments)
    try:
        snapshot.take(chosen.data, chosen.backup)
    except StoreError as error:
        print(f"Kizuna cannot save: {error}", file=sys.stderr)
        return 1
    print(f"Saved {chosen.data} in {chosen.backup}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
