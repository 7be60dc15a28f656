"""The heartbeat: the pings of one link, their answers, and what silence means.

A ping goes out every ``heartbeat_interval`` (30 s), even while other frames arrive: an answer must be provoked. Any
frame that arrives proves the link alive. None for ``pong_timeout`` (10 s) after a ping: the link is doubted, and a
probe goes out. None for ``probe_timeout`` (5 s) after that: the link is replaced.
"""

from __future__ import annotations

from kizuna.core.states import Status, Trigger


class Heartbeat:
    """The time of a link's last ping, and whether anything has arrived since. Monotonic seconds."""

    def __init__(self) -> None:
        self._pinged_at: float | None = None
        self._answered = True
        self._pongs_due = 0
        self.rtt: float | None = None  #: seconds from the last ping to its pong

    def ping_sent(self, now: float) -> None:
        """Note that a ping was sent."""
        self._pinged_at = now
        self._answered = False
        self._pongs_due += 1

    def frame_received(self) -> None:
        """Note that a frame arrived."""
        self._answered = True

    def pong_received(self, now: float, pinged_at: float | None) -> None:
        """Note that a pong arrived, and measure the round trip if it answers the last ping.

        Args:
            now: When it arrived, monotonic seconds.
            pinged_at: The time that the pong repeats from its ping. A pong of an earlier ping measures nothing.
        """
        if pinged_at is not None and self._pinged_at is not None and abs(pinged_at - self._pinged_at) < 0.001:
            self.rtt = max(0.0, now - self._pinged_at)
            self._pinged_at = None  # a repeated pong measures nothing

    def pong_without_time_received(self, now: float) -> None:
        """Note that a pong arrived that repeats no time, and measure the round trip if no other pong is due.

        Args:
            now: When it arrived, monotonic seconds.
        """
        if self._pongs_due == 1:
            self.pong_received(now, self._pinged_at)
        self._pongs_due = max(0, self._pongs_due - 1)

    @property
    def awaits_pong(self) -> bool:
        """Return whether the pong of the last ping has not been handled yet."""
        return self._pinged_at is not None

    def silence_means(self, status: Status) -> Trigger | None:
        """Return what it means that the time for an answer is over, in this status of the connection.

        Returns:
            DOUBTED for a link that was trusted, LOST for one that was doubted; None if a frame arrived in time.
        """
        if not self.is_silent:
            return None
        return Trigger.DOUBTED if status is Status.CONNECTED else Trigger.LOST

    @property
    def is_silent(self) -> bool:
        """Return whether nothing has arrived since the last ping."""
        return not self._answered
