"""Elements made by calls, as the inspector needs them: nothing of it is in index.html, which every start reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import js

from ui.kit.texts import Texts

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


def section(title: str) -> Any:
    """Return a new section with this heading."""
    part = html("section", class_="inspector-part")
    part.append(html("h3", title, class_="inspector-heading"))
    return part


class Named(Protocol):
    """A figure: its name, and what it says."""

    @property
    def name(self) -> str:
        """The name, for data-figure, and the key of its label."""

    @property
    def words(self) -> str:
        """The text."""


class FigureList:
    """A list of names and figures."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._lines: dict[str, Line] = {}
        self.element = html("dl", class_="figures")

    def draw(self, figures: Iterable[Named]) -> None:
        """Show these figures, always the same ones."""
        for figure in figures:
            line = self._lines.get(figure.name)
            if line is None:
                value = html("dd", data_figure=figure.name)
                row = html("div", class_="figure")
                row.append(html("dt", self._texts(f"figure.{figure.name}")), value)
                self.element.append(row)
                line = self._lines[figure.name] = Line(value)
            line.write(figure.words)
