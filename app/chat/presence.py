"""Presence and typing in each room: soft state, dropped when the link is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from chat.protocol import Message, Presence, TypingNotice
from kizuna import Platform, TimerHandle
from kizuna.delivery import Changes, Later

#: Seconds between two typing notifications of this page.
TYPING_INTERVAL = 3.0
#: Seconds that a person counts as typing after a notification.
#: Two intervals, so that one lost notification is not visible.
TYPING_LASTS = 2 * TYPING_INTERVAL
#: More than the page ever names; bounds the work for a large room.
MAX_TYPING_USERS = 20


class RoomPresence(NamedTuple):
    """The other people in a room."""

    present: int | None  #: people in the room; None: unknown
    present_or_more: bool  #: there may be more people than that
    typing: tuple[str, ...]  #: names of those who are typing, in the order in which they began


class PresenceTracker:
    """The other people in each room. ``send`` sends an action with its data if there is a link."""

    def __init__(
        self, platform: Platform, later: Later, send: Callable[[str, Mapping[str, Any]], None]
    ) -> None:
        self._platform = platform
        self._later = later
        self._send = send
        self._counts: dict[str, int] = {}
        self._more: set[str] = set()
        self._typing: dict[str, dict[str, tuple[str, float]]] = {}  # by room and user id: name, until when
        self._timer: TimerHandle | None = None
        self._notified_at: dict[str, float] = {}

    def of_room(self, room_id: str) -> RoomPresence:
        """Return what is known of the room."""
        typing = self._typing.get(room_id)
        return RoomPresence(
            present=self._counts.get(room_id),
            present_or_more=room_id in self._more,
            typing=tuple([name for name, _ in typing.values()]) if typing else (),
        )

    def on_presence(self, presence: Presence) -> None:
        """Set the count of a room."""
        self._counts[presence.room_id] = presence.count
        (self._more.add if presence.more else self._more.discard)(presence.room_id)

    def on_typing(self, notice: TypingNotice, me: str | None) -> None:
        """Note that somebody else is typing. Notifications of the person's other tabs are ignored."""
        if notice.sender_id == me:
            return
        typing = self._typing.setdefault(notice.room_id, {})
        if notice.sender_id not in typing and len(typing) >= MAX_TYPING_USERS:
            return
        typing[notice.sender_id] = (notice.sender_name, self._now() + TYPING_LASTS)
        if self._timer is None:
            self._arm()

    def on_message(self, message: Message) -> None:
        """The sender of a message is no longer typing."""
        self._typing.get(message.room_id, {}).pop(message.sender_id, None)

    def notify_typing(self, room_id: str) -> None:
        """Notify the others that the person is typing, once in TYPING_INTERVAL."""
        notified_at = self._notified_at.get(room_id)
        if notified_at is None or self._now() - notified_at >= TYPING_INTERVAL:
            self._notified_at[room_id] = self._now()
            self._send("typing", {"roomId": room_id})

    def reset_typing(self, room_id: str) -> None:
        """Reset the typing throttle after a message was sent."""
        self._notified_at.pop(room_id, None)

    def forget(self, room_id: str) -> None:
        """Drop a room that was left."""
        self._counts.pop(room_id, None)
        self._more.discard(room_id)
        self._typing.pop(room_id, None)

    def link_lost(self) -> None:
        """The link is lost: presence is unknown."""
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
            self._timer = self._later.call_at(min(ends), self._expire)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> Changes:
        self._timer = None
        for room_id, typing in self._typing.items():
            self._typing[room_id] = {who: said for who, said in typing.items() if said[1] > self._now()}
        self._arm()
        return []
