"""Which notifications a hidden page gives: those about new messages, if the person has chosen so."""

from __future__ import annotations

from dataclasses import dataclass

from chat.preferences import NOTIFY_TEXT
from chat.protocol import Message
from chat.store import ChatState
from ui.kit.texts import Texts
from ui.shell.new_messages import NewMessages

_MAX_TEXT = 200  # characters


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification. A later one of the same room replaces it."""

    room_id: str
    text: str

    @property
    def title(self) -> str:
        """The room, as its title."""
        return f"#{self.room_id}"


class Notifier:
    """Compares each state with the last one."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._new_messages = NewMessages()
        self._unread: dict[str, int] = {}
        self._is_ready = (
            False  #: the person has joined and caught up once: what is unread from then on is new
        )

    def update(self, state: ChatState, choice: str, *, hidden: bool) -> list[Notification]:
        """Return the notifications to give now. ``choice``: the preference, empty for none."""
        new = self._new_messages.update(state)
        before, self._unread = self._unread, {room.room_id: room.unread for room in state.rooms}
        was_ready, self._is_ready = self._is_ready, self._is_ready and state.name is not None
        if not was_ready:
            self._is_ready = state.name is not None and state.caught_up
            return []
        if not hidden or not choice:
            return []
        grown = {room: count - before.get(room, 0) for room, count in self._unread.items()}
        return [
            Notification(room, self._text(count, new.latest if room == state.room_id else (), choice))
            for room, count in grown.items()
            if count > 0
        ]

    def _text(self, count: int, messages: tuple[Message, ...], choice: str) -> str:
        """Return what is told of new messages: those of a room that is not shown are only counted."""
        names = {message.sender_name for message in messages}
        if len(names) != 1 or len(messages) != count:
            return self._texts("announce.messages", count=count)
        if count == 1 and choice == NOTIFY_TEXT and not messages[0].deleted:
            text = messages[0].content[:_MAX_TEXT]
            return self._texts("announce.message", name=messages[0].sender_name, text=text)
        return self._texts("announce.messages_from", count=count, name=names.pop())
