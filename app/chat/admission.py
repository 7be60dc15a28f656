"""Tokens and tickets of one person.

    POST <tokenUrl>   {"name": "Ann", "clientSecret": "…"}     200 {"token": "…", "userId": "…", "expiresIn": 3600}
    POST <ticketUrl>  {"token": "…"}                           200 {"ticket": "…", "expiresIn": 30}

A browser can put nothing but a URL into a WebSocket's handshake, and URLs end up in logs. A ticket is single-use, so a
logged one is worthless. The token is sent in the body and stays in the memory of the page. To another origin it is also
sent in the header Authorization, as such servers expect; on the page's own origin that header may belong to a sign-in
gate (HTTP Basic).

Proxies, firewalls and sign-in gates may answer instead of the server. So 401 and 403 are final only with a JSON object
that has one of the codes below; any other is one failed attempt. ``reason: "banned"`` beside the code ``forbidden``
means that the person was banned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chat.protocol import MAX_INTEGER, InvalidField, check_id
from kizuna import Instant, KizunaError, TryLater, Unauthorized

#: An endpoint's answer: the HTTP status (0 for a redirect), the JSON (None for anything else), and the seconds of
#: Retry-After (None without).
Answer = tuple[int, Any, float | None]
#: Posts JSON to a URL with these headers. Raises OSError when the server cannot be reached.
PostJson = Callable[[str, Mapping[str, Any], Mapping[str, str]], Awaitable[Answer]]

#: The share of its lifetime in which a token may be used again. The connection starts a rollover when three quarters of
#: the rest have passed, or later (kizuna.core.timing), so a rollover always gets a new token.
REUSABLE = 0.5

#: Codes with which a server refuses a person or a page for good (backend.auth.endpoints).
REFUSALS = frozenset({"unauthorized", "forbidden", "forbidden_origin"})

_REFUSED = (401, 403)
_INTERCEPTED = (0, 401, 403, 511)
_BUSY = (429, 503)


class TokenUnavailable(KizunaError):
    """An endpoint answered without a token or ticket. Another attempt may succeed."""


class NameRefused(Unauthorized):
    """The token endpoint does not accept the person's name."""


class Intercepted(TokenUnavailable):
    """A sign-in gate or a firewall answered instead of the server."""


class OriginForbidden(Unauthorized):
    """The server accepts no page of this origin."""


class Banned(Unauthorized):
    """The server's operator banned this person."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token and its user. ``asked_at``: just before it was issued. ``lifetime``: seconds; None: unknown."""

    text: str = field(repr=False)
    user_id: str
    asked_at: Instant
    lifetime: float | None

    def is_reusable(self, now: Instant) -> bool:
        """Return whether enough of its lifetime is left, by the clock that counts more time: the monotonic clock stops
        while the machine sleeps, and the wall clock may be set."""
        age = max(now.monotonic - self.asked_at.monotonic, now.wall - self.asked_at.wall)
        return self.lifetime is not None and age / REUSABLE < self.lifetime


class Endpoints:
    """The token endpoint and the ticket endpoint. ``ticket_url``: None if the server has no tickets. ``page_url``: an
    address of the page's own origin.

    Methods raise Unauthorized, TokenUnavailable, TryLater, or OSError when an endpoint cannot be reached. No error
    contains a secret, a token or a ticket.
    """

    def __init__(
        self,
        post_json: PostJson,
        token_url: str,
        ticket_url: str | None,
        now: Callable[[], Instant],
        page_url: str = "",
    ) -> None:
        self._post_json = post_json
        self.token_url = token_url
        self.ticket_url = ticket_url
        self.now = now
        self._own_origin = _origin(page_url)

    async def fetch_token(self, name: str, secret: str) -> Token:
        """Return a new token for the person with this secret."""
        asked_at = self.now()
        posted = await self._post_json(self.token_url, {"name": name, "clientSecret": secret}, {})
        status, answer, _ = posted
        if status in _REFUSED and _refusal_code(answer):
            raise _refusal_error(answer, "the token endpoint refused the person")
        if status == 400 and _is_about_the_name(answer):
            raise NameRefused("the token endpoint refused the name")
        text = _text(status, answer, "token")
        if text is None:
            raise _unavailable(posted, "token")
        try:
            user_id = check_id("userId", answer.get("userId"))
        except InvalidField:
            raise TokenUnavailable("the token endpoint sent an invalid userId") from None
        return Token(text, user_id, asked_at, _lifetime(answer.get("expiresIn")))

    async def fetch_ticket(self, ticket_url: str, token: Token) -> str | None:
        """Return a ticket, or None if the token was refused."""
        is_own = _origin(ticket_url) == self._own_origin
        posted = await self._post_token(ticket_url, token, in_header=not is_own)
        if is_own and posted[0] == 401 and _refusal_code(posted[1]):
            # A server of an earlier version reads only the header. It answered itself, so no gate needs the header.
            posted = await self._post_token(ticket_url, token, in_header=True)
        status, answer, _ = posted
        code = _refusal_code(answer)
        if status == 401 and code:
            return None
        if status == 403 and code:
            raise _refusal_error(answer, "the ticket endpoint refused the person")
        ticket = _text(status, answer, "ticket")
        if ticket is None:
            raise _unavailable(posted, "ticket")
        return ticket

    async def _post_token(self, ticket_url: str, token: Token, *, in_header: bool) -> Answer:
        headers = {}
        if in_header:
            # The browser's own error would contain the token.
            if not token.text.isascii() or not token.text.isprintable():
                raise TokenUnavailable("the token endpoint sent a token that is invalid in a header")
            headers["Authorization"] = f"Bearer {token.text}"
        return await self._post_json(ticket_url, {"token": token.text}, headers)


class Admission:
    """The credentials of one person. Calls may overlap: a link and a candidate may need one at the same time."""

    def __init__(self, endpoints: Endpoints, name: str, secret: str) -> None:
        self._endpoints = endpoints
        self._name = name
        self._secret = secret
        self._token: Token | None = None

    async def fetch_credential(self) -> tuple[str, str]:
        """Return the credential for one URL (a ticket, or a new token where there are no tickets) and the user id.

        Raises what Endpoints raises.
        """
        ticket_url = self._endpoints.ticket_url
        if ticket_url is None:
            # A failed handshake gives no reason, so a refused token would be tried for ever.
            new = await self._new_token()
            return new.text, new.user_id
        token = self._token
        if token is not None and token.is_reusable(self._endpoints.now()):
            ticket = await self._ticket(ticket_url, token)
            if ticket is not None:
                return ticket, token.user_id
        self._token = token = await self._new_token()
        ticket = await self._ticket(ticket_url, token)
        if ticket is None:
            # Perhaps a new signing key has not reached every server yet. Another attempt does no harm.
            raise TokenUnavailable("the ticket endpoint refused a fresh token")
        return ticket, token.user_id

    async def _new_token(self) -> Token:
        return await self._endpoints.fetch_token(self._name, self._secret)

    async def _ticket(self, ticket_url: str, token: Token) -> str | None:
        try:
            ticket = await self._endpoints.fetch_ticket(ticket_url, token)
        except Intercepted:  # perhaps by a server with other error codes
            self._discard(token)
            raise
        if ticket is None:
            self._discard(token)
        return ticket

    def _discard(self, token: Token) -> None:
        if self._token is token:  # not a newer one
            self._token = None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _refusal_code(answer: Any) -> str:
    """Return the code of a server's refusal; empty for any other answer."""
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and code in REFUSALS else ""


def _refusal_error(answer: Mapping[str, Any], words: str) -> Unauthorized:
    """Return the error for a server's refusal. Earlier versions of the page read ``code`` alone."""
    if answer["code"] == "forbidden_origin":
        return OriginForbidden(words)
    return Banned(words) if answer.get("reason") == "banned" else Unauthorized(words)


def _unavailable(posted: Answer, wanted: str) -> KizunaError:
    """Return the error for an answer without the token or ticket."""
    status, answer, retry_after = posted
    words = f"the {wanted} endpoint answered {status} without a {wanted}"
    if status in _BUSY and retry_after is not None:
        return TryLater(words, retry_after)
    is_page = answer is None and 200 <= status < 300
    return Intercepted(words) if status in _INTERCEPTED or is_page else TokenUnavailable(words)


def _text(status: int, answer: Any, key: str) -> str | None:
    """Return the text under a key of a successful answer, else None."""
    value = answer.get(key) if status == 200 and isinstance(answer, dict) else None
    return value if isinstance(value, str) and value else None


def _is_about_the_name(answer: Any) -> bool:
    problem = (answer.get("code"), answer.get("field")) if isinstance(answer, dict) else None
    return problem == (InvalidField.code, "name")


def _lifetime(value: Any) -> float | None:
    """Return positive seconds, or None for any other value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value <= MAX_INTEGER else None
