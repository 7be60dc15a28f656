"""The article's rule for messages without a number: which of them are repeats."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

from chat.protocol import Message
from chat.timeline import client_key

#: Same sender and same content, less than so many milliseconds apart: one message.
SAME_WORDS_WITHIN_MS = 5_000
#: Repeats come within seconds; so many messages are minutes even in the busiest room.
MAX_RECENT = 10_000


class RecentMessages:
    """The last MAX_RECENT messages without a ``seq``: their ids, and who said what when."""

    def __init__(self) -> None:
        self._order: deque[Message] = deque()
        self._ids: dict[str, int] = {}  # how many messages have this id or key
        self._said: dict[tuple[str, str], list[int]] = {}  # timestamps by sender and content, ascending

    def is_known(self, message: Message) -> bool:
        """Return whether ``message`` has a known id of the server or of its client."""
        return message.message_id in self._ids or (
            message.client_message_id is not None
            and client_key(message.sender_id, message.client_message_id) in self._ids
        )

    def is_repeat(self, message: Message) -> bool:
        """Return whether its sender said the same less than SAME_WORDS_WITHIN_MS before or after."""
        times = self._said.get((message.sender_id, message.content), ())
        at = bisect_left(times, message.timestamp)
        return any(
            abs(time - message.timestamp) < SAME_WORDS_WITHIN_MS for time in times[max(0, at - 1) : at + 1]
        )

    def add(self, message: Message) -> None:
        """Remember ``message``, and forget the oldest one if there are too many."""
        self._order.append(message)
        for key in _keys(message):
            self._ids[key] = self._ids.get(key, 0) + 1
        insort(self._said.setdefault((message.sender_id, message.content), []), message.timestamp)
        if len(self._order) > MAX_RECENT:
            self._forget(self._order.popleft())

    def _forget(self, message: Message) -> None:
        for key in _keys(message):
            self._ids[key] -= 1
            if not self._ids[key]:
                del self._ids[key]
        words = (message.sender_id, message.content)
        times = self._said[words]
        del times[bisect_left(times, message.timestamp)]
        if not times:
            del self._said[words]


def _keys(message: Message) -> tuple[str, ...]:
    if message.client_message_id is None:
        return (message.message_id,)
    return (message.message_id, client_key(message.sender_id, message.client_message_id))
