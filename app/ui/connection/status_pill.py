"""The status pill: the connection in two or three words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from chat.store import ChatState
from kizuna import Status


class Kind(StrEnum):
    """The look of the pill, which has an icon too."""

    IDLE = "idle"
    OK = "ok"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Pill:
    """The content of the pill: the ``key`` of its text, and ``seconds`` for a text with a number."""

    kind: Kind
    icon: str
    key: str
    seconds: int | None = None


_CONNECTING = Pill(Kind.BUSY, "busy", "status.connecting")
_RECONNECTING = Pill(Kind.BUSY, "busy", "status.reconnecting")
_CATCHING_UP = Pill(Kind.BUSY, "busy", "status.catching_up")

# Without and with a number. Who was never connected does not reconnect.
_TRYING = ("status.trying", "status.trying_seconds")
_WAITING = ("status.waiting", "status.waiting_seconds")

_BY_STATUS = {
    Status.IDLE: Pill(Kind.IDLE, "idle", "status.idle"),
    Status.CONNECTED: Pill(Kind.OK, "connected", "status.connected"),
    Status.SUSPECT: Pill(Kind.BUSY, "busy", "status.suspect"),
    Status.OFFLINE: Pill(Kind.WARN, "offline", "status.offline"),
    Status.SUSPENDED: Pill(Kind.IDLE, "paused", "status.suspended"),
    Status.EXHAUSTED: Pill(Kind.BAD, "trouble", "status.exhausted"),
    Status.REJECTED: Pill(Kind.BAD, "stopped", "status.rejected"),
    Status.CLOSED: Pill(Kind.IDLE, "idle", "status.closed"),
}


def pill_for(state: ChatState, seconds: int | None) -> Pill:
    """Return the pill for ``state``, ``seconds`` before the next attempt (None: no number)."""
    connection = state.connection
    if connection.status is Status.WAITING:
        return _waiting(seconds, *(_TRYING if state.last_connected_at is None else _WAITING))
    if state.catching_up and connection.status in (Status.CONNECTED, Status.CONNECTING):
        return _CATCHING_UP
    if connection.status is Status.CONNECTING:
        return _RECONNECTING if is_reconnecting(state) else _CONNECTING
    return _BY_STATUS[connection.status]


def is_reconnecting(state: ChatState) -> bool:
    """Return whether this is not the first attempt."""
    return state.last_connected_at is not None or state.connection.attempt > 1


def _waiting(seconds: int | None, key: str, key_with_seconds: str) -> Pill:
    if seconds is None:
        return Pill(Kind.WARN, "waiting", key)
    if seconds == 0:  # the attempt is about to start; 0 is never shown
        return _CONNECTING
    return Pill(Kind.WARN, "waiting", key_with_seconds, seconds)
