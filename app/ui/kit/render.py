"""Rendering: changed views are drawn together, once per animation frame."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from chat.store import ChatState

logger = logging.getLogger("ui")

_SOONEST = 0.01  # seconds; a view that requests a draw in the past must not keep the page busy
#: A draw that took longer than so many seconds (half a frame) is followed by a rest, _REST times as long: in a flood of
#: changes the page would do nothing but draw what the next draw replaces. A click is still answered within 0.1 s.
_LONG, _REST, _LONGEST_REST = 0.008, 4.0, 0.08


class View(Protocol):
    """A part of the page."""

    def part(self, state: ChatState) -> object:
        """Return the part of ``state`` that the view shows: it is drawn when that changes."""

    def draw(self, state: ChatState, now: float) -> float | None:
        """Show ``state`` in the DOM. Return when to draw again without a change."""


class FrameHost(Protocol):
    """The source of animation frames and timers: the browser, or a test."""

    def start(self, on_frame: Callable[[], None], on_wake: Callable[[], None]) -> None:
        """Set the callbacks."""

    def request_frame(self, after: float) -> None:
        """Call ``on_frame`` once before the next paint in ``after`` seconds, or soon then if the page is hidden."""

    def wake_in(self, seconds: float | None) -> None:
        """Call ``on_wake`` after ``seconds``, instead of the last request; None: never."""

    def close(self) -> None:
        """Stop calling back."""


class RenderScheduler:
    """Draws marked views together, and views whose time has come."""

    def __init__(self, host: FrameHost, read: Callable[[], ChatState], now: Callable[[], float]) -> None:
        self._host = host
        self._read = read
        self.now = now
        self._parts: dict[View, object] = {}  # as marked last, in the order of drawing
        self._marked: set[View] = set()
        self._wakes: dict[View, float] = {}
        self._requested = False
        self._rests_until = 0.0
        host.start(self._draw, self._wake)

    def add(self, view: View) -> None:
        """Add ``view``; views are drawn in this order."""
        self._parts[view] = view.part(self._read())
        self.mark(view)

    def remove(self, view: View) -> None:
        """Draw ``view`` no more."""
        self._parts.pop(view, None)
        self._marked.discard(view)
        self._wakes.pop(view, None)
        self._schedule_wake()

    def update(self, state: ChatState) -> None:
        """Draw the views whose part of the state has changed."""
        for view, before in self._parts.items():
            part = view.part(state)
            if part is not before and part != before:
                self._parts[view] = part
                self.mark(view)

    def mark(self, view: View) -> None:
        """Draw ``view`` at the next frame."""
        self._marked.add(view)
        if not self._requested:
            self._requested = True
            self._host.request_frame(max(0.0, self._rests_until - self.now()))

    def close(self) -> None:
        """Stop drawing."""
        self._host.close()
        self._parts.clear()

    def _draw(self) -> None:
        self._requested = False
        marked, self._marked = self._marked, set()
        state, now = self._read(), self.now()
        for view in [view for view in self._parts if view in marked]:
            wake = None
            try:
                wake = view.draw(state, now)
            except Exception:
                logger.exception("a view could not be drawn")
            if wake is None:
                self._wakes.pop(view, None)
            else:
                self._wakes[view] = wake
        self._schedule_wake()
        end = self.now()
        self._rests_until = end + min((end - now) * _REST, _LONGEST_REST) if end - now > _LONG else 0.0

    def _wake(self) -> None:
        now = self.now()
        for view in [view for view, wake in self._wakes.items() if wake <= now]:
            del self._wakes[view]
            self.mark(view)
        self._schedule_wake()  # a timer may come early

    def _schedule_wake(self) -> None:
        earliest = min(self._wakes.values(), default=None)
        self._host.wake_in(None if earliest is None else max(_SOONEST, earliest - self.now()))
