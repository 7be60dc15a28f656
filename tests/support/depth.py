"""The depth of a test run: `make test` is quick, `make test-deep` (KIZUNA_DEEP=1) has the long forms."""

from __future__ import annotations

import os

DEEP = os.environ.get("KIZUNA_DEEP") == "1"


def examples(quick: int, deep: int) -> int:
    """Return how many examples Hypothesis tries; KIZUNA_EXAMPLES=N overrides it."""
    return int(os.environ.get("KIZUNA_EXAMPLES") or (deep if DEEP else quick))
