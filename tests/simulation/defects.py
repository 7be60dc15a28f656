"""Defects for one part of the code each, which the chat machine has to find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.messaging.message_log import Appended, Rooms, Sender
from chat.protocol import SendMessage
from chat.room_log import RoomLog
from kizuna.delivery.catch_up import CatchUp
from kizuna.delivery.outbox import Outbox
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.delivery.pending_message import PendingMessage
from kizuna.delivery.sequence import Sequence

Defect = Callable[[pytest.MonkeyPatch], None]


def shows_whatever_comes(patch: pytest.MonkeyPatch) -> None:
    """The sequence returns every item at once, duplicates too."""

    def offer(self: Sequence[Any], number: int, item: Any) -> list[Any]:
        self.watermark = max(self.watermark, number)
        return [item]

    patch.setattr(Sequence, "offer", offer)


def recognises_nothing(patch: pytest.MonkeyPatch) -> None:
    """Neither the sequence nor the log drops duplicates."""
    offer = Sequence.offer

    def trusting(self: Sequence[Any], number: int, item: Any) -> list[Any]:
        return [item] if number <= self.watermark else offer(self, number, item)

    patch.setattr(Sequence, "offer", trusting)
    patch.setattr(RoomLog, "is_known", lambda self, message: False)


def never_sends_again(patch: pytest.MonkeyPatch) -> None:
    """A message is sent once, even if the link is lost."""
    take_due = Outbox.take_due

    def once(self: Outbox, now: float) -> list[PendingMessage]:
        return [pending for pending in take_due(self, now) if pending.tries == 1]

    patch.setattr(Outbox, "take_due", once)
    patch.setattr(Outbox, "link_lost", lambda self: [])


def sends_all_at_once(patch: pytest.MonkeyPatch) -> None:
    """A message does not wait for the acknowledgement of the one before."""
    patch.setattr(Outbox, "_heads", lambda self: list(self._messages.values()))


def warns_of_nothing(patch: pytest.MonkeyPatch) -> None:
    """A discarded message is never reported as possibly sent."""
    patch.setattr("kizuna.delivery.sender._may_have_arrived", lambda row: False)


def sends_under_a_new_id(patch: pytest.MonkeyPatch) -> None:
    """The server takes a retry for a new message."""
    append = Rooms.append

    def forgetful(self: Rooms, sender: Sender, frame: SendMessage) -> Appended:
        self._store.delete(f"DEDUPE#{sender.user_id}", frame.client_message_id)
        return append(self, sender, frame)

    patch.setattr(Rooms, "append", forgetful)


def never_asks_for_what_is_missing(patch: pytest.MonkeyPatch) -> None:
    """Gaps are not closed."""
    patch.setattr(CatchUp, "_close_gaps", lambda self: [])


def ignores_heads(patch: pytest.MonkeyPatch) -> None:
    """Heads in pongs are ignored, so a quiet room's last message may be missed."""
    patch.setattr(CatchUp, "on_heads", lambda self, heads: None)


def keeps_nothing(patch: pytest.MonkeyPatch) -> None:
    """Pending messages are not stored."""

    async def save(self: OutboxStorage, person: str, row: PendingMessage) -> None: ...

    patch.setattr(OutboxStorage, "save", save)


def keeps_no_draft(patch: pytest.MonkeyPatch) -> None:
    """A message whose row is not committed is nowhere."""
    patch.setattr(OutboxStorage, "keep_draft", lambda self, person, row: None)


def adopts_nothing(patch: pytest.MonkeyPatch) -> None:
    """A closed page's rows are not adopted."""

    async def adopt(self: OutboxStorage, person: str) -> list[PendingMessage]:
        return []

    patch.setattr(OutboxStorage, "_adopt", adopt)


#: Each with a seed that finds it within a few examples; any seed finds it in the end.
ALL: dict[Defect, int] = {
    shows_whatever_comes: 3,
    recognises_nothing: 0,
    never_sends_again: 1,
    sends_all_at_once: 5,
    warns_of_nothing: 1,
    sends_under_a_new_id: 4,
    never_asks_for_what_is_missing: 2,
    ignores_heads: 2,
    keeps_nothing: 1,
    keeps_no_draft: 0,
    adopts_nothing: 0,
}
