"""The state of a connection as the application sees it: frozen, with a reason while it is not connected."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kizuna.core.states import Status


class ReasonKind(StrEnum):
    """Why a connection is down, for programs; :attr:`Reason.words` is for a person."""

    UNREACHABLE = "unreachable"  #: the socket never opened
    TIMEOUT = "timeout"  #: token, opening and ready took too long
    CLOSED_BY_SERVER = "closed_by_server"
    SERVER_RESTARTING = "server_restarting"  #: ``bye`` that allows another attempt
    SILENCE = "silence"  #: no answer to a probe
    TOKEN_UNAVAILABLE = "token_unavailable"
    UNAUTHORIZED = "unauthorized"
    REJECTED = "rejected"  #: it wants no further attempt
    UNSUPPORTED = "unsupported"  #: it does not speak our version: only a newer page can connect
    PREPARE_FAILED = "prepare_failed"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a connection is down. ``code``: the WebSocket close code, where there was one."""

    kind: ReasonKind
    words: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """What an application can show."""

    status: Status = Status.IDLE
    attempt: int = 0  #: attempts since the connection was up
    #: Time of the next attempt, in seconds of the platform's monotonic clock (``time.monotonic()``); None: none is set.
    retry_at: float | None = None
    rtt: float | None = None  #: seconds from the last ping to its pong; None until one is measured
    reason: Reason | None = None
    #: Time since which it is connected, in seconds since 1970 (``time.time()``); None while it is not.
    connected_since: float | None = None
    link: int | None = None  #: number of the current link; changes when it is replaced
