"""Where the reader is in the list."""

from __future__ import annotations

from collections.abc import Callable

FOLLOW_WITHIN = 200.0  #: pixels from the end: who is this near wants to see what comes
NEAR_TOP = 300.0  #: pixels from the beginning: who is this near wants to see what was before


def follows(top: float, height: float, total: float) -> bool:
    """Whether the reader is at the end, or nearly."""
    return total - height - top <= FOLLOW_WITHIN


def first_visible(count: int, bottom_of: Callable[[int], float], top: float) -> int | None:
    """The first of ``count`` rows, one below the other, that reaches below ``top``; asks for few of them."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if bottom_of(middle) > top:
            high = middle
        else:
            low = middle + 1
    return low if low < count else None
