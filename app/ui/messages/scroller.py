"""The scroll position of the list: it follows the end, or stays where the reader is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import js

from ui.kit.dom import Listeners
from ui.messages.scroll import NEAR_TOP, first_visible, follows


@dataclass(frozen=True, slots=True)
class Anchor:
    """A message and where on the screen it stood."""

    row: Any
    y: float


class Scroller:
    """Responsible for the scroll position. WebKit has no ``overflow-anchor``: the place is kept by hand everywhere."""

    def __init__(
        self, box: js.Element, rows: js.Element, listeners: Listeners, moved: Callable[[], None]
    ) -> None:
        """``moved``: called when the reader scrolled."""
        self._box = box
        self._rows = rows
        self._moved = moved
        self.following = True
        self.near_top = False
        self._anchor: Anchor | None = None  #: where the reader was last
        listeners.on(box, "scroll", lambda _: self._scrolled(), passive=True)
        # The keyboard of a phone, a longer draft, a banner, a wider window: the reader stays at the same message.
        self._observer = js.ResizeObserver.new(listeners.keep(lambda *_: self.restore(self._anchor)))
        self._observer.observe(box)
        self._observer.observe(rows)

    def anchor(self) -> Anchor | None:
        """The first message in sight, to be given to ``restore`` after the list has changed; None when following."""
        if self.following:
            return None
        rows = self._rows.children
        top = self._box.offsetTop + self._box.scrollTop

        def bottom_of(index: int) -> float:
            row: Any = rows.item(index)
            return float(row.offsetTop + row.offsetHeight)

        index = first_visible(rows.length, bottom_of, top)
        if index is None:
            return None
        row: Any = rows.item(index)
        while row and not row.matches("article"):  # what separates messages goes when others come before it
            row = row.nextElementSibling
        return Anchor(row, row.getBoundingClientRect().top) if row else None

    def restore(self, anchor: Anchor | None) -> None:
        """Bring the reader back to where the anchor stood, or to the end when following."""
        if self.following:
            self.to_end()
        elif anchor is not None and anchor.row.isConnected:
            moved = anchor.row.getBoundingClientRect().top - anchor.y
            if moved:
                self._box.scrollTop += moved
        self.near_top = (
            self._box.scrollTop < NEAR_TOP
        )  # the event that says so comes only after the next frame
        self._anchor = self.anchor()

    def to_end(self, *, smooth: bool = False) -> None:
        """Show the newest, and follow."""
        self.following = True
        if smooth and not js.matchMedia("(prefers-reduced-motion: reduce)").matches:
            self._box.scrollTo(top=self._box.scrollHeight, behavior="smooth")
        else:
            self._box.scrollTop = self._box.scrollHeight

    def fits(self) -> bool:
        """Whether everything is in sight, so that nobody can scroll."""
        return self._box.scrollHeight <= self._box.clientHeight

    def close(self) -> None:
        """Watch no longer."""
        self._observer.disconnect()

    def _scrolled(self) -> None:
        box = self._box
        top = box.scrollTop
        self.following = follows(top, box.clientHeight, box.scrollHeight)
        self.near_top = top < NEAR_TOP
        self._anchor = self.anchor()
        self._moved()
