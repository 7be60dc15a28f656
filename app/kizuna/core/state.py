"""The state of a connection as others may see it: frozen, and with a reason where it does not stand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kizuna.core.states import Status


class ReasonKind(StrEnum):
    """Why a connection does not stand, for programs; :attr:`Reason.words` is for a person."""

    UNREACHABLE = "unreachable"  #: the socket never opened
    TIMEOUT = "timeout"  #: token, opening and ready took too long
    CLOSED_BY_SERVER = "closed_by_server"
    SERVER_RESTARTING = "server_restarting"  #: it said bye and that we may come back
    SILENCE = "silence"  #: no answer to a probe
    TOKEN_UNAVAILABLE = "token_unavailable"
    UNAUTHORIZED = "unauthorized"
    REJECTED = "rejected"  #: it said that we may not come back
    UNSUPPORTED = "unsupported"  #: it does not speak our version: only another page can come back
    PREPARE_FAILED = "prepare_failed"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a connection does not stand. ``code`` is the WebSocket close code, where there was one."""

    kind: ReasonKind
    words: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """What may be shown. ``retry_at`` monotonic seconds; ``rtt`` seconds; ``connected_since`` seconds since 1970."""

    status: Status = Status.IDLE
    attempt: int = 0  #: attempts since the connection last stood
    retry_at: float | None = None
    rtt: float | None = None
    reason: Reason | None = None
    connected_since: float | None = None
    link: int | None = None  #: number of the link that carries frames; another number: it was replaced
