"""The whole seconds to the next attempt, always computed from the deadline."""

from __future__ import annotations

from math import ceil

#: A shorter wait is shown without a number.
SHOWN_FROM_SECONDS = 1.0


def seconds_left(deadline: float, now: float) -> int:
    """Return the seconds until ``deadline``, rounded up; 0 when it has passed."""
    return max(0, ceil(deadline - now))


def next_tick(deadline: float, now: float) -> float | None:
    """Return when the number changes next; None when it is 0."""
    left = seconds_left(deadline, now)
    return deadline - left + 1 if left else None


class Countdown:
    """Decides once for each wait whether its seconds are shown."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._shown = False

    def seconds(self, deadline: float | None, now: float) -> int | None:
        """Return the seconds to show; None: no number; 0: the deadline has passed."""
        if deadline is None:
            self._deadline = None
            return None
        if deadline != self._deadline:
            self._deadline = deadline
            self._shown = deadline - now >= SHOWN_FROM_SECONDS
        left = seconds_left(deadline, now)
        return left if self._shown or not left else None
