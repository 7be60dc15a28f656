"""How long an attempt may take: longer on a line that has shown to be slow, so that a satellite's gets in too."""

from __future__ import annotations

#: The longest deadline of a step, as a multiple of ``Options.connect_timeout``: 40 s by default.
MAX_FACTOR = 4


class AttemptLimits:
    """Responsible for the deadline of one step (token, opening, ready), and for how old an attempt may grow before
    a page that comes back starts it anew. Seconds.

    Both double with each attempt that they cut short, up to MAX_FACTOR times ``connect_timeout``, and are at least
    twice what the slowest step of the last proven link took.
    """

    def __init__(self, connect_timeout: float, stale_attempt_after: float) -> None:
        self._connect_timeout = connect_timeout
        self._stale_attempt_after = stale_attempt_after
        self._timed_out = 0  # attempts in a row
        self._restarted = 0
        self._slowest = 0.0  # step of the link that stood last

    @property
    def deadline(self) -> float:
        """Seconds that a step may take."""
        return self._bounded(self._connect_timeout, self._timed_out)

    @property
    def stale_attempt_after(self) -> float:
        """Seconds without progress after which an attempt is started anew when the page comes back."""
        return self._bounded(self._stale_attempt_after, self._restarted)

    def _bounded(self, seconds: float, doublings: int) -> float:
        # A tab may fail for weeks; and a step during which the machine slept says nothing of the line.
        wished = max(seconds * 2.0 ** min(doublings, 10), 2 * self._slowest)
        return min(wished, MAX_FACTOR * self._connect_timeout)

    def note_timeout(self) -> None:
        """An attempt was ended by its deadline."""
        self._timed_out += 1

    def note_restart(self) -> None:
        """An attempt was started anew because the page came back."""
        self._restarted += 1

    def note_proven(self, slowest_step: float) -> None:
        """A link stands, whose slowest step took so long."""
        self._slowest = slowest_step
        self._timed_out = self._restarted = 0
