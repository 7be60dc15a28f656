"""The time to the next attempt, in whole seconds, from an absolute deadline: nothing is ever counted down."""

from __future__ import annotations

from math import ceil

#: Who waits is told for how long; only a number that would flash by within a second tells nobody anything.
SHOWN_FROM_SECONDS = 1.0


def seconds_left(deadline: float, now: float) -> int:
    """Whole seconds until ``deadline``, rounded up; 0 when it has come."""
    return max(0, ceil(deadline - now))


def next_tick(deadline: float, now: float) -> float | None:
    """When the number changes next; None when it has come to 0."""
    left = seconds_left(deadline, now)
    return deadline - left + 1 if left else None


class Countdown:
    """Responsible for whether a wait is long enough to show its seconds, decided once, when it is first seen."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._shown = False

    def seconds(self, deadline: float | None, now: float) -> int | None:
        """Seconds to show. None: this wait is told without a number. 0: the deadline has come."""
        if deadline is None:
            self._deadline = None
            return None
        if deadline != self._deadline:
            self._deadline = deadline
            self._shown = deadline - now >= SHOWN_FROM_SECONDS
        left = seconds_left(deadline, now)
        return left if self._shown or not left else None
