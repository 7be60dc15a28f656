"""The scroll position of the list: at the end, or at the message that the reader sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import js

from ui.kit.dom import Listeners
from ui.messages.scroll import NEAR, first_visible, follows


@dataclass(frozen=True, slots=True)
class Anchor:
    """A message and its place on the screen."""

    row: Any
    y: float


class Scroller:
    """The scroll position, kept by this code in every browser, since WebKit has no ``overflow-anchor``."""

    def __init__(
        self, box: js.Element, rows: js.Element, listeners: Listeners, moved: Callable[[], None]
    ) -> None:
        """``moved`` is called when the reader has scrolled."""
        self._box = box
        self._rows = rows
        self._moved = moved
        self.following = True
        self.near_top = False
        self.near_end = True
        self.at_end = True
        self._seen_top = 0.0  #: the scroll position that was noted last
        self._seen_size = self._size()  #: and the size of list and rows then
        self.has_later = False  #: messages lie after those in the list: its end is not followed
        self._anchor: Anchor | None = None  #: the reader's last place
        listeners.on(box, "scroll", lambda _: self._scrolled(), passive=True)
        # A phone's keyboard, a longer draft, a banner or a wider window must not move the reader's message.
        self._observer = js.ResizeObserver.new(listeners.keep(lambda *_: self.restore(self._anchor)))
        self._observer.observe(box)
        self._observer.observe(rows)

    def anchor(self) -> Anchor | None:
        """Return the first visible message, for ``restore`` after the list has changed; None when following."""
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
        while row and not row.matches("article"):  # separators may disappear
            row = row.nextElementSibling
        return Anchor(row, row.getBoundingClientRect().top) if row else None

    def restore(self, anchor: Anchor | None) -> None:
        """Scroll the anchor back to its place, or to the end when following."""
        if self.following:
            self.to_end()
        elif anchor is not None and anchor.row.isConnected:
            moved = anchor.row.getBoundingClientRect().top - anchor.y
            if moved:
                self._box.scrollTop += moved
        self._note_place()  # the event comes only after the next frame
        self._anchor = self.anchor()

    def to_end(self, *, smooth: bool = False) -> None:
        """Scroll to the end and follow it."""
        self.following = True
        if smooth and not js.matchMedia("(prefers-reduced-motion: reduce)").matches:
            self._box.scrollTo(top=self._box.scrollHeight, behavior="smooth")
        else:
            self._box.scrollTop = self._box.scrollHeight

    def fits(self) -> bool:
        """Return whether everything is visible without scrolling."""
        return self._box.scrollHeight <= self._box.clientHeight

    def close(self) -> None:
        """Stop observing."""
        self._observer.disconnect()

    def note_scroll(self) -> None:
        """Note where the reader has scrolled to, if its event is still to come: the next draw must not undo it."""
        if self._box.scrollTop != self._seen_top and self._size() == self._seen_size:
            self._note_place()
            self.following = not self.has_later and self._follows()

    def to_top(self) -> None:
        """Scroll to the beginning of the list."""
        self._box.scrollTop = 0
        self._note_place()
        self._anchor = self.anchor()

    def _scrolled(self) -> None:
        if self._size() != self._seen_size:
            return  # the browser has scrolled, since rows are lower; the observer restores the place
        self._note_place()
        self.following = not self.has_later and self._follows()
        self._anchor = self.anchor()
        self._moved()

    def _follows(self) -> bool:
        return follows(self._box.scrollTop, self._box.clientHeight, self._box.scrollHeight)

    def _note_place(self) -> None:
        box = self._box
        top = box.scrollTop
        self.near_top = top < NEAR
        rest = box.scrollHeight - box.clientHeight - top
        self.near_end = rest < NEAR
        self.at_end = rest < 2
        self._seen_top = top
        self._seen_size = self._size()

    def _size(self) -> tuple[float, float, float]:
        return self._box.clientWidth, self._box.clientHeight, self._rows.offsetHeight
