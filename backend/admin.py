"""``python -m backend.admin``: moderate messages and people (:mod:`backend.local.admin`)."""

from __future__ import annotations

import sys

from backend.local.admin import main

if __name__ == "__main__":
    sys.exit(main())
