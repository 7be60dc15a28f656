"""What to do: the only way in which a :class:`~kizuna.core.connection.Connection` touches the world.

Imperative, immutable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from kizuna.core.events import Timer


@dataclass(frozen=True, slots=True)
class FetchToken:
    """Ask the token provider for a token for this link; answer by TokenObtained or TokenFailed."""

    link: int


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open a socket with this token."""

    link: int
    token: str | None

    def __repr__(self) -> str:
        return f"OpenSocket(link={self.link})"


@dataclass(frozen=True, slots=True)
class PrepareLink:
    """Let the application prepare the open link; answer by LinkPrepared or PrepareFailed."""

    link: int


@dataclass(frozen=True, slots=True)
class AbandonLink:
    """Detach every handler, then close with ``code``, then forget: no event of this link may come any more."""

    link: int
    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SendPing:
    """Send a heartbeat; ``t`` is monotonic seconds and comes back in the answer."""

    link: int
    t: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand a frame to the application."""

    link: int
    frame: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReportMalformed:
    """Tell the application that a frame could not be read."""

    problem: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Arm the timer of this kind for ``at`` (monotonic seconds), in place of an earlier one."""

    timer: Timer
    at: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Disarm the timer of this kind."""

    timer: Timer


Command: TypeAlias = (
    FetchToken
    | OpenSocket
    | PrepareLink
    | AbandonLink
    | SendPing
    | Deliver
    | ReportMalformed
    | SetTimer
    | CancelTimer
)
