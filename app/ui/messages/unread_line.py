"""The line before the first unread message: where it stands, and until when."""

from __future__ import annotations

from chat.room_log import key_of
from chat.store import ChatState
from chat.timeline import Gap


class UnreadLine:
    """The place of the line. It comes with what was unread when the room was entered or the page opened, with what
    arrives while nobody looks at the window, and with what an outage held back. It goes once the person has answered,
    or has seen the end and looks away."""

    def __init__(self) -> None:
        self.before: str | None = None  #: the key of the message below it
        self._room: str | None = None
        self._entered_with: str | None = None
        self._arrivals = 0
        self._typed = 0
        self._was_away = False
        self._gaps: tuple[Gap, ...] = ()

    def update(
        self, state: ChatState, gaps: tuple[Gap, ...], *, is_away: bool, has_seen_end: bool
    ) -> str | None:
        """Apply ``state`` and return ``before``. ``gaps``: those that are shown; ``is_away``: the window is hidden or
        without focus; ``has_seen_end``: the list follows its end."""
        timeline, before = state.timeline, self._arrivals
        arrivals, self._arrivals = timeline.arrivals, timeline.arrivals
        if state.room_id != self._room:
            self._room, self.before, self._entered_with, self._gaps = state.room_id, None, None, gaps
            self._typed, before = timeline.typed, arrivals
        if timeline.typed > self._typed or (is_away and not self._was_away and has_seen_end):
            self.before = None
        self._typed, self._was_away = timeline.typed, is_away
        if state.unread_from != self._entered_with:
            self._entered_with = self.before = state.unread_from
        if self.before is None and gaps != self._gaps:
            self.before = _first_after(gaps, state)
        self._gaps = gaps
        if self.before is None and is_away:
            new = timeline.latest[max(0, len(timeline.latest) - (arrivals - before)) :]
            self.before = state.first_unread or (key_of(new[0]) if arrivals > before and new else None)
        return self.before


def _first_after(gaps: tuple[Gap, ...], state: ChatState) -> str | None:
    """Return the first message of another person after the last gap; None for none."""
    entries = state.timeline.confirmed
    after = gaps[-1].after if gaps else None
    at = next((at for at, entry in enumerate(entries) if entry.key == after), len(entries))
    return next((entry.key for entry in entries[at + 1 :] if not entry.own), None)
