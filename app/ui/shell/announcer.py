"""Announcements for screen readers: few, delayed, and never own messages."""

from __future__ import annotations

from dataclasses import dataclass

from chat.protocol import Message
from ui.kit.texts import Texts
from ui.shell.new_messages import New

MESSAGES_EVERY = 1.0  #: seconds between two announcements of messages
STATUS_EVERY = 5.0  #: seconds between two announcements of the connection
KEPT_FOR = 7.0  #: seconds that an announcement stays in the page, so that a busy screen reader can read it
_SEVERAL = 2
_ZERO_WIDTH = "\u200b"  # screen readers skip a repeated text


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement. ``at_once``: it interrupts."""

    text: str
    at_once: bool = False


class Announcer:
    """Combines events into few announcements."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._messages: list[Message] = []
        self._count = 0  # of messages; those that are missing in the list are unknown
        self._messages_at = float("-inf")
        self._unsent: tuple[str, int] = ("", 0)
        self._unsent_announced: tuple[str, int] = ("", 0)
        self._room: tuple[str, int] | None = None
        self._status = ""
        self._status_announced = ""
        self._status_at_once = False
        self._status_at = float("-inf")
        self._last = ""

    def add_messages(self, new: New) -> None:
        """Add new messages of others."""
        self._messages.extend(new.latest)
        self._count += new.count

    def set_unsent(self, room_id: str, count: int) -> None:
        """Set the number of failed messages in the shown room. The first is announced, and the second."""
        self._unsent = (room_id, count)
        announced_room, announced = self._unsent_announced
        self._unsent_announced = (room_id, min(announced, count) if announced_room == room_id else 0)

    def enter_room(self, room_id: str, unread: int) -> None:
        """Add that another room is shown, which had so many unread messages."""
        self._room = (room_id, unread)

    def set_status(self, words: str, *, at_once: bool = False) -> None:
        """Set the text of the connection's state; empty: none."""
        self._status, self._status_at_once = words, at_once

    def due(self, now: float) -> list[Announcement]:
        """Return the announcements to make now."""
        announcements: list[Announcement] = []
        if self._room is not None:
            room_id, unread = self._room
            self._room = None
            key = "announce.room_unread" if unread else "announce.room"
            announcements.append(self._announcement(self._texts(key, room=room_id, count=unread)))
        if not self._status:
            self._status_announced = ""
        elif self._status != self._status_announced and now >= self._status_due():
            self._status_announced, self._status_at = self._status, now
            announcements.append(self._announcement(self._status, self._status_at_once))
        if self._has_unsent_news() and now >= self._messages_at + MESSAGES_EVERY:
            self._messages_at, self._unsent_announced = now, self._unsent
            announcements.append(self._announcement(self._texts("unsent.words", count=self._unsent[1])))
        if self._count and now >= self._messages_at + MESSAGES_EVERY:
            self._messages_at = now
            announcements.append(self._announcement(self._about_messages()))
            self._messages.clear()
            self._count = 0
        return announcements

    def next_due(self) -> float | None:
        """Return when the next announcement is due, without further events."""
        times = []
        if self._status and self._status != self._status_announced:
            times.append(self._status_due())
        if self._count or self._has_unsent_news():
            times.append(self._messages_at + MESSAGES_EVERY)
        return min(times, default=None)

    def _has_unsent_news(self) -> bool:
        return min(self._unsent[1], _SEVERAL) > self._unsent_announced[1]

    def _status_due(self) -> float:
        return float("-inf") if self._status_at_once else self._status_at + STATUS_EVERY

    def _about_messages(self) -> str:
        names = {message.sender_name for message in self._messages}
        if self._count == 1:
            (message,) = self._messages
            if message.deleted:
                return self._texts("message.deleted")
            return self._texts("announce.message", name=message.sender_name, text=message.content[:200])
        if len(names) == 1 and len(self._messages) == self._count:
            return self._texts("announce.messages_from", count=self._count, name=names.pop())
        return self._texts("announce.messages", count=self._count)

    def _announcement(self, text: str, at_once: bool = False) -> Announcement:
        if text == self._last:
            text += _ZERO_WIDTH
        self._last = text
        return Announcement(text, at_once)
