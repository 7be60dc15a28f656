"""Carries what a person wrote to the server, and tells how far each message has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chat import protocol
from chat.protocol import Nack, SendMessage
from chat.timeline import Delivery
from kizuna.errors import KizunaError, NotConnected
from kizuna.outbox import Outbox, Parcel
from kizuna.platform import Platform, TimerHandle
from kizuna.service import WebSocketService

#: Seconds that a refused message waits at least, whatever the server says: it asked for patience.
SHORTEST_PAUSE = 1.0


class Mark(Protocol):
    """Who is told how far a message has come."""

    def __call__(self, client_message_id: str, delivery: Delivery, failure: str | None = None) -> None:
        """``failure``: why, in words for a person, when it FAILED."""


class Courier:
    """Responsible for the outbox of the person of the moment: what is due goes out, what is lost goes out again.

    Each person (by name) has an outbox of their own: nobody ever sends another's words.
    """

    def __init__(
        self,
        service: WebSocketService,
        platform: Platform,
        mark: Mark,
        waiting_changed: Callable[[int], None],
    ) -> None:
        self._service = service
        self._platform = platform
        self._mark = mark
        self._waiting_changed = waiting_changed
        self._outboxes: dict[str, Outbox] = {}
        self._outbox = Outbox()
        self._timer: TimerHandle | None = None

    def serve(self, name: str) -> None:
        """Carry for the person of this name from now on."""
        self._outbox = self._outboxes.setdefault(name, Outbox())
        self.pump()

    def take(self, frame: SendMessage) -> None:
        """Carry this one. Raises OutboxFull, having taken nothing."""
        self._outbox.add(frame.client_message_id, frame.room_id, protocol.to_object(frame))

    def settle(self, client_message_id: str | None) -> None:
        """The server has this one, or it is not wanted any more."""
        if client_message_id is not None:
            self._outbox.acknowledge(client_message_id)

    def refuse(self, nack: Nack) -> None:
        """The server did not take this one: later, or never."""
        if nack.retryable:
            pause = max(nack.retry_after or 0.0, SHORTEST_PAUSE)
            self._outbox.postpone(nack.client_message_id, self._platform.now().monotonic + pause)
            self._mark(nack.client_message_id, Delivery.QUEUED)
        else:
            self._outbox.acknowledge(nack.client_message_id)
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
            self._outbox.acknowledge(parcel.id)
            self._mark(parcel.id, Delivery.FAILED, str(error))
        else:
            self._mark(parcel.id, Delivery.SENDING)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
