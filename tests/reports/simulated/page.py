"""A page as browsers treat it: hidden and throttled, frozen, kept for going back, or on a machine that sleeps."""

from __future__ import annotations

import math
from collections.abc import Callable

from kizuna.events import (
    PageEvent,
    PageHidden,
    PageResumed,
    PageShown,
    PageSuspended,
    Timer,
    WentOffline,
    WentOnline,
)
from kizuna.platform import Instant
from tests.reports.simulated.world import MINUTE, World

#: Chromium: hidden pages run timers once a second, and after five minutes chained ones once a minute.
HIDDEN_GRAIN = 1.0
INTENSE_AFTER = 5 * MINUTE
INTENSE_GRAIN = MINUTE
WALL_AT_START = 1_700_000_000.0
MONOTONIC_AT_START = 1000.0


class Page:
    """Responsible for when code may run, for the page's two clocks, and for its timers.

    ``has_worker``: a worker's ticks drive the timers, so that hiding does not slow them: it is not ``throttled``.
    """

    def __init__(self, world: World, *, has_worker: bool = False) -> None:
        self._world = world
        self.throttled = not has_worker
        self.visible = True
        self.is_frozen = False
        self.is_asleep = False
        self._hidden_since = 0.0
        self._asleep_since = 0.0
        self._clock_stands = False
        self._lag = 0.0  # seconds that the monotonic clock has slept
        self._armed: dict[Timer, tuple[float, Callable[[], None]]] = {}  # deadline (monotonic), how to cancel
        self._untold: list[PageEvent] = []  # while it could not run
        self._unread: list[Callable[[], None]] = []  # what reached it while it could not run
        self.tell: Callable[[PageEvent], None] = lambda event: None
        self.fire: Callable[[Timer], None] = lambda timer: None

    @property
    def runs(self) -> bool:
        """Whether its code can run."""
        return not (self.is_frozen or self.is_asleep)

    def instant(self) -> Instant:
        """This moment on the page's clocks."""
        now = self._world.now
        return Instant(MONOTONIC_AT_START + now - self._lag, WALL_AT_START + now)

    def deliver(self, read: Callable[[], None]) -> None:
        """Let the page read something now, or as soon as it runs again."""
        if self.runs:
            read()
        else:
            self._unread.append(read)

    # --- what happens to it ---

    def show(self) -> None:
        self.visible = True
        self._take_up_timers()
        self._announce(PageShown())

    def hide(self) -> None:
        if self.visible:
            self._hidden_since = self._world.now
        self.visible = False
        self._announce(PageHidden())

    def go_online(self) -> None:
        """The browser says that there is a network, which need not be so."""
        self._announce(WentOnline())

    def go_offline(self) -> None:
        self._announce(WentOffline())

    def freeze(self) -> None:
        """The browser stops it after a last event."""
        if not self.is_frozen:
            self._announce(PageSuspended())
            self.is_frozen = True
            self._world.changed()

    def resume(self) -> None:
        """The browser lets it run again; only then does it read what came meanwhile."""
        if self.is_frozen:
            self.is_frozen = False
            self._announce(PageResumed())
            self._catch_up()

    def leave(self) -> None:
        """The person goes to another page, and the browser keeps this one."""
        self._announce(PageSuspended())
        self.hide()
        self.freeze()

    def come_back(self) -> None:
        """The person comes back to the kept page. Chromium's order: late events of sockets come after pageshow."""
        self.is_frozen = False
        self._announce(PageResumed())
        self.show()
        self._announce(PageResumed())
        self._catch_up()

    def sleep(self, *, clock_stands: bool) -> None:
        """The machine sleeps, without a last event; on some systems its monotonic clock stands meanwhile."""
        self.is_asleep = True
        self._asleep_since = self._world.now
        self._clock_stands = clock_stands
        self._world.changed()

    def wake(self) -> None:
        """The machine wakes, without a first event."""
        self.is_asleep = False
        if self._clock_stands:
            self._lag += self._world.now - self._asleep_since
        self._catch_up()

    def _announce(self, event: PageEvent) -> None:
        self._untold.append(event)
        self._tell_all()
        self._world.changed()

    def _tell_all(self) -> None:
        while self.runs and self._untold:
            self.tell(self._untold.pop(0))

    def _catch_up(self) -> None:
        if self.runs:
            self._tell_all()
            self._take_up_timers()
            unread, self._unread = self._unread, []
            for read in unread:
                self.deliver(read)
            self._world.changed()

    # --- timers ---

    def arm(self, timer: Timer, at: float) -> None:
        """Arm a timer for ``at`` (monotonic), in place of an earlier one of its kind."""
        self._look_again(timer, at, max(self._world.now, self._world_time(at)))

    def disarm(self, timer: Timer) -> None:
        if timer in self._armed:
            _, cancel = self._armed.pop(timer)
            cancel()

    def _look_again(self, timer: Timer, at: float, when: float) -> None:
        self.disarm(timer)
        self._armed[timer] = at, self._world.at(when, lambda: self._due(timer, at))

    def _due(self, timer: Timer, at: float) -> None:
        now = self._world.now
        if not self.runs:
            return  # showing or waking it takes up its timers
        if self._world_time(at) > now + 1e-6:  # the clock stood meanwhile
            self._look_again(timer, at, self._world_time(at))
        elif (allowed := self._next_grain(now)) > now:
            self._look_again(timer, at, allowed)
        else:
            del self._armed[timer]
            self.fire(timer)

    def _next_grain(self, now: float) -> float:
        """When the browser lets a timer run that is due now."""
        if self.visible or not self.throttled:
            return now
        grain = INTENSE_GRAIN if now - self._hidden_since >= INTENSE_AFTER else HIDDEN_GRAIN
        return math.ceil(now / grain - 1e-9) * grain

    def _take_up_timers(self) -> None:
        for timer, (at, _) in tuple(self._armed.items()):
            self.arm(timer, at)

    def _world_time(self, monotonic: float) -> float:
        return monotonic - MONOTONIC_AT_START + self._lag
