"""Who else is here, and who is writing: soft state, never kept, forgotten with the link."""

from __future__ import annotations

from collections.abc import Callable

from chat.protocol import Message, Presence, Typing, TypingNotice, UpFrame
from kizuna.platform import Platform, TimerHandle

#: Seconds between two notices of one's own that one is writing.
TYPING_INTERVAL = 3.0
#: Seconds that somebody counts as writing after their last notice: two intervals, so that one lost notice shows not.
TYPING_LASTS = 2 * TYPING_INTERVAL
#: More than the page ever names; a crowd that writes costs no more than these.
MAX_TYPING_USERS = 20


class PresenceTracker:
    """Responsible for the other people in each room. ``send`` sends a frame if there is a link; ``changed`` is called
    when somebody begins or ceases to write, comes or goes."""

    def __init__(
        self, platform: Platform, send: Callable[[UpFrame], None], changed: Callable[[], None]
    ) -> None:
        self._platform = platform
        self._send = send
        self._changed = changed
        self._counts: dict[str, int] = {}
        self._more: set[str] = set()
        self._typing: dict[str, dict[str, tuple[str, float]]] = {}  # by room and user id: name, until when
        self._timer: TimerHandle | None = None
        self._notified_at: dict[str, float] = {}

    def count(self, room_id: str) -> int | None:
        """How many people are in the room; None: the server has not said."""
        return self._counts.get(room_id)

    def has_more(self, room_id: str) -> bool:
        """Whether the count says only how many people there are at least."""
        return room_id in self._more

    def typing_users(self, room_id: str) -> tuple[str, ...]:
        """The names of those who are writing in the room, who began first at the front."""
        return tuple(name for name, _ in self._typing.get(room_id, {}).values())

    def on_presence(self, presence: Presence) -> None:
        """The server says who is here."""
        self._counts[presence.room_id] = presence.count
        (self._more.add if presence.more else self._more.discard)(presence.room_id)
        self._changed()

    def on_typing(self, notice: TypingNotice, me: str | None) -> None:
        """Somebody is writing; what I write in another tab I know."""
        if notice.sender_id == me:
            return
        typing = self._typing.setdefault(notice.room_id, {})
        if notice.sender_id not in typing and len(typing) >= MAX_TYPING_USERS:
            return
        typing[notice.sender_id] = (notice.sender_name, self._now() + TYPING_LASTS)
        if self._timer is None:
            self._arm()
        self._changed()

    def on_message(self, message: Message) -> None:
        """Who has said it writes no longer."""
        if self._typing.get(message.room_id, {}).pop(message.sender_id, None) is not None:
            self._changed()

    def notify_typing(self, room_id: str) -> None:
        """I am writing: the others hear it now and then."""
        notified_at = self._notified_at.get(room_id)
        if notified_at is None or self._now() - notified_at >= TYPING_INTERVAL:
            self._notified_at[room_id] = self._now()
            self._send(Typing(room_id=room_id))

    def reset_typing(self, room_id: str) -> None:
        """I have said it: what I write next is news again."""
        self._notified_at.pop(room_id, None)

    def forget(self, room_id: str) -> None:
        """The room was left."""
        self._counts.pop(room_id, None)
        self._more.discard(room_id)
        self._typing.pop(room_id, None)

    def link_lost(self) -> None:
        """Nobody tells any more."""
        self._counts.clear()
        self._more.clear()
        self._typing.clear()
        self._notified_at.clear()
        self._disarm()

    def _now(self) -> float:
        return self._platform.now().monotonic

    def _arm(self) -> None:
        self._disarm()
        ends = [until for typing in self._typing.values() for _, until in typing.values()]
        if ends:
            self._timer = self._platform.call_at(min(ends), self._expire)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        for room_id, typing in self._typing.items():
            self._typing[room_id] = {who: said for who, said in typing.items() if said[1] > self._now()}
        self._arm()
        self._changed()
