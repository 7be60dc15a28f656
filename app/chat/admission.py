"""How one person is let in: by a token, or by a ticket that is got for it.

    POST <tokenUrl>   {"name": "Ann", "clientSecret": "…"}     200 {"token": "…", "userId": "…", "expiresIn": 3600}
    POST <ticketUrl>  {"token": "…"}                           200 {"ticket": "…", "expiresIn": 30}

A browser can put nothing but a URL into a WebSocket's handshake, and URLs end up in logs. A ticket is good once, so
what stands in the URL is worthless afterwards. The token travels in the body and stays in the memory of the page. To
another origin it goes in the header Authorization as well, as such servers expect; on the page's own origin that header
may belong to a sign-in gate that stands before everything (HTTP Basic).

Proxies, firewalls and sign-in gates answer in a server's place. So 401 and 403 are final only in the server's own
words, an object with one of the codes below; whatever else they carry is one failed attempt. ``reason: "banned"``
beside the code ``forbidden`` says more.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from chat.protocol import InvalidField, check_id
from kizuna.errors import KizunaError, TryLater, Unauthorized
from kizuna.platform import Instant

#: What an endpoint answered: the HTTP status, 0 for a redirect; the JSON, None for anything else; and for how many
#: seconds it asks to be left alone, None if it does not.
Answer = tuple[int, Any, float | None]
#: Posts JSON to a URL with these headers. Raises OSError when the server cannot be reached.
PostJson = Callable[[str, Mapping[str, Any], Mapping[str, str]], Awaitable[Answer]]

#: The share of a token's life in which it may be used again. The connection begins a renewal when three quarters of
#: what was left have passed, or later (kizuna.core.rollover): so a renewal always gets a new token.
REUSABLE = 0.5

#: The codes of a server that refuses a person or a page for good (backend.auth.endpoints).
REFUSALS = frozenset({"unauthorized", "forbidden", "forbidden_origin"})

_REFUSED = (401, 403)
_INTERCEPTED = (0, 401, 403, 511)
_BUSY = (429, 503)


class TokenUnavailable(KizunaError):
    """An endpoint answered, but gave no token or no ticket. Trying again may help."""


class NameRefused(Unauthorized):
    """The token endpoint does not take the person's name: only another name can help."""


class Intercepted(TokenUnavailable):
    """Something before the server answered in its place: a sign-in gate, a firewall."""


class OriginForbidden(Unauthorized):
    """The server lets no page of this origin in."""


class Banned(Unauthorized):
    """The server's operator lets this person in no more."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token and whom it names. ``asked_at``: just before it was made. ``lifetime``: seconds; None: nobody said."""

    text: str = field(repr=False)
    user_id: str
    asked_at: Instant
    lifetime: float | None

    def is_reusable(self, now: Instant) -> bool:
        """Whether enough of its life is left. The monotonic clock stands still while the machine sleeps, and the
        wall clock may be set: the one by which it is older counts."""
        age = max(now.monotonic - self.asked_at.monotonic, now.wall - self.asked_at.wall)
        return self.lifetime is not None and age / REUSABLE < self.lifetime


class Endpoints:
    """Responsible for asking for tokens and tickets. ``ticket_url``: None where the server knows no tickets.
    ``page_url``: an address of the page's own origin.

    Raises Unauthorized, TokenUnavailable, TryLater, or OSError when an endpoint cannot be reached; none of them names
    a secret, a token or a ticket.
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
        """A new token of the person with this secret."""
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
            raise TokenUnavailable("the token endpoint named nobody: userId is no id") from None
        return Token(text, user_id, asked_at, _lifetime(answer.get("expiresIn")))

    async def fetch_ticket(self, ticket_url: str, token: Token) -> str | None:
        """A ticket; None if the token was refused."""
        is_own = _origin(ticket_url) == self._own_origin
        posted = await self._post_token(ticket_url, token, in_header=not is_own)
        if is_own and posted[0] == 401 and _refusal_code(posted[1]):
            # A server of an earlier version reads the header alone; and no gate that wants it for itself is in between.
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
            # The browser's own error would repeat it.
            if not token.text.isascii() or not token.text.isprintable():
                raise TokenUnavailable("the token endpoint gave a token that no header can carry")
            headers["Authorization"] = f"Bearer {token.text}"
        return await self._post_json(ticket_url, {"token": token.text}, headers)


class Admission:
    """Responsible for letting one person in, as often as it takes, with a token that nobody else ever gets.

    Several may ask at once: a link and the one that is to replace it.
    """

    def __init__(self, endpoints: Endpoints, name: str, secret: str) -> None:
        self._endpoints = endpoints
        self._name = name
        self._secret = secret
        self._token: Token | None = None

    async def fetch_credential(self) -> tuple[str, str]:
        """What the URL of one attempt says, a ticket or a new token; and the user id of whom it admits.

        Raises what Endpoints raises.
        """
        ticket_url = self._endpoints.ticket_url
        if ticket_url is None:
            # A handshake that fails does not say why: an old token would be tried for ever.
            token = await self._new_token()
            return token.text, token.user_id
        kept = self._token
        if kept is not None and kept.is_reusable(self._endpoints.now()):
            ticket = await self._ticket(ticket_url, kept)
            if ticket is not None:
                return ticket, kept.user_id
        self._token = fresh = await self._new_token()
        ticket = await self._ticket(ticket_url, fresh)
        if ticket is None:
            # A new signing key has not reached every server yet. Had it reached none, trying again would hurt nobody.
            raise TokenUnavailable("the ticket endpoint refused a fresh token")
        return ticket, fresh.user_id

    async def _new_token(self) -> Token:
        return await self._endpoints.fetch_token(self._name, self._secret)

    async def _ticket(self, ticket_url: str, token: Token) -> str | None:
        try:
            ticket = await self._endpoints.fetch_ticket(ticket_url, token)
        except Intercepted:  # or it was the server after all, in words of its own
            self._discard(token)
            raise
        if ticket is None:
            self._discard(token)
        return ticket

    def _discard(self, token: Token) -> None:
        if self._token is token:  # not one that came meanwhile
            self._token = None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _refusal_code(answer: Any) -> str:
    """The code of a server's own refusal; empty for what anybody else says."""
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and code in REFUSALS else ""


def _refusal_error(answer: Mapping[str, Any], words: str) -> Unauthorized:
    """What a server's own refusal means. An earlier version of this page knows ``code`` alone."""
    if answer["code"] == "forbidden_origin":
        return OriginForbidden(words)
    return Banned(words) if answer.get("reason") == "banned" else Unauthorized(words)


def _unavailable(posted: Answer, wanted: str) -> KizunaError:
    """Why there is no token, or no ticket."""
    status, answer, retry_after = posted
    words = f"the {wanted} endpoint answered {status} without a {wanted}"
    if status in _BUSY and retry_after is not None:
        return TryLater(words, retry_after)
    is_page = answer is None and 200 <= status < 300
    return Intercepted(words) if status in _INTERCEPTED or is_page else TokenUnavailable(words)


def _text(status: int, answer: Any, key: str) -> str | None:
    """The text under a key of an answer that is as it should be."""
    value = answer.get(key) if status == 200 and isinstance(answer, dict) else None
    return value if isinstance(value, str) and value else None


def _is_about_the_name(answer: Any) -> bool:
    problem = (answer.get("code"), answer.get("field")) if isinstance(answer, dict) else None
    return problem == (InvalidField.code, "name")


def _lifetime(value: Any) -> float | None:
    """Seconds, if that is what an answer says."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value < math.inf else None
