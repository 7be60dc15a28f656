"""How much a run tries: `make test` as much as a person waits for, `make test-deep` (KIZUNA_DEEP=1) the long forms."""

from __future__ import annotations

import os

DEEP = os.environ.get("KIZUNA_DEEP") == "1"


def examples(quick: int, deep: int) -> int:
    """How many examples Hypothesis tries; KIZUNA_EXAMPLES=N overrides it for one run."""
    return int(os.environ.get("KIZUNA_EXAMPLES") or (deep if DEEP else quick))
