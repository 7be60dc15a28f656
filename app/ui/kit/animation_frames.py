"""The browser's animation frames and timers, for ``render.RenderScheduler``."""

from __future__ import annotations

from collections.abc import Callable

import js

from ui.kit.dom import Listeners

# WebKit may delay frames for seconds although the page is visible, and a hidden page gets none. The title and the
# attributes for automation must be current, so after this time a timer draws.
_FRAME_TIMEOUT_MS = 250


class AnimationFrames:
    """Calls back before the next paint, or by a timer if there is none."""

    def __init__(self) -> None:
        self._listeners = Listeners()
        self._frame: int | None = None
        self._timer: int | None = None
        self._wake: int | None = None

    def start(self, on_frame: Callable[[], None], on_wake: Callable[[], None]) -> None:
        """Set the callbacks."""

        def frame(*_: object) -> None:
            self._cancel()
            on_frame()

        def wake() -> None:
            self._wake = None
            on_wake()

        def rested() -> None:
            self._timer = None
            self.request_frame(0.0)

        self._on_frame = self._listeners.keep(frame)
        self._on_rested = self._listeners.keep(rested)
        self._on_wake = self._listeners.keep(wake)
        self._listeners.on(js.document, "visibilitychange", lambda _: self._visibility_changed())

    def request_frame(self, after: float) -> None:
        """Call ``on_frame`` once, after so many seconds or soon then."""
        if after > 0:
            self._timer = js.setTimeout(self._on_rested, after * 1000)
            return
        hidden = js.document.hidden
        self._timer = js.setTimeout(self._on_frame, 0 if hidden else _FRAME_TIMEOUT_MS)
        if not hidden:
            self._frame = js.requestAnimationFrame(self._on_frame)

    def wake_in(self, seconds: float | None) -> None:
        """Call ``on_wake`` after ``seconds``, instead of the last request; None: never."""
        if self._wake is not None:
            js.clearTimeout(self._wake)
        self._wake = None if seconds is None else js.setTimeout(self._on_wake, seconds * 1000)

    def close(self) -> None:
        """Stop calling back."""
        self.wake_in(None)
        self._cancel()
        self._listeners.close()

    def _cancel(self) -> None:
        if self._frame is not None:
            js.cancelAnimationFrame(self._frame)
        if self._timer is not None:
            js.clearTimeout(self._timer)
        self._frame = self._timer = None

    def _visibility_changed(self) -> None:
        """Request a frame again when the page is hidden, where the requested one would not come."""
        if js.document.hidden and self._frame is not None:
            self._cancel()
            self.request_frame(0.0)
