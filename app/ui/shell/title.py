"""The title of the tab."""

from __future__ import annotations

from chat.store import ChatState

BRAND = "Kizuna"


def page_title(room: str | None, unread: int, trouble: str) -> str:
    """Return the title, with the unread count first, where a narrow tab shows it. ``trouble``: a text, or empty."""
    words = [trouble, f"#{room}" if room else "", BRAND]
    title = " · ".join(word for word in words if word)
    return f"({unread}) {title}" if unread else title


class UnseenCounter:
    """Counts messages that arrived while the page was hidden, in the shown room and in all others."""

    def __init__(self) -> None:
        self._new_messages = 0
        self._unread: dict[str, int] = {}

    def mark_seen(self, state: ChatState, arrivals: int) -> None:
        """Mark everything as seen. ``arrivals``: the total of the shown room."""
        self._new_messages = arrivals
        self._unread = {room.room_id: room.unread for room in state.rooms}

    def count(self, state: ChatState, arrivals: int) -> int:
        """Return how many arrived since mark_seen()."""
        elsewhere = (
            max(0, room.unread - self._unread.get(room.room_id, 0))
            for room in state.rooms
            if room.room_id != state.room_id
        )
        return arrivals - self._new_messages + sum(elsewhere)
