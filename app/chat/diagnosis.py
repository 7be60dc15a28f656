"""What can be told about the connection without a token, and without a word of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kizuna
from chat.store import ChatState
from kizuna import JournalEntry, Statistics, WebSocketService
from kizuna.delivery import DeliveryStatistics


class Diagnosis:
    """Numbers and events of one page. ``delivery`` returns those of its messages.

    Nothing is kept here: all of it is read when somebody asks.
    """

    def __init__(
        self,
        service: WebSocketService[Any],
        delivery: Callable[[], DeliveryStatistics],
        now: Callable[[], float],
    ) -> None:
        self._service = service
        self._delivery = delivery
        self.now = now  #: seconds since 1970

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        """What happened, oldest first."""
        return self._service.journal.entries

    def statistics(self) -> Statistics:
        """Return the numbers of the connection."""
        return self._service.statistics()

    def delivery(self) -> DeliveryStatistics:
        """Return the numbers of the messages."""
        return self._delivery()

    def report(self, state: ChatState) -> dict[str, Any]:
        """Return what helps to find a fault, for JSON. The reason is its kind: its words may be the server's."""
        connection, reason = state.connection, state.connection.reason
        return {
            "kizuna": kizuna.__version__,
            "at": self.now(),
            "status": connection.status,
            "attempt": connection.attempt,
            "reason": None if reason is None else {"kind": reason.kind, "code": reason.code},
            "caughtUp": state.caught_up,
            "waiting": state.waiting,
            "rooms": len(state.rooms),
            "wire": self._service.wire.name,
            "connection": self.statistics()._asdict(),
            "delivery": self.delivery()._asdict(),
            "events": self.events(),
        }

    def events(self) -> list[dict[str, Any]]:
        """Return the journal, for JSON."""
        return [entry._asdict() for entry in self.entries]
