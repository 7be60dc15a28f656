"""The HTTPS endpoints beside the WebSocket, the same on one machine and on Lambda.

    POST /token   {"name": "Ann", "clientSecret": "…"}     200 {"token": "…", "userId": "…", "expiresIn": 3600}
    POST /ticket  {"token": "…"}                           200 {"ticket": "…", "expiresIn": 30}
                  or the header Authorization: Bearer <token>

A banned person (:mod:`backend.auth.bans`) gets 403.

An error is answered by ``{code, field, message}``; no answer and no log line repeats a secret or a token. Where an
identity provider issues tokens there is no ``/token``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from backend.auth.bans import Bans
from backend.auth.keys import VerifierUnavailable
from backend.auth.refusals import log_refusal
from backend.auth.tickets import Tickets
from backend.auth.tokens import InvalidToken, Tokens
from backend.auth.verification import Verifier
from backend.store.base import StoreError
from chat.protocol import InvalidField, MalformedFrame, decode

log = logging.getLogger(__name__)

# A name and a secret take under 1 KiB; tokens of identity providers may have several.
MAX_BODY_BYTES = 16 * 1024

_BEARER = "bearer "

Answer = tuple[int, Mapping[str, Any]]


class Endpoint(Protocol):
    """One kind of request."""

    def answer(self, headers: Mapping[str, str], body: bytes | str, source: str = "") -> Answer:
        """Return a status and a JSON object. ``headers`` are found by their names in lower case; ``source`` is the
        address that the request comes from, for the log."""


class TokenEndpoint:
    """``POST /token``: the stand-in for an identity provider, open to anybody.

    ``tokens`` gives the issuer, or raises VerifierUnavailable.
    """

    def __init__(self, tokens: Callable[[], Tokens], bans: Bans) -> None:
        self._tokens = tokens
        self._bans = bans

    def answer(self, headers: Mapping[str, str], body: bytes | str, source: str = "") -> Answer:
        """Return 200 with a token, 400 for a bad body, 403 for a banned person, 413, 415, or 503 if the secret or the
        bans cannot be read."""
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            log_refusal("no token: the body is not announced as JSON", source)
            return problem(415, "unsupported_media_type", "the body must be application/json")
        if len(body) > MAX_BODY_BYTES:
            return too_large()
        try:
            data = decode(body)
            issued = self._tokens().issue(data.get("name"), data.get("clientSecret"))
        except MalformedFrame as error:
            log_refusal("no token: malformed body", source)
            return problem(400, "malformed_body", f"the body: {error}")
        except InvalidField as error:
            log_refusal(f"no token: invalid {error.field}", source)
            return problem(400, error.code, str(error), error.field)
        except VerifierUnavailable as error:
            log.error("no token: %s", error)
            return problem(503, "unavailable", "no token can be issued now, try again")
        try:
            if self._bans.is_banned(issued.user_id):
                log_refusal("no token: banned", source, issued.user_id)
                return banned()
        except StoreError as error:
            log.error("no token: %s %s", type(error).__name__, error)
            return problem(503, "unavailable", "no token can be issued now, try again")
        return 200, {"token": issued.token, "userId": issued.user_id, "expiresIn": issued.expires_in}


class TicketEndpoint:
    """``POST /ticket``. A token in the body counts before the header, which a sign-in gate between page and server may
    use itself."""

    def __init__(self, tickets: Tickets, tokens: Verifier, bans: Bans) -> None:
        self._tickets = tickets
        self._tokens = tokens
        self._bans = bans

    def answer(self, headers: Mapping[str, str], body: bytes | str = b"", source: str = "") -> Answer:
        """Return 200 with a ticket, 401 without a good token, 403 for a banned person, or 503 if a token cannot be
        verified or the ticket cannot be stored."""
        token = _token_in(body) or _bearer(headers.get("authorization", ""))
        if not token:
            log_refusal("no ticket: no token", source)
            return problem(
                401,
                "unauthorized",
                'send your token as {"token": "…"} or in the header Authorization: Bearer <token>',
            )
        try:
            identity = self._tokens.verify(token)
        except InvalidToken as error:
            log_refusal(f"no ticket: {error}", source)
            return problem(401, "unauthorized", str(error))
        except VerifierUnavailable as error:
            log.error("no ticket: %s", error)
            return problem(503, "unavailable", "tokens cannot be verified now, try again")
        try:
            if self._bans.is_banned(identity.user_id):
                log_refusal("no ticket: banned", source, identity.user_id)
                return banned()
            issued = self._tickets.issue(identity)
        except StoreError as error:
            log.error("no ticket: %s %s", type(error).__name__, error)
            return problem(503, "unavailable", "no ticket can be issued now, try again")
        return 200, {"ticket": issued.ticket, "expiresIn": issued.expires_in}


def _token_in(body: bytes | str) -> str:
    """Return the token in a body; empty if there is none."""
    if len(body) > MAX_BODY_BYTES:
        return ""
    try:
        token = decode(body).get("token")
    except MalformedFrame:
        return ""
    return token if isinstance(token, str) and token.isascii() else ""


def _bearer(authorization: str) -> str:
    return authorization[len(_BEARER) :].strip() if authorization.lower().startswith(_BEARER) else ""


def problem(status: int, code: str, message: str, field: str | None = None) -> Answer:
    """Return an answer that says what is wrong, and in which field."""
    return status, {"code": code, "field": field, "message": message}


def too_large() -> Answer:
    """Return the answer to a body that is not read to its end."""
    return problem(413, "too_large", f"the body may have at most {MAX_BODY_BYTES:,} bytes")


def forbidden_origin(why: str = "pages of this origin may not use this server") -> Answer:
    """Return the answer to a page that may not use this server."""
    return problem(403, "forbidden_origin", why)


def banned() -> Answer:
    """Return the answer to a person who is banned. Its code is one at which pages of every version stop asking."""
    status, body = problem(403, "forbidden", "you were banned from this server")
    return status, {**body, "reason": "banned"}


def too_many_requests() -> Answer:
    """Return the answer to an address that asks too often. The header Retry-After says when to ask again."""
    return problem(429, "too_many_requests", "this address asks too often, try again later")


def headers_of(status: int) -> dict[str, str]:
    """Return the headers of every answer: no cache may keep it, and a 401 names the scheme (RFC 9110, 11.6.1)."""
    headers = {"Cache-Control": "no-store"}
    return {**headers, "WWW-Authenticate": "Bearer"} if status == 401 else headers
