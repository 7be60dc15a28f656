"""What has arrived over the links and waits to be handled, in the order of arrival.

Frames may come faster than an application can handle them. If each were handled when it arrives, the page could not
paint or answer a click until the last one is done. So frames only queue when they arrive, and are handled in slices;
between two slices the platform does what else is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from kizuna.core import events
from kizuna.platform import Platform

#: Seconds of one slice: half a frame of a screen with 60 Hz. The other half is for the browser, to paint and for input.
SLICE_SECONDS = 0.008
#: Characters, or bytes, of frames between two looks at the clock in a slice. A look costs a tenth of a small frame;
#: large frames take the application long, so after each of them there is one.
CHARACTERS_PER_LOOK = 2048

#: The link's number; a frame, or the end of the link; when it arrived, where that matters.
Arrival: TypeAlias = "tuple[int, str | bytes | events.SocketClosed, float | None]"


class Arrivals:
    """The arrivals that wait, and when their next slice is due.

    Args:
        platform: Gives the browser its turn between two slices.
        handle_slice: Called when a slice is due. It takes from ``waiting``, and calls ``end_slice()`` when it is done.
    """

    def __init__(self, platform: Platform, handle_slice: Callable[[], None]) -> None:
        self.waiting: deque[Arrival] = deque()
        self._platform = platform
        self._handle_slice = handle_slice
        self._is_slice_due = False

    def add(self, arrival: Arrival) -> None:
        """Add what arrived last, to be handled in a slice soon."""
        self.waiting.append(arrival)
        if not self._is_slice_due:
            self._is_slice_due = True
            self._platform.call_soon(self._handle_slice)

    def end_slice(self) -> None:
        """End a slice; if something still waits, there will be another one."""
        self._is_slice_due = bool(self.waiting)
        if self._is_slice_due:
            self._platform.call_soon(self._handle_slice)

    def has_of(self, link: int) -> bool:
        """Return whether something waits that came over ``link``."""
        return any(number == link for number, _, _ in self.waiting)

    def bring_forward(self, link: int) -> bool:
        """Put what came over ``link`` before all else; return whether there was something."""
        mine = [arrival for arrival in self.waiting if arrival[0] == link]
        if mine:
            others = [arrival for arrival in self.waiting if arrival[0] != link]
            self.waiting.clear()
            self.waiting.extend(mine + others)
        return bool(mine)

    def next_of(self, link: int) -> Arrival | None:
        """Remove and return what waits first, if it came over ``link``; else None."""
        return self.waiting.popleft() if self.waiting and self.waiting[0][0] == link else None

    def forget(self) -> None:
        """Drop all that waits."""
        self.waiting.clear()
