"""Elements made by calls, as the inspector needs them: nothing of it is in index.html, which every start reads."""

from __future__ import annotations

from typing import Any

import js

_SVG = "http://www.w3.org/2000/svg"


def html(tag: str, text: str = "", /, **attributes: str) -> Any:
    """Return a new HTML element. ``_`` at the end of an attribute's name is left out, others become ``-``."""
    element = js.document.createElement(tag)
    if text:
        element.textContent = text
    return _with(element, attributes)


def svg(tag: str, text: str = "", /, **attributes: str) -> Any:
    """Return a new SVG element, as ``html`` does."""
    element = js.document.createElementNS(_SVG, tag)
    if text:
        element.textContent = text
    return _with(element, attributes)


def icon(name: str) -> Any:
    """Return an icon of the sprite in index.html."""
    picture = svg("svg", class_="icon", aria_hidden="true")
    picture.append(svg("use", href=f"#icon-{name}"))
    return picture


def button(text: str, /, **attributes: str) -> Any:
    """Return a new button."""
    return html("button", text, type="button", **{"class_": "button", **attributes})


def _with(element: Any, attributes: dict[str, str]) -> Any:
    for name, value in attributes.items():
        element.setAttribute(name.removesuffix("_").replace("_", "-"), value)
    return element


class Line:
    """The text of one element, written when it changes."""

    def __init__(self, element: Any) -> None:
        self.element = element
        self._text: str | None = None

    def write(self, text: str) -> None:
        """Show ``text``."""
        if text != self._text:
            self._text = text
            self.element.textContent = text
