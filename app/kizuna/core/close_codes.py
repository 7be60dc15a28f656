"""The meaning of WebSocket close codes. A code that is not in the table is retried.

Sources: the IANA registry; for 4xxx the usage of pusher, centrifugo and graphql-ws.
"""

from __future__ import annotations

from enum import StrEnum

#: For codes that mean "try again later": they name no time (RFC 6455); pusher and centrifugo wait at least a second.
RETRY_LATER_SECONDS = 5.0


class Policy(StrEnum):
    """What to do after a close."""

    RETRY = "retry"  #: within the budget
    RETRY_LATER = "retry later"  #: within the budget, after RETRY_LATER_SECONDS at least
    RENEW_TOKEN = "renew the token"  #: every attempt does; a second refusal in a row is a rejection
    STOP = "stop"  #: no further attempt


_POLICIES: dict[int, Policy] = {
    1008: Policy.STOP,  # policy violation
    1010: Policy.STOP,  # a mandatory extension is missing
    1013: Policy.RETRY_LATER,  # try again later
    3000: Policy.RENEW_TOKEN,  # unauthorized (IANA)
    3003: Policy.STOP,  # forbidden (IANA)
    4400: Policy.STOP,  # 4000 + HTTP's status, as graphql-ws has it
    4401: Policy.RENEW_TOKEN,
    4403: Policy.STOP,
    4429: Policy.RETRY_LATER,
    4503: Policy.RETRY_LATER,
}

_WORDS: dict[int, str] = {
    1000: "the server closed the connection",
    1001: "the server is going away",
    1003: "the server does not take this kind of frame",
    1006: "the connection broke",
    1008: "the server refused the connection",
    1009: "a frame was too large for the server",
    1011: "the server failed",
    1012: "the server is restarting",
    1013: "the server is busy",
    3000: "the server does not accept the token",
    3003: "the server forbids the connection",
    4401: "the server does not accept the token",
    4403: "the server forbids the connection",
    4429: "the server asks to try later",
}


def policy(code: int) -> Policy:
    """Return what to do after a close with ``code``."""
    return _POLICIES.get(code, Policy.RETRY)


def words(code: int) -> str:
    """Return what a close with ``code`` means, in words for a person."""
    return _WORDS.get(code, f"the server closed the connection (code {code})")
