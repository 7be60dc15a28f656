"""The browser's animation frames and timers, for ``frames.Frames``."""

from __future__ import annotations

from collections.abc import Callable

import js

from ui.dom import Listeners


class BrowserFrames:
    """Responsible for calling back before the next paint; by a timer while the page is hidden and nothing is painted,
    so that the title and the attributes that automation reads stay true."""

    def __init__(self) -> None:
        self._listeners = Listeners()
        self._frame: int | None = None
        self._timer: int | None = None
        self._wake: int | None = None

    def start(self, on_frame: Callable[[], None], on_wake: Callable[[], None]) -> None:
        """Use these from now on."""

        def frame(*_: object) -> None:
            self._frame = self._timer = None
            on_frame()

        def wake() -> None:
            self._wake = None
            on_wake()

        self._on_frame = self._listeners.keep(frame)
        self._on_wake = self._listeners.keep(wake)
        self._listeners.on(js.document, "visibilitychange", lambda _: self._visibility_changed())

    def request_frame(self) -> None:
        """Call ``on_frame`` once, soon."""
        if js.document.hidden:
            self._timer = js.setTimeout(self._on_frame, 0)
        else:
            self._frame = js.requestAnimationFrame(self._on_frame)

    def wake_in(self, seconds: float | None) -> None:
        """Call ``on_wake`` after ``seconds`` instead of any earlier appointment."""
        if self._wake is not None:
            js.clearTimeout(self._wake)
        self._wake = None if seconds is None else js.setTimeout(self._on_wake, seconds * 1000)

    def close(self) -> None:
        """Call nothing any more."""
        self.wake_in(None)
        if self._frame is not None:
            js.cancelAnimationFrame(self._frame)
        if self._timer is not None:
            js.clearTimeout(self._timer)
        self._listeners.close()

    def _visibility_changed(self) -> None:
        """A frame asked for while visible would come only when the page is looked at again."""
        if js.document.hidden and self._frame is not None:
            js.cancelAnimationFrame(self._frame)
            self._frame = None
            self.request_frame()
