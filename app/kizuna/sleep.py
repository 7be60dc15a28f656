"""Noticing that the machine slept: nothing tells a page so, but its clocks betray it."""

from __future__ import annotations

from kizuna.platform import Instant

#: How late a tick of a hidden page may come where no worker counts: Chromium lets its timers run once a minute.
THROTTLE_SECONDS = 60.0


class SleepDetector:
    """Responsible for telling sleep from mere lateness. ``gap`` seconds are what two clocks may disagree by.

    The monotonic clock of some systems stands still in sleep while the wall clock goes on; on others a tick that
    was due every second comes far too late.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._offset: float | None = None
        self._throttled = True  # as was heard last
        self.tick_armed(visible=True)

    def slept(self, now: Instant, tick_late: float = 0.0, *, throttled: bool | None = None) -> bool:
        """Whether the machine slept since this was asked last. ``tick_late``: by how many seconds a tick is late;
        ``throttled``: from now on lateness may come from the page being hidden; None: as before. A tick is also
        judged by what held when it was armed: the one that proves a worker alive may itself have waited for it."""
        if throttled is not None:
            self._throttled = throttled
        offset = now.wall - now.monotonic
        drift = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        may_be_late = self._was_hidden and (self._throttled or self._was_throttled)
        allowed = THROTTLE_SECONDS if may_be_late else 0.0
        return max(drift, tick_late - allowed) > self._gap

    def page_hidden(self) -> None:
        """From now on the browser may hold the page's timers back."""
        self._was_hidden = True

    def tick_armed(self, *, visible: bool) -> None:
        """A new tick is on its way."""
        self._was_hidden = not visible  # at some time since then
        self._was_throttled = self._throttled  # at that time
