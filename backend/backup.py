"""``python -m backend.backup``: save a server's data (:mod:`backend.local.backup`)."""

from __future__ import annotations

import sys

from backend.local.backup import main

if __name__ == "__main__":
    sys.exit(main())
