"""The button in the status pill that opens the inspector, which is imported only then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ui.kit.dom import Listeners, by_id


class Panel(Protocol):
    """An open panel."""

    def close(self) -> None:
        """Remove what the panel shows, and everything that it has begun."""


class InspectorButton:
    """The button, and the inspector while it is open.

    ``open_inspector`` shows it, and gets the function that closes it.
    """

    def __init__(self, open_inspector: Callable[[Callable[[], None]], Panel], listeners: Listeners) -> None:
        self._open_inspector = open_inspector
        self._panel: Panel | None = None
        self._button = by_id("connection-button")
        listeners.on(self._button, "click", lambda _: self._toggle())

    def close(self) -> None:
        """Close the inspector, if it is open, and focus the button."""
        panel, self._panel = self._panel, None
        if panel is None:
            return
        panel.close()
        self._button.setAttribute("aria-expanded", "false")
        self._button.focus()

    def _toggle(self) -> None:
        if self._panel is not None:
            self.close()
            return
        self._panel = self._open_inspector(self.close)
        self._button.setAttribute("aria-expanded", "true")
