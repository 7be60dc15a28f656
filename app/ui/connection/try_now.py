"""Rules of the button "Try now"."""

from __future__ import annotations

from kizuna import Status

#: Seconds that the button is busy at least, so that an attempt that fails at once is visible.
BUSY_FOR = 1.0

_OFFERED = (Status.WAITING, Status.OFFLINE, Status.EXHAUSTED)


class TryNow:
    """The state of the button. It stays visible during the attempt, so that it does not lose the focus."""

    def __init__(self) -> None:
        self.shown = False
        self.busy = False
        self._busy_until = 0.0

    def press(self, now: float) -> bool:
        """Handle a press. Return False if it is ignored."""
        if not self.shown or self.busy:
            return False
        self.busy = True
        self._busy_until = now + BUSY_FOR
        return True

    def update(self, status: Status, now: float) -> float | None:
        """Apply the connection's status. Return when to call again without a change."""
        trying = status is Status.CONNECTING
        held = now < self._busy_until
        self.shown = status in _OFFERED or (self.shown and trying)
        self.busy = self.shown and (trying or held)
        return self._busy_until if self.shown and held else None
