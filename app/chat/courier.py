"""Carries what a person wrote to the server, and tells how far each message has come."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from chat import protocol
from chat.protocol import Nack, SendMessage
from chat.timeline import Delivery
from kizuna.errors import KizunaError, NotConnected
from kizuna.outbox import Outbox, Parcel
from kizuna.platform import Platform, Settings, TimerHandle
from kizuna.service import WebSocketService

logger = logging.getLogger("kizuna.courier")

#: Where what waits is kept, followed by the person's name.
KEPT_KEY = "kizuna.outbox."
#: Seconds that a refused message waits at least, whatever the server says: it asked for patience.
SHORTEST_PAUSE = 1.0


class Mark(Protocol):
    """Who is told how far a message has come."""

    def __call__(self, client_message_id: str, delivery: Delivery, failure: str | None = None) -> None:
        """``failure``: why, in words for a person, when it FAILED."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as a person wrote it; ``typed_at`` milliseconds since 1970."""

    frame: SendMessage
    typed_at: int


class Courier:
    """Responsible for the outbox of the person of the moment: what is due goes out, what is lost goes out again.

    Each person (by name) has an outbox of their own: nobody ever sends another's words. What waits is written to
    ``keep`` as soon as it is taken, so that a reload finds it again.
    """

    def __init__(
        self,
        service: WebSocketService,
        platform: Platform,
        keep: Settings,
        mark: Mark,
        waiting_changed: Callable[[int], None],
    ) -> None:
        self._keep = keep
        self._letters: dict[str, Letter] = {}
        self._name = ""
        self._service = service
        self._platform = platform
        self._mark = mark
        self._waiting_changed = waiting_changed
        self._outboxes: dict[str, Outbox] = {}
        self._outbox = Outbox()
        self._timer: TimerHandle | None = None

    def serve(self, name: str) -> list[Letter]:
        """Carry for the person of this name from now on; returns what waits since before this page was opened."""
        is_new = name not in self._outboxes
        self._name = name
        self._outbox = self._outboxes.setdefault(name, Outbox())
        found = _read(self._keep.get(KEPT_KEY + name)) if is_new else []
        for letter in found:
            self._add(letter)
        return found

    def take(self, letter: Letter) -> None:
        """Carry this one. Raises OutboxFull, having taken nothing."""
        self._add(letter)
        self._save()

    def _add(self, letter: Letter) -> None:
        frame = letter.frame
        self._outbox.add(frame.client_message_id, frame.room_id, protocol.to_object(frame))
        self._letters[frame.client_message_id] = letter

    def settle(self, client_message_id: str | None) -> None:
        """The server has this one, or it is not wanted any more."""
        if client_message_id is not None and self._outbox.acknowledge(client_message_id):
            del self._letters[client_message_id]
            self._save()

    def refuse(self, nack: Nack) -> None:
        """The server did not take this one: later, or never."""
        if nack.retryable:
            pause = max(nack.retry_after or 0.0, SHORTEST_PAUSE)
            self._outbox.postpone(nack.client_message_id, self._platform.now().monotonic + pause)
            self._mark(nack.client_message_id, Delivery.QUEUED)
        else:
            self.settle(nack.client_message_id)
            self._mark(nack.client_message_id, Delivery.FAILED, nack.message)

    def link_lost(self) -> None:
        """No answer comes over this link any more."""
        self._disarm()
        for client_message_id in self._outbox.link_lost():
            self._mark(client_message_id, Delivery.QUEUED)

    def pump(self) -> None:
        """Send what is due, and come back when the next is."""
        self._disarm()
        if self._service.is_connected():
            for parcel in self._outbox.take_due(self._platform.now().monotonic):
                self._send(parcel)
            due_at = self._outbox.next_due_at()
            if due_at is not None:
                self._timer = self._platform.call_at(due_at, self.pump)
        self._waiting_changed(len(self._outbox))

    def _send(self, parcel: Parcel) -> None:
        data = dict(parcel.data)
        try:
            self._service.send_message(data.pop("action"), data)
        except NotConnected:
            return  # the link's end makes it due again
        except KizunaError as error:
            self.settle(parcel.id)
            self._mark(parcel.id, Delivery.FAILED, str(error))
        else:
            self._mark(parcel.id, Delivery.SENDING)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _save(self) -> None:
        waiting = [letter for id_, letter in self._letters.items() if id_ in self._outbox]
        if waiting:
            self._keep.set(KEPT_KEY + self._name, _write(waiting))
        else:
            self._keep.delete(KEPT_KEY + self._name)


def _write(letters: list[Letter]) -> str:
    return json.dumps(
        [{"typedAt": letter.typed_at, "frame": protocol.to_object(letter.frame)} for letter in letters]
    )


def _read(text: str | None) -> list[Letter]:
    """The letters in ``text``. From what cannot be read on, because something else wrote it there, it is left out."""
    letters = []
    try:
        for record in json.loads(text or "[]"):
            frame = protocol.parse_up(record["frame"])
            if isinstance(frame, SendMessage):
                letters.append(Letter(frame, protocol.check_integer("typedAt", record["typedAt"])))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        logger.warning(
            "what waited before this page was opened cannot be read; %d messages could", len(letters)
        )
    return letters
