"""How the server ended a link: whether to come back, and when at the earliest.

The server says so in a ``bye`` frame, or in the same JSON object as close reason; else the close code decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kizuna.core import close_codes
from kizuna.core.close_codes import Policy
from kizuna.core.events import TokenFailed
from kizuna.core.json_frames import NotAFrame, read_frame
from kizuna.core.state import Reason, ReasonKind
from kizuna.options import finite_number


@dataclass(frozen=True, slots=True)
class ServerClose:
    """How a link ended. ``retry_after``: seconds before which the server wants no attempt."""

    reason: Reason
    policy: Policy
    retry_after: float | None = None


def from_bye(frame: Mapping[str, Any]) -> ServerClose:
    """Return what a ``bye`` frame says."""
    words = text(frame.get("reason")) or "the server closed the connection"
    return _decide(Reason(ReasonKind.SERVER_RESTARTING, words), frame, Policy.RETRY)


def from_close(code: int, reason: str) -> ServerClose:
    """Return what the close of an open socket with ``code`` and ``reason`` says."""
    payload = _parse(reason)
    kind = ReasonKind.SERVER_RESTARTING if payload else ReasonKind.CLOSED_BY_SERVER
    words = text(payload.get("reason")) or close_codes.words(code)
    return _decide(Reason(kind, words, code), payload, close_codes.policy(code))


def from_token_failure(event: TokenFailed) -> ServerClose:
    """Return what the failure of the token provider says."""
    if event.unauthorized:
        reason = Reason(ReasonKind.UNAUTHORIZED, "the identity provider refused a token")
        return ServerClose(reason, Policy.STOP)
    if event.unreachable:
        return ServerClose(Reason(ReasonKind.UNREACHABLE, "the server cannot be reached"), Policy.RETRY)
    words = event.detail or "no token could be fetched"
    return ServerClose(Reason(ReasonKind.TOKEN_UNAVAILABLE, words), Policy.RETRY, event.retry_after)


def text(value: Any) -> str:
    """Return ``value`` if it is text, else ""."""
    return value if isinstance(value, str) else ""


def _decide(reason: Reason, payload: Mapping[str, Any], policy: Policy) -> ServerClose:
    match payload.get("reconnect"):
        case False:
            policy = Policy.STOP
        case True:
            policy = Policy.RETRY
    if policy is Policy.STOP:
        kind = ReasonKind.UNSUPPORTED if reason.words == ReasonKind.UNSUPPORTED else ReasonKind.REJECTED
        reason = replace(reason, kind=kind)
    retry_after = finite_number(payload.get("retryAfter"))
    if retry_after is None and policy is Policy.RETRY_LATER:
        retry_after = close_codes.RETRY_LATER_SECONDS
    return ServerClose(reason, policy, retry_after)


def _parse(reason: str) -> Mapping[str, Any]:
    """Return the JSON object in a close reason; empty if there is none."""
    try:
        return read_frame(reason)
    except NotAFrame:
        return {}
