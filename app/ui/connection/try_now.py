"""When "Try now" is there, and when it is busy."""

from __future__ import annotations

from chat.store import ConnectionInfo
from kizuna.core.states import Status

#: Seconds: a try that fails at once must not look like a button that does nothing, and more often is not served.
BUSY_FOR = 1.0

_OFFERED = (Status.WAITING, Status.OFFLINE, Status.EXHAUSTED)


class TryNow:
    """Responsible for the button's state. Once shown it stays through the attempt, so that focus on it is not lost."""

    def __init__(self) -> None:
        self.shown = False
        self.busy = False
        self._busy_until = 0.0

    def press(self, now: float) -> bool:
        """The person pressed it; False when it is busy and the press means nothing."""
        if not self.shown or self.busy:
            return False
        self.busy = True
        self._busy_until = now + BUSY_FOR
        return True

    def update(self, connection: ConnectionInfo, now: float) -> float | None:
        """Take note of ``connection``; returns when to be called again though nothing changes."""
        trying = connection.status is Status.CONNECTING
        held = now < self._busy_until
        self.shown = connection.status in _OFFERED or (self.shown and trying)
        self.busy = self.shown and (trying or held)
        return self._busy_until if self.shown and held else None
