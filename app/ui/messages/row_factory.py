"""Elements for the rows of the list."""

from __future__ import annotations

from typing import Any

import js
from pyodide.ffi import JsException

from chat.timeline import Delivery, Entry, Gap
from ui.kit.dom import Template, icon, part
from ui.kit.formats import Formats
from ui.kit.texts import Texts
from ui.messages.avatars import hue, initial
from ui.messages.code import Kind, Span, spans
from ui.messages.emoji import is_emoji_only
from ui.messages.failures import failure_text
from ui.messages.links import Piece, pieces
from ui.messages.long_messages import LongMessages, may_be_long
from ui.messages.rows import DayRow, GapRow, MessageRow, Row

_ICONS = {Delivery.SENT: "sent", Delivery.FAILED: "failed"}
_WAITING_ICON = "waiting"
_FIRST_EMOJI = "\u2000"  # those before it are keycaps: digits
_ON_ITS_WAY = (Delivery.QUEUED, Delivery.SENDING)
#: Parts that a stored message has no use for.
_PARTS_BEFORE_STORED = ("withdraw", "failure")
#: Prepared elements: one for each sender that is on the page, and some that were.
_MAX_PREPARED = 200


class RowFactory:
    """Creates and changes rows. Text of people is inserted as text, never as HTML."""

    def __init__(self, texts: Texts, formats: Formats, long_messages: LongMessages) -> None:
        self._texts = texts
        self._formats = formats
        self._long_messages = long_messages
        self._message = Template("template-message", texts)
        self._day = Template("template-day", texts)
        self._unread = Template("template-unread", texts)
        self._gap = Template("template-gap", texts)
        self._prepared: dict[tuple[str, str, bool], Any] = {}

    def make(self, row: Row, today: str) -> Any:
        """Return a new element for ``row``."""
        if isinstance(row, MessageRow):
            return self._make_message(row)
        if isinstance(row, DayRow):
            element = self._day.make()
            self.name_day(element, row, today)
            return element
        if isinstance(row, GapRow):
            element = self._gap.make()
            part(element, "gap").textContent = self._gap_words(row.gap)
            return element
        return self._unread.make()

    def change(self, element: Any, old: Row, new: Row, today: str) -> Any:
        """Let ``element`` show ``new``, changing only what differs from ``old``. Return the element that shows it."""
        if isinstance(old, MessageRow) and isinstance(new, MessageRow):
            if new.entry.own is not old.entry.own:  # a message of another person has fewer parts
                fresh = self._make_message(new)
                element.replaceWith(fresh)
                return fresh
            if new.continues != old.continues:
                element.toggleAttribute("data-continues", new.continues)
            if new.entry is not old.entry:
                self._change_message(element, old.entry, new.entry)
        elif isinstance(new, DayRow):
            self.name_day(element, new, today)
        return element

    def name_day(self, element: Any, row: DayRow, today: str) -> None:
        """Write the day's text, which changes at midnight."""
        day = part(element, "day")
        day.setAttribute("datetime", row.day)
        day.textContent = self._formats.day_words(row.timestamp, today)

    def _gap_words(self, gap: Gap) -> str:
        since, until = self._formats.time(gap.since), self._formats.time(gap.until or gap.since)
        if since == until:
            return self._texts("messages.gap_at", time=since)
        return self._texts("messages.gap", since=since, until=until)

    def _make_message(self, row: MessageRow) -> Any:
        entry = row.entry
        is_stored = entry.message_id is not None
        element = self._prepare(entry).cloneNode(True) if is_stored else self._make_common(entry)
        if row.continues:
            element.setAttribute("data-continues", "")
        element.setAttribute("data-client-message-id", entry.client_message_id or "")
        self._draw_ids(element, entry)
        self._draw_time(element, entry)
        self._draw_content(element, entry)
        return element

    def _prepare(self, entry: Entry) -> Any:
        """Return an element with all that stored messages of this sender have in common."""
        sender = (entry.sender_id, entry.sender_name, entry.own)
        element = self._prepared.get(sender)
        if element is None:
            if len(self._prepared) == _MAX_PREPARED:
                self._prepared.clear()
            element = self._prepared[sender] = self._make_common(entry)
            for name in _PARTS_BEFORE_STORED if entry.own else (*_PARTS_BEFORE_STORED, "delivery"):
                part(element, name).remove()
        return element

    def _make_common(self, entry: Entry) -> Any:
        element = self._message.make()
        element.setAttribute("data-hue", hue(entry.sender_id))
        element.toggleAttribute("data-own", entry.own)
        part(element, "avatar").textContent = initial(entry.sender_name)
        self._draw_sender(element, entry)
        self._draw_delivery(element, entry)
        return element

    def _change_message(self, element: Any, old: Entry, new: Entry) -> None:
        if old.sender_name != new.sender_name:
            self._draw_sender(element, new)
        if (old.message_id, old.seq) != (new.message_id, new.seq):
            self._draw_ids(element, new)
        if (old.timestamp, old.sender_name) != (new.timestamp, new.sender_name):
            self._draw_time(element, new)
        if (old.content, old.deleted) != (new.content, new.deleted):
            self._draw_content(element, new)
        if (old.state, old.failure) != (new.state, new.failure):
            self._draw_delivery(element, new)

    def _draw_sender(self, element: Any, entry: Entry) -> None:
        part(element, "sender").textContent = entry.sender_name

    def _draw_ids(self, element: Any, entry: Entry) -> None:
        element.setAttribute("data-message-id", entry.message_id or "")
        element.setAttribute("data-seq", "" if entry.seq is None else str(entry.seq))

    def _draw_time(self, element: Any, entry: Entry) -> None:
        time, moment = part(element, "time"), self._formats.moment(entry.timestamp)
        time.setAttribute("datetime", moment.iso)
        time.title = moment.full
        time.textContent = moment.time
        element.setAttribute(
            "aria-label", self._texts("message.name", name=entry.sender_name, time=moment.time)
        )

    def _draw_content(self, element: Any, entry: Entry) -> None:
        content = part(element, "content")
        if entry.deleted:
            element.setAttribute("data-deleted", "")  # for good
            content.textContent = self._texts("message.deleted")
            return
        text = entry.content
        if "`" in text:
            content.replaceChildren(*[node for span in spans(text) for node in self._nodes(span)])
        else:
            found = pieces(text)
            if len(found) == 1 and found[0].link is None:
                content.textContent = text
                if text[:1] > _FIRST_EMOJI and is_emoji_only(text):
                    element.setAttribute("data-emoji", "")
            else:
                content.replaceChildren(*map(_node, found))
        if may_be_long(entry.content):
            self._long_messages.observe(content)

    def _nodes(self, span: Span) -> list[Any]:
        if span.kind is Kind.TEXT:
            return list(map(_node, pieces(span.text)))
        code = js.document.createElement("code")
        code.setAttribute("translate", "no")
        code.textContent = span.text
        if span.kind is Kind.INLINE:
            return [code]
        block = js.document.createElement("pre")
        block.setAttribute("role", "group")
        block.setAttribute("aria-label", self._texts("message.code"))
        block.append(code)
        self._long_messages.observe_block(block)
        return [block]

    def _draw_delivery(self, element: Any, entry: Entry) -> None:
        element.setAttribute("data-state", entry.state)
        if not entry.own:
            return
        icon(part(element, "delivery-icon"), _ICONS.get(entry.state, _WAITING_ICON))
        part(element, "delivery-words").textContent = self._texts(f"delivery.{entry.state}")
        self._show(element, "failure", entry.state is Delivery.FAILED)
        self._show(element, "withdraw", entry.state in _ON_ITS_WAY)
        if entry.state is Delivery.FAILED:
            part(element, "failure-words").textContent = failure_text(entry.failure, self._texts)

    def _show(self, element: Any, name: str, shown: bool) -> None:
        """Show or hide a part; if it had the focus, its message gets it."""
        found = part(element, name)
        had_focus = not shown and found.contains(js.document.activeElement)
        found.hidden = not shown
        if had_focus:
            element.focus()


def _node(piece: Piece) -> Any:
    link = _link(piece.link, piece.text) if piece.link is not None else None
    return js.document.createTextNode(piece.text) if link is None else link


def _link(address: str, text: str) -> Any:
    """Return a link, or None if the browser rejects the address: a bad port, an incomplete IPv6 address."""
    try:
        url = js.URL.new(address)
    except JsException:
        return None
    link = js.document.createElement("a")
    link.setAttribute("href", address)  # http, https or mailto, see ui/messages/links.py
    link.setAttribute("rel", "noopener noreferrer nofollow")
    link.setAttribute("target", "_blank")
    link.setAttribute("data-roving", "")  # a stop of Tab in the focused message only
    link.tabIndex = -1
    link.setAttribute("dir", "ltr")  # also isolates its direction from the text around
    link.title = url.href  # the real address, in ASCII
    link.textContent = text
    return link
