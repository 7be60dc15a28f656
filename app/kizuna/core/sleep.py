"""Detection of sleep: whether the machine slept or the page was only busy. Only the clocks can tell.

A worker beside the page keeps running while the page computes, and stops while the machine sleeps: it reports sleep as
:class:`kizuna.core.events.MachineSlept`. What the page itself can notice is here.
"""

from __future__ import annotations

from kizuna.platform import Instant

#: Seconds that a tick of a hidden page without a worker may be late: Chromium runs its timers once a minute.
THROTTLE_SECONDS = 60.0
#: Seconds between two reports of a worker that are acted on.
MIN_REPORT_INTERVAL = 30.0
#: Seconds by which a deadline is late when the page was busy: the answer may have arrived unread, since browsers have
#: separate queues for timers and frames. Such a deadline is postponed once, by POSTPONED_BY seconds.
LATE = 0.5
POSTPONED_BY = 1.0


class SleepDetector:
    """What the page's clocks say about sleep.

    On some systems the monotonic clock stops during sleep while the wall clock goes on.

    Args:
        gap: Seconds by which the clocks may differ.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._offset: float | None = None
        self._was_hidden = False
        self._reported_at: float | None = None

    def slept(self, now: Instant) -> bool:
        """Return whether the machine slept since the last call."""
        offset = now.wall - now.monotonic
        drift = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        return drift > self._gap

    def may_have_slept(self, tick_late: float) -> bool:
        """Return whether a tick that came ``tick_late`` seconds late is a reason for doubt, where no worker runs."""
        return tick_late - (THROTTLE_SECONDS if self._was_hidden else 0.0) > self._gap

    def accept_worker_report(self, now: Instant) -> bool:
        """Return whether to act on a worker's report of sleep: a worker that gets no processor time repeats it."""
        is_new = self._reported_at is None or now.monotonic - self._reported_at >= MIN_REPORT_INTERVAL
        if is_new:
            self._reported_at = now.monotonic
        return is_new

    def page_hidden(self) -> None:
        """Note that from now on the browser may delay the page's timers."""
        self._was_hidden = True

    def tick_armed(self, *, visible: bool) -> None:
        """Note that a new tick was set."""
        self._was_hidden = not visible
