"""Virtual time, and a page in it as browsers treat it: hidden and throttled, frozen, kept for going back, or on a
machine that sleeps. A week passes in seconds, and the same seed gives the same week."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

from kizuna.core.events import Timer, TimerFired
from kizuna.platform import (
    Instant,
    PageEvent,
    PageHidden,
    PageResumed,
    PageShown,
    PageSuspended,
    WentOffline,
    WentOnline,
)
from kizuna.testing import VirtualClock

MINUTE = 60.0
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: Chromium: hidden pages run timers once a second, and after five minutes chained ones once a minute.
HIDDEN_GRAIN = 1.0
INTENSE_AFTER = 5 * MINUTE
INTENSE_GRAIN = MINUTE


class Simulation:
    """Virtual time and random numbers. ``now``: seconds since the beginning, at midnight."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._clock = VirtualClock(monotonic=0.0)
        #: Called after each change of page, network, gateway or status.
        self.changed: Callable[[], None] = lambda: None

    @property
    def now(self) -> float:
        return self._clock.now().monotonic

    def until(self, hour: float) -> float:
        """Return the seconds until it is next ``hour`` o'clock."""
        return (hour * HOUR - self.now - 1e-6) % DAY + 1e-6

    def at(self, when: float, do: Callable[[], None]) -> Callable[[], None]:
        """Let ``do`` happen at ``when``, unless what is returned is called before. What was asked for first happens
        first at equal times."""
        return self._clock.call_at(when, do).cancel

    def after(self, delay: float, do: Callable[[], None]) -> None:
        self.at(self.now + delay, do)

    def run(self, until: float) -> None:
        """Run everything up to ``until``."""
        while (due := self._clock.next_due()) is not None and due <= until:
            self._clock.move_to(due)
            self._clock.fire_next()
        self._clock.move_to(until)

    def run_script(self, script: Iterator[float]) -> None:
        """Run a script, which yields the seconds of each pause."""
        pause = next(script, None)
        if pause is not None:
            self.after(pause, lambda: self.run_script(script))


class BrowserPage:
    """A page with its two clocks and its timers, and whether its code may run.

    ``has_worker``: a worker's ticks drive the timers, so that hiding does not slow them: it is not ``throttled``.
    """

    def __init__(
        self,
        simulation: Simulation,
        tell: Callable[[PageEvent | TimerFired], None],
        *,
        has_worker: bool = False,
    ) -> None:
        self.visible = True
        self.runs = True  #: its code can run
        self._simulation = simulation
        self._tell = tell
        self._throttled = not has_worker
        self._hidden_since = 0.0
        self._lag = 0.0  # seconds that the monotonic clock has slept
        self._armed: dict[Timer, tuple[float, Callable[[], None]]] = {}  # deadline (monotonic), how to cancel
        self._unread: list[Callable[[], None]] = []  # what reached it while it could not run

    def instant(self) -> Instant:
        """Return the present time of the page's clocks."""
        return Instant(self._simulation.now - self._lag, self._simulation.now)

    def deliver(self, read: Callable[[], None]) -> None:
        """Let the page read something now, or as soon as it runs again."""
        if self.runs:
            read()
        else:
            self._unread.append(read)

    # --- events ---

    def show(self) -> None:
        self.visible = True
        self._take_up_timers()
        self._announce(PageShown())

    def hide(self) -> None:
        self._hidden_since = self._simulation.now
        self.visible = False
        self._announce(PageHidden())

    def go_online(self) -> None:
        """Report that the network is back, which may be wrong."""
        self._announce(WentOnline())

    def go_offline(self) -> None:
        self._announce(WentOffline())

    def freeze(self) -> None:
        """Stop the page after a last event."""
        self._announce(PageSuspended())
        self.sleep()

    def resume(self) -> None:
        """Let the page run again, and read what it missed."""
        self.runs = True
        self._announce(PageResumed())
        self._catch_up()

    def leave(self) -> None:
        """Put the page into the back/forward cache."""
        self._announce(PageSuspended())
        self.hide()
        self.freeze()

    def come_back(self) -> None:
        """Return from the back/forward cache. As in Chromium, late socket events come after pageshow."""
        self.runs = True
        self._announce(PageResumed())
        self.show()
        self.resume()

    def sleep(self) -> None:
        """Let the machine sleep, without a last event."""
        self.runs = False
        self._simulation.changed()

    def wake(self, *, clock_stood: float) -> None:
        """Wake the machine, without an event; on some systems the monotonic clock had stopped."""
        self.runs = True
        self._lag += clock_stood
        self._catch_up()

    def _announce(self, event: PageEvent) -> None:
        self._tell(event)
        self._simulation.changed()

    def _catch_up(self) -> None:
        self._take_up_timers()
        unread, self._unread = self._unread, []
        for read in unread:
            read()
        self._simulation.changed()

    # --- timers ---

    def arm(self, timer: Timer, at: float) -> None:
        """Arm a timer for ``at`` (monotonic), in place of an earlier one of its kind."""
        self._look_again(timer, at, max(self._simulation.now, at + self._lag))

    def disarm(self, timer: Timer) -> None:
        if timer in self._armed:
            _, cancel = self._armed.pop(timer)
            cancel()

    def _look_again(self, timer: Timer, at: float, when: float) -> None:
        self.disarm(timer)
        self._armed[timer] = at, self._simulation.at(when, lambda: self._due(timer, at))

    def _due(self, timer: Timer, at: float) -> None:
        if not self.runs:
            return  # showing or waking it takes up its timers
        now = self._simulation.now
        if (allowed := self._next_grain(now)) > now:
            self._look_again(timer, at, allowed)
        else:
            del self._armed[timer]
            self._tell(TimerFired(timer, throttled=self._throttled))

    def _next_grain(self, now: float) -> float:
        """Return when the browser runs a timer that is due now."""
        if self.visible or not self._throttled:
            return now
        grain = INTENSE_GRAIN if now - self._hidden_since >= INTENSE_AFTER else HIDDEN_GRAIN
        return math.ceil(now / grain - 1e-9) * grain

    def _take_up_timers(self) -> None:
        for timer, (at, _) in tuple(self._armed.items()):
            self.arm(timer, at)
