"""What a ping and its silence mean.

An answer must be provoked: a ping goes out every interval, also under constant traffic. Any inbound frame is life.
"""

from __future__ import annotations


class Heartbeat:
    """Responsible for remembering when one link was last asked and last heard. Seconds, monotonic."""

    def __init__(self) -> None:
        self._pinged_at: float | None = None
        self._answered = True
        self.rtt: float | None = None  #: seconds from the last ping to its pong

    def ping_sent(self, now: float) -> None:
        """A ping goes out."""
        self._pinged_at = now
        self._answered = False

    def frame_received(self) -> None:
        """Something arrived."""
        self._answered = True

    def pong_received(self, now: float, pinged_at: float | None) -> None:
        """The pong arrived. ``pinged_at`` is what it says that the ping carried; the round trip is measured only
        for the last ping, so that an old answer does not pass for a fast one."""
        if pinged_at is not None and self._pinged_at is not None and abs(pinged_at - self._pinged_at) < 0.001:
            self.rtt = max(0.0, now - self._pinged_at)
            self._pinged_at = None  # a repeated pong measures nothing

    @property
    def is_silent(self) -> bool:
        """Whether nothing has arrived since the last ping."""
        return not self._answered
