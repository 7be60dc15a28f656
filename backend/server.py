"""``python -m backend.server``: serve Kizuna on this machine (:mod:`backend.local.server`)."""

from __future__ import annotations

import sys

from backend.local.server import main

if __name__ == "__main__":
    sys.exit(main())
