"""``python -m backend.restore``: bring a backup back (:mod:`backend.local.restore`)."""

from __future__ import annotations

import sys

from backend.local.restore import main

if __name__ == "__main__":
    sys.exit(main())
