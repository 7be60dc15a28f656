"""The panel of the inspector: beside the messages where there is room, else a sheet over them."""

from __future__ import annotations

from collections.abc import Callable

import js

from ui.inspector.elements import button, html, icon
from ui.kit.dom import Listeners, by_id
from ui.kit.texts import Texts

#: From this width on both fit; the same as in static/css/inspector.css.
_BESIDE = "(min-width: 64rem)"
#: What lies behind the sheet. Not the announcements, which are read on.
_BEHIND = "#app > :is(header, nav, main)"


class Panel:
    """The panel with its title and the button that closes it. The focus goes in; ``close()`` removes everything."""

    def __init__(self, texts: Texts, listeners: Listeners, close: Callable[[], None]) -> None:
        self.root = by_id("inspector")
        self.body = html("div", class_="inspector-body")
        self._close = close
        title = html(
            "h2", texts("inspector.title"), class_="inspector-title", id="inspector-title", tabindex="-1"
        )
        quit_button = button("", class_="button quiet icon-button", aria_label=texts("inspector.close"))
        quit_button.append(icon("close"))
        head = html("div", class_="inspector-head")
        head.append(title, quit_button)
        self.root.replaceChildren(head, self.body)
        self.root.hidden = False
        self._fits = js.matchMedia(_BESIDE)
        self._cover()
        listeners.on(self._fits, "change", lambda _: self._cover())
        listeners.on(quit_button, "click", lambda _: close())
        listeners.on(js.document, "keydown", self._on_key)
        title.focus()

    def close(self) -> None:
        """Remove the panel."""
        self.root.hidden = True
        self.root.replaceChildren()
        self._make_inert(is_inert=False)

    def _cover(self) -> None:
        """Let nothing behind a sheet take the focus: it is a dialog."""
        is_sheet = not self._fits.matches
        self.root.setAttribute("role", "dialog" if is_sheet else "complementary")
        if is_sheet:
            self.root.setAttribute("aria-modal", "true")
        else:
            self.root.removeAttribute("aria-modal")
        self._make_inert(is_inert=is_sheet)

    def _make_inert(self, *, is_inert: bool) -> None:
        for part in js.document.querySelectorAll(_BEHIND):
            part.toggleAttribute("inert", is_inert)

    def _on_key(self, event: js.KeyboardEvent) -> None:
        is_here = self.root.contains(js.document.activeElement) or not self._fits.matches
        if event.key == "Escape" and is_here and not event.isComposing:
            event.preventDefault()
            self._close()
