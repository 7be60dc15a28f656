"""What a screen reader says, and when: little, late enough to be true, and never one's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.timeline import Entry
from ui.kit.texts import Texts

MESSAGES_EVERY = 1.0  #: seconds between two announcements of messages
STATUS_EVERY = 5.0  #: seconds between two announcements of the connection
KEPT_FOR = 7.0  #: seconds that an announcement stays in the page: removed sooner, a busy reader would lose it
_SEVERAL = 2
_ZERO_WIDTH = "\u200b"  # readers skip a text that equals the one before


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something to say."""

    text: str
    at_once: bool = False


class Announcer:
    """Responsible for batching what happens into few announcements."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._heard: list[Entry] = []
        self._messages_at = float("-inf")
        self._unsent: tuple[str, int] = ("", 0)
        self._unsent_said: tuple[str, int] = ("", 0)
        self._status = ""
        self._status_said = ""
        self._status_at_once = False
        self._status_at = float("-inf")
        self._last = ""

    def hear(self, entries: Sequence[Entry]) -> None:
        """Messages of others arrived."""
        self._heard.extend(entries)

    def unsent(self, room_id: str, count: int) -> None:
        """So many own messages of the room shown were not sent. The first is told, and that they are several."""
        self._unsent = (room_id, count)
        said_of, said = self._unsent_said
        self._unsent_said = (room_id, min(said, count) if said_of == room_id else 0)

    def status(self, words: str, *, at_once: bool = False) -> None:
        """The connection is now told as ``words``; empty: nothing is worth telling."""
        self._status, self._status_at_once = words, at_once

    def due(self, now: float) -> list[Utterance]:
        """What is to be said now."""
        spoken: list[Utterance] = []
        if not self._status:
            self._status_said = ""
        elif self._status != self._status_said and now >= self._status_due():
            self._status_said, self._status_at = self._status, now
            spoken.append(self._say(self._status, self._status_at_once))
        if self._tells_unsent() and now >= self._messages_at + MESSAGES_EVERY:
            self._messages_at, self._unsent_said = now, self._unsent
            spoken.append(self._say(self._texts("unsent.words", count=self._unsent[1])))
        if self._heard and now >= self._messages_at + MESSAGES_EVERY:
            self._messages_at = now
            spoken.append(self._say(self._about_messages()))
            self._heard.clear()
        return spoken

    def next_due(self) -> float | None:
        """When there will be something to say, if nothing else happens."""
        times = []
        if self._status and self._status != self._status_said:
            times.append(self._status_due())
        if self._heard or self._tells_unsent():
            times.append(self._messages_at + MESSAGES_EVERY)
        return min(times, default=None)

    def _tells_unsent(self) -> bool:
        return min(self._unsent[1], _SEVERAL) > self._unsent_said[1]

    def _status_due(self) -> float:
        return float("-inf") if self._status_at_once else self._status_at + STATUS_EVERY

    def _about_messages(self) -> str:
        names = {entry.sender_name for entry in self._heard}
        count = len(self._heard)
        if count == 1:
            (entry,) = self._heard
            if entry.deleted:
                return self._texts("message.deleted")
            return self._texts("announce.message", name=entry.sender_name, text=entry.content[:200])
        if len(names) == 1:
            return self._texts("announce.messages_from", count=count, name=names.pop())
        return self._texts("announce.messages", count=count)

    def _say(self, text: str, at_once: bool = False) -> Utterance:
        if text == self._last:
            text += _ZERO_WIDTH
        self._last = text
        return Utterance(text, at_once)
