"""Tickets: single-use credentials for the URL of a WebSocket, valid for half a minute.

    TICKET#<sha256 of it>  TICKET    whom it admits, until when

A browser can put nothing but a URL into a WebSocket handshake, and URLs end up in logs. So a page sends its token in a
header, over HTTPS, and gets a ticket for it; a ticket that is read in a log later is useless. The table holds only a
hash, so reading the table gives no access either.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from backend.auth.tokens import Identity, InvalidToken
from backend.auth.verification import Verifier
from backend.store.base import ConditionFailed, Delete, Exists, Key, NotExists, Put, Store
from backend.store.retry import Retry

# A page asks for a ticket just before it connects. It gives an attempt 10 s, and clocks of two servers differ.
LIFETIME_SECONDS = 30
# 256 bits, too many to guess.
TICKET_BYTES = 32
# Longer ones would only cost time to hash.
MAX_TICKET_CHARACTERS = 256

_TICKET = "TICKET"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A new ticket. ``expires_in``: seconds from now."""

    ticket: str
    expires_in: int


class Tickets:
    """The issue and redemption of tickets. ``clock`` gives epoch seconds.

    ``new_ticket`` draws unguessable text without dots: a token has some (:class:`TicketOrToken`).
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        new_ticket: Callable[[], str] = lambda: secrets.token_urlsafe(TICKET_BYTES),
        retry: Retry | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_ticket = new_ticket
        self._retry = retry or Retry()

    def issue(self, identity: Identity) -> Ticket:
        """Return a ticket for a person whose token was verified. It never outlives the token."""
        now = int(self._clock())
        expires_at = min(now + LIFETIME_SECONDS, identity.expires_at)
        ticket = self._new_ticket()
        key = _key(ticket)
        item = {
            "pk": key.pk,
            "sk": key.sk,
            "userId": identity.user_id,
            "name": identity.name,
            "tokenExpiresAt": identity.expires_at,
            "expiresAt": expires_at,
        }
        self._retry.run(lambda: self._store.transact([Put(item, NotExists())]))
        return Ticket(ticket=ticket, expires_in=expires_at - now)

    def redeem(self, ticket: str) -> Identity:
        """Return the person of a ticket, once. Raises InvalidToken if it was never issued, is expired or was used.

        Of several at once one succeeds: the delete is conditional, and the store decides.
        """
        if not 1 <= len(ticket) <= MAX_TICKET_CHARACTERS:
            raise InvalidToken("ticket refused: none")
        key = _key(ticket)
        item = self._store.get(*key)
        if item is None:
            raise InvalidToken("ticket refused: unknown, expired or used")
        try:
            self._retry.run(lambda: self._store.transact([Delete(key.pk, key.sk, Exists())]))
        except ConditionFailed:
            raise InvalidToken("ticket refused: used a moment ago") from None
        return Identity(user_id=item["userId"], name=item["name"], expires_at=item["tokenExpiresAt"])


class TicketOrToken:
    """The verifier of a URL's ``token``: a ticket, or a token itself, which has dots and no ticket has."""

    def __init__(self, tickets: Tickets, tokens: Verifier) -> None:
        self._tickets = tickets
        self._tokens = tokens

    def verify(self, token: str) -> Identity:
        """Return the person; a ticket is used up by this. Raises InvalidToken, VerifierUnavailable."""
        return self._tokens.verify(token) if "." in token else self._tickets.redeem(token)


def _key(ticket: str) -> Key:
    digest = hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()
    return Key(f"TICKET#{digest}", _TICKET)
