"""How long an attempt may take: longer on a network that was slow before, such as a satellite's."""

from __future__ import annotations

#: The longest deadline of a step, as a multiple of ``Options.connect_timeout``: 40 s by default.
MAX_FACTOR = 4


class AttemptLimits:
    """The deadline of one step (token, opening, ready), and the age at which an attempt is stale. Seconds.

    Both double with each attempt that they cut short, up to MAX_FACTOR times ``connect_timeout``, and are at least
    twice what the slowest step of the last proven link took.
    """

    def __init__(self, connect_timeout: float, stale_attempt_after: float) -> None:
        self._connect_timeout = connect_timeout
        self._stale_attempt_after = stale_attempt_after
        self._timed_out = 0  # attempts in a row
        self._restarted = 0
        self._slowest = 0.0  # step of the last proven link

    @property
    def deadline(self) -> float:
        """Return how many seconds a step may take."""
        return self._bounded(self._connect_timeout, self._timed_out)

    @property
    def stale_attempt_after(self) -> float:
        """Return the seconds without progress after which an attempt is restarted when the page comes back."""
        return self._bounded(self._stale_attempt_after, self._restarted)

    def _bounded(self, seconds: float, doublings: int) -> float:
        # Bounded, since a tab may fail for weeks, and a step may include the machine's sleep.
        wished = max(seconds * 2.0 ** min(doublings, 10), 2 * self._slowest)
        return min(wished, MAX_FACTOR * self._connect_timeout)

    def note_timeout(self) -> None:
        """Note that an attempt was ended by its deadline."""
        self._timed_out += 1

    def note_restart(self) -> None:
        """Note that an attempt was restarted because the page came back."""
        self._restarted += 1

    def note_proven(self, slowest_step: float) -> None:
        """Note that a link is proven, whose slowest step took ``slowest_step`` seconds."""
        self._slowest = slowest_step
        self._timed_out = self._restarted = 0
