"""Notices, each in its place, until they are dismissed."""

from __future__ import annotations

from chat.store import ChatState, NoticeKind
from ui.actions import Actions
from ui.kit.dom import Listeners, by_id
from ui.kit.texts import Texts
from ui.messages.failures import notice_text

# Refusals are shown at their field, other notices above the room.
_PLACES = {
    NoticeKind.MESSAGE_REFUSED: "composer-problem",
    NoticeKind.OUTBOX_FULL: "composer-problem",
    NoticeKind.TEXT_TOO_LONG: "composer-problem",
    NoticeKind.DRAFT_CUT: "composer-problem",
    NoticeKind.NAME_REFUSED: "join-problem",
    NoticeKind.RENAME_REFUSED: "rename-problem",
}
_ELSEWHERE = "notice-text"


class NoticeView:
    """Shows the current notice."""

    def __init__(self, actions: Actions, texts: Texts, listeners: Listeners) -> None:
        self._texts = texts
        self._place = ""
        self._dismiss = by_id("notice-dismiss")
        listeners.on(self._dismiss, "click", lambda _: actions.dismiss_notice())

    def part(self, state: ChatState) -> object:
        """Return the notice."""
        return state.notice

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw the notice in its place."""
        notice = state.notice
        place = "" if notice is None else _PLACES.get(notice.kind, _ELSEWHERE)
        if self._place and self._place != place:
            by_id(self._place).textContent = ""
        self._place = place
        self._dismiss.hidden = place != _ELSEWHERE
        if notice is not None:
            by_id(place).textContent = notice_text(notice, self._texts)
        return None
