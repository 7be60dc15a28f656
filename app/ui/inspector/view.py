"""The inspector: its parts, from opening to closing."""

from __future__ import annotations

from collections.abc import Callable

from ui.inspector.frame import Frame
from ui.kit.dom import Listeners
from ui.kit.texts import Texts


class InspectorView:
    """The open inspector."""

    def __init__(self, texts: Texts, close: Callable[[], None]) -> None:
        self._listeners = Listeners()
        self._frame = Frame(texts, self._listeners, close)

    def close(self) -> None:
        """Remove everything, and stop listening."""
        self._listeners.close()
        self._frame.close()
