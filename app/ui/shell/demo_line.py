"""The line that says that the page is a demo."""

from __future__ import annotations

import js

from ui.kit.demo_mode import address_without_demo
from ui.kit.dom import by_id
from ui.kit.texts import Texts


def show_demo_line(texts: Texts, *, can_leave: bool) -> None:
    """Show that the page is a demo, and with ``can_leave`` a link to the chat. ``texts``: those of static/i18n/demo."""
    line = by_id("demo")
    words = js.document.createElement("p")
    words.textContent = texts("line")
    line.replaceChildren(words)
    line.setAttribute("aria-label", texts("label"))
    if can_leave:
        link = js.document.createElement("a")
        link.textContent = texts("leave")
        link.setAttribute("href", address_without_demo())
        line.append(link)
    line.hidden = False
