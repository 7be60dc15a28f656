"""Telling a machine that slept from a page that was busy: nothing tells a page so, but clocks betray it.

A worker beside the page keeps running while the page computes, and stands still in sleep: it is the witness
(:class:`kizuna.core.events.MachineSlept`). What is left to the page is here.
"""

from __future__ import annotations

from kizuna.platform import Instant

#: How late a tick of a hidden page may come where no worker counts: Chromium lets its timers run once a minute.
THROTTLE_SECONDS = 60.0
#: Seconds between two sleeps that a worker is believed.
MIN_REPORT_INTERVAL = 30.0
#: A deadline so many seconds late: the page was held up, and the answer may lie unread. Browsers keep timers and frames
#: in separate queues, so that no turn of the loop reads the frames first: it is put off, once, by POSTPONED_BY.
LATE = 0.5
POSTPONED_BY = 1.0


class SleepDetector:
    """Responsible for what the clocks of the page tell. ``gap`` seconds are what they may disagree by.

    The monotonic clock of some systems stands still in sleep while the wall clock goes on.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._offset: float | None = None
        self._was_hidden = False
        self._told_at: float | None = None

    def slept(self, now: Instant) -> bool:
        """Whether the machine slept since this was asked last."""
        offset = now.wall - now.monotonic
        drift = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        return drift > self._gap

    def may_have_slept(self, tick_late: float) -> bool:
        """Whether a tick so many seconds late is a reason to doubt, where no worker can say that the page was busy."""
        return tick_late - (THROTTLE_SECONDS if self._was_hidden else 0.0) > self._gap

    def accept_worker_report(self, now: Instant) -> bool:
        """Whether to believe a worker that says so: one that is starved says it again and again."""
        is_news = self._told_at is None or now.monotonic - self._told_at >= MIN_REPORT_INTERVAL
        if is_news:
            self._told_at = now.monotonic
        return is_news

    def page_hidden(self) -> None:
        """From now on the browser may hold the page's timers back."""
        self._was_hidden = True

    def tick_armed(self, *, visible: bool) -> None:
        """A new tick is on its way."""
        self._was_hidden = not visible  # at some time since then
