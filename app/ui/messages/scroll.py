"""Rules of the scroll position."""

from __future__ import annotations

from collections.abc import Callable

FOLLOW_WITHIN = 200.0  #: pixels from the end within which the list follows new messages
NEAR = 300.0  #: pixels from the beginning, or the end, within which more messages are shown


def follows(top: float, height: float, total: float) -> bool:
    """Return whether the reader is at the end, or nearly."""
    return total - height - top <= FOLLOW_WITHIN


def first_visible(count: int, bottom_of: Callable[[int], float], top: float) -> int | None:
    """Return the first of ``count`` rows that reaches below ``top``, by binary search."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if bottom_of(middle) > top:
            high = middle
        else:
            low = middle + 1
    return low if low < count else None
