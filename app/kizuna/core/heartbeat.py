"""The pings of one link and their answers.

A ping goes out every interval, even while other frames arrive. Any frame that arrives proves the link alive.
"""

from __future__ import annotations


class Heartbeat:
    """The time of a link's last ping, and whether anything has arrived since. Monotonic seconds."""

    def __init__(self) -> None:
        self._pinged_at: float | None = None
        self._answered = True
        self.rtt: float | None = None  #: seconds from the last ping to its pong

    def ping_sent(self, now: float) -> None:
        """Note that a ping was sent."""
        self._pinged_at = now
        self._answered = False

    def frame_received(self) -> None:
        """Note that a frame arrived."""
        self._answered = True

    def pong_received(self, now: float, pinged_at: float | None) -> None:
        """Note that a pong arrived, and measure the round trip if it answers the last ping.

        Args:
            now: Monotonic seconds.
            pinged_at: The time that the pong repeats from its ping. A pong of an earlier ping measures nothing.
        """
        if pinged_at is not None and self._pinged_at is not None and abs(pinged_at - self._pinged_at) < 0.001:
            self.rtt = max(0.0, now - self._pinged_at)
            self._pinged_at = None  # a repeated pong measures nothing

    @property
    def is_silent(self) -> bool:
        """Return whether nothing has arrived since the last ping."""
        return not self._answered
