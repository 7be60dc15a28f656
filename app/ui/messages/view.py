"""The list of messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import js

from chat.room_log import MAX_ROWS
from chat.store import ChatState
from chat.timeline import Gap, Timeline
from ui.actions import Actions
from ui.kit.dom import Listeners, by_id
from ui.kit.formats import Formats
from ui.kit.render import RenderScheduler
from ui.kit.texts import Texts
from ui.messages.diff import Insert, Move, Remove, Replace, Step, plan
from ui.messages.long_messages import LongMessages
from ui.messages.row_factory import RowFactory
from ui.messages.rows import UNREAD_KEY, DayRow, Layout, Row
from ui.messages.scroller import Scroller
from ui.messages.unread_line import UnreadLine


class MessagesView:
    """The rows on the page: it changes what differs, and keeps the scroll position."""

    def __init__(
        self,
        actions: Actions,
        texts: Texts,
        formats: Formats,
        shown_gaps: Callable[[ChatState], tuple[Gap, ...]],
        scheduler: RenderScheduler,
        listeners: Listeners,
    ) -> None:
        """``shown_gaps`` returns the times without a connection that the person was told of."""
        self._shown_gaps = shown_gaps
        self._actions = actions
        self._texts = texts
        self._formats = formats
        self._scheduler = scheduler
        self._box = by_id("messages")
        self._list = by_id("rows")
        self._earlier = by_id("earlier")
        self._empty = by_id("empty")
        self._jump_box = by_id("jump")
        self._long_messages = LongMessages(listeners)
        self._factory = RowFactory(texts, formats, self._long_messages)
        self._layout = Layout(formats.day)
        self._scroller = Scroller(self._box, self._list, listeners, lambda: scheduler.mark(self))
        self._rows: tuple[Row, ...] = ()
        self._elements: dict[str, Any] = {}
        self._timeline: Timeline | None = None
        self._room: str | None = None
        self._today = ""
        self._around: tuple[bool, bool, str] | None = None  #: the drawn state around the rows
        self._unread_line = UnreadLine()
        self._gaps: tuple[Gap, ...] = ()
        self._is_focused: bool = js.document.hasFocus()
        self._jump_unread = by_id("jump-unread")
        self._jumps_to: str | None = None  #: the message that gets the focus when it is drawn
        self._is_jumping = False
        self._focuses_last = False  #: the last message gets the focus when the end is drawn
        self._is_reading: bool | None = None  #: as the session was told last
        self._place: tuple[bool, bool] | None = None  #: the same
        self._first: str | None = None  #: the first message shown when earlier ones were asked for last
        listeners.on(by_id("jump-button"), "click", lambda _: self._jump())
        listeners.on(by_id("jump-unread-button"), "click", lambda _: self._jump_to_unread())
        for event in ("blur", "focus"):
            listeners.on(js.window, event, lambda _: self._focus_changed())
        listeners.on(self._list, "click", self._click)
        # Not at the next frame: what arrives meanwhile on a hidden page is not read.
        listeners.on(js.document, "visibilitychange", lambda _: self._tell_reading())
        self._tell_reading()

    def part(self, state: ChatState) -> object:
        """Return what the list and the lines around it show."""
        return (
            state.timeline,
            state.room_id,
            state.caught_up,
            state.loading_earlier,
            state.name,
            state.unread,
            state.first_unread,
            state.unread_from,
            state.gaps,
        )

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw the rows, then what depends on the scroll position."""
        if state.room_id != self._room:
            self._enter(state.room_id)
        self._gaps = self._shown_gaps(state)
        self._note_unread(state)
        self._draw_list(state)
        self._draw_jump(state)
        self._draw_jump_unread(state)
        if self._focuses_last and not state.timeline.has_later:
            self._focuses_last = False
            self._focus_last()
        self._tell_place()
        self._tell_reading()
        self._ask_for_more(state)
        return now + self._formats.seconds_to_midnight() if self._rows else None

    def close(self) -> None:
        """Stop observing."""
        self._scroller.close()
        self._long_messages.close()

    def focus_end(self) -> None:
        """Focus the newest message, after a jump to it if necessary."""
        if self._timeline is not None and self._timeline.has_later:
            self._focuses_last = True
            self._jump()
        else:
            self._focus_last()

    def _focus_last(self) -> None:
        (self._list.querySelector("article:last-of-type") or self._box).focus()

    # --- rows ---

    def _enter(self, room: str) -> None:
        self._room = room
        self._scroller.following = True
        self._place = None
        self._jumps_to = None
        self._first = None

    def _draw_list(self, state: ChatState) -> None:
        timeline, before = state.timeline, self._timeline
        self._scroller.note_scroll()
        has_jumped = self._is_jumping and not timeline.has_later
        if before is None or timeline.typed > before.typed or has_jumped:  # an own message is shown, too
            self._scroller.following = True
            self._is_jumping = False
        self._timeline = timeline
        entries = timeline.entries
        self._scroller.has_later = timeline.has_later
        rows = self._layout.rows(entries, self._unread_line.before, self._gaps)
        steps = plan(self._rows, rows)
        today = self._formats.today()
        around = (state.loading_earlier, not entries and state.caught_up, state.room_id)
        self._rename_days(today)
        if steps or around != self._around:
            anchor = self._scroller.anchor()
            self._draw_around(*around)
            self._apply(steps)
            self._long_messages.measure()
            self._scroller.restore(anchor)
            if not self._scroller.following and any(isinstance(step, Replace) for step in steps):
                self._scroller.to_top()  # of what comes after a gap
        self._rows = rows
        if timeline is not before:
            self._box.setAttribute("data-count", str(timeline.count))
            self._box.setAttribute("data-loaded", str(timeline.loaded))
            self._box.setAttribute("data-first-seq", _number(timeline.first_seq))
            self._box.setAttribute("data-last-seq", _number(timeline.last_seq))

    def _draw_around(self, loading: bool, empty: bool, room: str) -> None:
        if (loading, empty, room) != self._around:
            self._around = (loading, empty, room)
            self._earlier.hidden = not loading
            self._empty.hidden = not empty
            by_id("empty-words").textContent = self._texts("messages.empty", room=room)

    def _apply(self, steps: Sequence[Step]) -> None:
        had_focus = self._holds_focus()
        for step in steps:
            if isinstance(step, Insert):
                self._insert(step)
            elif isinstance(step, Move):
                self._move(self._elements[step.key], step.before)
            elif isinstance(step, Remove):
                self._elements.pop(step.key).remove()
            elif isinstance(step, Replace):
                self._elements = self._make(step.rows)
                self._list.replaceChildren(*self._elements.values())
            else:
                element = self._elements[step.old.key]
                self._elements[step.new.key] = self._factory.change(element, step.old, step.new, self._today)
        if had_focus and not self._holds_focus():
            self._box.focus(preventScroll=True)  # the window has moved away from the focused message

    def _insert(self, step: Insert) -> None:
        elements = self._make(step.rows)
        if step.before is None:
            self._list.append(*elements.values())
        else:
            self._elements[step.before].before(*elements.values())
        self._elements.update(elements)

    def _make(self, rows: Sequence[Row]) -> dict[str, Any]:
        return {row.key: self._factory.make(row, self._today) for row in rows}

    def _move(self, element: Any, before: str | None) -> None:
        """Move an element and keep its focus."""
        focused: Any = js.document.activeElement
        had_focus = element.contains(focused)
        self._list.insertBefore(element, None if before is None else self._elements[before])
        if had_focus:
            focused.focus(preventScroll=True)

    def _rename_days(self, today: str) -> None:
        """Write the names of days again after midnight."""
        if today == self._today:
            return
        self._today = today
        for row in self._rows:
            if isinstance(row, DayRow):
                self._factory.name_day(self._elements[row.key], row, today)

    def _holds_focus(self) -> bool:
        return bool(self._list.contains(js.document.activeElement))

    # --- the reader's place ---

    def _tell_reading(self) -> None:
        """Tell the session whether what arrives is read: at the end of the room, on a visible page."""
        is_reading = self._scroller.following and not js.document.hidden
        if is_reading is not self._is_reading:
            self._is_reading = is_reading
            self._actions.set_reading(is_reading)

    def _tell_place(self) -> None:
        """Tell the session what may be cut."""
        place = (self._scroller.following, self._holds_focus())
        if place != self._place:
            self._place = place
            self._actions.set_place(follows=place[0], holds_focus=place[1])

    def _note_unread(self, state: ChatState) -> None:
        is_away = js.document.hidden or not self._is_focused
        self._unread_line.update(state, self._gaps, is_away=is_away, has_seen_end=self._scroller.following)

    def _focus_changed(self) -> None:
        self._is_focused = js.document.hasFocus()
        self._scheduler.mark(self)

    def _draw_jump_unread(self, state: ChatState) -> None:
        """Offer the way to the first unread message while its line is out of sight above; go there if asked to."""
        key = self._unread_line.before
        if self._jumps_to is not None and self._jumps_to in self._elements:
            self._show_first(self._jumps_to)
            self._jumps_to = None
        line = self._elements.get(UNREAD_KEY) if key is not None else None
        if line:
            is_above = line.getBoundingClientRect().bottom <= self._box.getBoundingClientRect().top
        else:
            is_above = key is not None and state.timeline.has_earlier
        self._jump_unread.hidden = not is_above

    def _jump_to_unread(self) -> None:
        key = self._unread_line.before
        if key is not None and key in self._elements:
            self._show_first(key)
        elif key is not None:
            self._jumps_to = key
            self._scroller.following = False
            self._actions.show_from(key)
        self._scheduler.mark(self)

    def _show_first(self, key: str) -> None:
        """Scroll to a message, and focus it."""
        article = self._elements[key]
        self._scroller.following = False
        (self._elements.get(UNREAD_KEY) or article).scrollIntoView(block="start")
        article.focus(preventScroll=True)

    def _draw_jump(self, state: ChatState) -> None:
        following, new = self._scroller.following, state.unread
        if following and self._jump_box.contains(js.document.activeElement):
            self._focus_new(state)
        self._jump_box.hidden = following
        if not following:
            words = self._texts("messages.new", count=new) if new else self._texts("messages.latest")
            by_id("jump-words").textContent = by_id("jump-button").title = words
            by_id("jump-number").textContent = str(new) if new else ""

    def _jump(self) -> None:
        if self._timeline is not None and self._timeline.has_later:
            self._is_jumping = True  # until its end is drawn, whatever still scrolls
            self._actions.show_latest()
        else:
            self._scroller.to_end(smooth=True)
        self._scheduler.mark(self)

    def _focus_new(self, state: ChatState) -> None:
        """Focus the first new message, since the focused button disappears."""
        key = state.first_unread
        first = self._elements.get(key) if key else self._list.querySelector("article:last-of-type")
        (first or self._box).focus(preventScroll=True)

    def _ask_for_more(self, state: ChatState) -> None:
        """Ask for earlier messages near the beginning of the list, and for later ones near its end."""
        timeline = state.timeline
        first = timeline.entries[0].key if timeline.entries else None
        fits = self._scroller.fits()
        if fits and len(timeline.entries) >= MAX_ROWS:
            return
        if not self._scroller.near_top and not fits:
            self._first = None
            # Over a gap only from its very edge: the next rows take the place of all that are shown.
            is_near = self._scroller.at_end if timeline.is_before_gap else self._scroller.near_end
            if timeline.has_later and is_near:
                self._actions.show_later()
        elif timeline.has_earlier and first != self._first and not state.loading_earlier:
            self._first = first
            self._actions.show_earlier()

    def _click(self, event: js.Event) -> None:
        button = event.target.closest("[data-action]")
        if not button:
            return
        article = button.closest("article")
        client_message_id = str(article.getAttribute("data-client-message-id"))
        action = button.getAttribute("data-action")
        if action == "unfold":
            self._scroller.following = False  # do not scroll to its end
            self._long_messages.expand(article)
            self._scheduler.mark(self)
            return
        if action == "retry":
            self._actions.retry(client_message_id)
            return
        if article.contains(js.document.activeElement):  # the focused message disappears
            (_neighbour(article) or self._box).focus()
        self._actions.discard(client_message_id)


def _neighbour(article: Any) -> Any:
    for sibling in ("nextElementSibling", "previousElementSibling"):
        element = getattr(article, sibling)
        while element and not element.matches("article"):
            element = getattr(element, sibling)
        if element:
            return element
    return None


def _number(seq: int | None) -> str:
    return "" if seq is None else str(seq)
