"""Tokens: signed, they name a person for an hour.

On one machine this is the stand-in for an identity provider. The page keeps a random ``clientSecret``; the user id
is derived from it, so every renewal is the same person, and two people with the same name are two people. The
secret itself is never stored, and neither it nor a token is ever part of an error or a log line.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from backend.store.base import ConditionFailed, NotExists, Store
from chat.protocol import InvalidField, byte_length, check_person_name

ALGORITHM = "HS256"
AUDIENCE = "kizuna"
# An hour, as common identity providers do. Below API Gateway's 2 h, so that a stolen token outlives no connection.
DEFAULT_LIFETIME_SECONDS = 3600
# Clocks of two machines differ: a token from the near future is accepted.
LEEWAY_SECONDS = 30
# 32 bytes: as long as HS256's output (RFC 7518, 3.2).
SECRET_BYTES = 32
# 128 bits of HMAC: collisions stay out of reach for any number of people.
USER_ID_BYTES = 16
# 16 characters of base64 are 96 bits, too many to guess.
MIN_CLIENT_SECRET_CHARACTERS = 16
MAX_CLIENT_SECRET_CHARACTERS = 256

_SECRET_KEY = ("CONFIG", "TOKEN_SECRET")


class InvalidToken(Exception):
    """A token that is not valid. The text says why, and never holds the token."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as a verified token names them. ``expires_at``: epoch seconds, when the token expires."""

    user_id: str
    name: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token. ``expires_in``: seconds from now."""

    token: str
    user_id: str
    expires_in: int


class Tokens:
    """The issue and verification of tokens with one secret. ``clock`` gives epoch seconds."""

    def __init__(
        self, secret: bytes, *, clock: Callable[[], float], lifetime: int = DEFAULT_LIFETIME_SECONDS
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._lifetime = lifetime

    def issue(self, name: Any, client_secret: Any) -> Issued:
        """Return a token for the holder of a secret. Raises InvalidField naming ``name`` or ``clientSecret``."""
        name = check_person_name("name", name)
        user_id = self._user_id(_check_client_secret(client_secret))
        now = int(self._clock())
        claims = {"sub": user_id, "name": name, "aud": AUDIENCE, "iat": now, "exp": now + self._lifetime}
        token = jwt.encode(claims, self._secret, algorithm=ALGORITHM)
        return Issued(token=token, user_id=user_id, expires_in=self._lifetime)

    def verify(self, token: str) -> Identity:
        """Return the person that ``token`` names. Raises InvalidToken."""
        try:
            # Times are checked below, against the injected clock.
            options: Any = {"require": ["sub", "aud", "iat", "exp"], "verify_exp": False, "verify_iat": False}
            claims = jwt.decode(
                token, self._secret, algorithms=[ALGORITHM], audience=AUDIENCE, options=options
            )
        except jwt.PyJWTError as error:
            raise InvalidToken(f"token refused: {type(error).__name__}") from None
        return self._identity(claims)

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        user_id, name, issued, expires = (claims.get(claim) for claim in ("sub", "name", "iat", "exp"))
        if not isinstance(user_id, str) or not isinstance(name, str):
            raise InvalidToken("token refused: no user id or name")
        if type(issued) is not int or type(expires) is not int:
            raise InvalidToken("token refused: times are not whole seconds")
        now = self._clock()
        if expires <= now:
            raise InvalidToken("token refused: expired")
        if issued > now + LEEWAY_SECONDS:
            raise InvalidToken("token refused: issued in the future")
        return Identity(user_id=user_id, name=name, expires_at=expires)

    def _user_id(self, client_secret: str) -> str:
        # The prefix keeps this use of the key apart from signing tokens.
        digest = hmac.new(self._secret, b"user-id:" + client_secret.encode(), hashlib.sha256).digest()
        return digest[:USER_ID_BYTES].hex()


def load_secret(store: Store, make: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """Return the signing secret of this store, made once, so that tokens and user ids survive a restart."""
    pk, sk = _SECRET_KEY
    if (item := store.get(pk, sk)) is None:
        item = {"pk": pk, "sk": sk, "secret": make(SECRET_BYTES).hex()}
        try:
            store.put(item, NotExists())
        except ConditionFailed:  # another process was first, and its secret counts
            item = store.get(pk, sk) or item
    return bytes.fromhex(item["secret"])


def _check_client_secret(value: Any) -> str:
    least, most = MIN_CLIENT_SECRET_CHARACTERS, MAX_CLIENT_SECRET_CHARACTERS
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise InvalidField("clientSecret", f"must be text of {least} to {most} characters")
    byte_length("clientSecret", value)
    return value
