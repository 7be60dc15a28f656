"""The commands that a connection returns, its only effect on the outside. Immutable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from kizuna.core.events import Timer


@dataclass(frozen=True, slots=True)
class FetchToken:
    """Ask the token provider for this link's token; TokenObtained or TokenFailed follows."""

    link: int


@dataclass(frozen=True, slots=True)
class OpenSocket:
    """Open this link's socket with ``token``."""

    link: int
    token: str | None

    def __repr__(self) -> str:
        return f"OpenSocket(link={self.link})"


@dataclass(frozen=True, slots=True)
class PrepareLink:
    """Let the application prepare the open link; LinkPrepared or PrepareFailed follows."""

    link: int


@dataclass(frozen=True, slots=True)
class AbandonLink:
    """Detach every handler, close with ``code``, and send no further event of this link."""

    link: int
    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SendPing:
    """Send a ping; ``t`` (monotonic seconds) comes back in the pong."""

    link: int
    t: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """Pass a frame to the application."""

    link: int
    frame: Any


@dataclass(frozen=True, slots=True)
class ReportMalformed:
    """Report to the application that a frame could not be read."""

    problem: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Set the timer of this kind for ``at`` (monotonic seconds), replacing an earlier one."""

    timer: Timer
    at: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Cancel the timer of this kind."""

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
