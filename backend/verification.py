"""Whom a token names that somebody else has signed: an identity provider, or a service that shares a secret.

HS256 with a secret that both sides know, or RS256 and ES256 with the public keys that the provider publishes (JWKS).
The one rules out the other: a token never chooses by which of both it is checked.

No error and no log line holds a token or a key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import jwt
from jwt.exceptions import PyJWKClientConnectionError, PyJWKClientError

from backend.tokens import ALGORITHM, LEEWAY_SECONDS, SECRET_BYTES, Identity, InvalidToken
from chat.protocol import InvalidField, check_id, check_person_name

log = logging.getLogger(__name__)

# What identity providers sign with.
PUBLIC_ALGORITHMS = ("RS256", "ES256")
# How long a secret or a set of keys is believed before it is fetched again: a new one is in use after 5 minutes.
KEY_LIFETIME_SECONDS = 300.0
# A handshake waits for this, and API Gateway ends it after 29 s.
FETCH_TIMEOUT_SECONDS = 3.0
# Where providers put a name to show, in order of preference. An address (email) is not for everybody to see.
NAME_CLAIMS = ("name", "preferred_username", "nickname", "cognito:username")


class VerifierUnavailable(Exception):
    """Nobody can say now whether a token is good: its secret or keys cannot be had. The text says which."""


class Verifier(Protocol):
    """Responsible for saying whom a token names."""

    def verify(self, token: str) -> Identity:
        """The person. Raises InvalidToken, and VerifierUnavailable when that says nothing about the token."""


class Keys(Protocol):
    """Responsible for the keys that tokens are checked with."""

    @property
    def algorithms(self) -> Sequence[str]:
        """What tokens may be signed with."""

    def key_for(self, token: str) -> Any:
        """The key for a token. Raises InvalidToken if there is none, VerifierUnavailable if nobody knows."""


class SharedSecret:
    """Responsible for one secret, fetched when it is needed and again after five minutes.

    ``fetch`` gives the secret or raises VerifierUnavailable; an old secret serves on while it does.
    """

    algorithms = (ALGORITHM,)

    def __init__(
        self, fetch: Callable[[], bytes], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._secret: bytes | None = None
        self._fetched_at = 0.0

    def key_for(self, token: str) -> bytes:
        """The secret, whatever the token."""
        now = self._monotonic()
        if self._secret is None or now - self._fetched_at >= KEY_LIFETIME_SECONDS:
            try:
                self._secret = _long_enough(self._fetch())
                self._fetched_at = now
            except VerifierUnavailable as error:
                if self._secret is None:
                    raise
                log.warning("the token secret could not be fetched again: %s", error)
        return self._secret


class PublishedKeys:
    """Responsible for the public keys at a JWKS address. A key that is new there is noticed within 30 s."""

    algorithms = PUBLIC_ALGORITHMS

    def __init__(self, url: str) -> None:
        self._client = jwt.PyJWKClient(url, lifespan=KEY_LIFETIME_SECONDS, timeout=FETCH_TIMEOUT_SECONDS)

    def key_for(self, token: str) -> Any:
        """The key whose ``kid`` the token names."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise _refused(type(error).__name__) from None
        if header.get("alg") not in self.algorithms:
            raise _refused("another algorithm")
        try:
            self._client.get_signing_keys()
        except (jwt.PyJWTError, ValueError) as error:
            raise VerifierUnavailable(f"JWKS_URL: {type(error).__name__}") from None
        try:
            return self._client.get_signing_key(header.get("kid", ""))
        except PyJWKClientConnectionError as error:
            raise VerifierUnavailable(f"JWKS_URL: {type(error).__name__}") from None
        except PyJWKClientError:
            raise _refused("signed with an unknown key") from None


class JwtVerifier:
    """Responsible for JWTs that are meant for us: signature, audience, issuer, times, and whom they name.

    ``issuer`` None: whoever has the key may have issued it. ``clock`` gives epoch seconds.
    """

    def __init__(
        self, keys: Keys, *, audience: str, issuer: str | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._clock = clock

    def verify(self, token: str) -> Identity:
        """The person that ``token`` names. Raises InvalidToken, VerifierUnavailable."""
        if not token.isascii():
            raise _refused("no JWT")
        # Times are checked below, against the injected clock.
        times = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        options: Any = {"require": ["sub", "aud", "exp"], **times}
        try:
            claims = jwt.decode(
                token,
                self._keys.key_for(token),
                algorithms=self._keys.algorithms,
                audience=self._audience,
                issuer=self._issuer,
                options=options,
            )
        except jwt.PyJWTError as error:
            raise _refused(type(error).__name__) from None
        return Identity(user_id=_user_id(claims), name=_name(claims), expires_at=self._expiry(claims))

    def _expiry(self, claims: Mapping[str, Any]) -> int:
        now = self._clock()
        expires = _seconds(claims, "exp")
        if expires <= now:
            raise _refused("expired")
        for claim in ("iat", "nbf"):
            if claim in claims and _seconds(claims, claim) > now + LEEWAY_SECONDS:
                raise _refused(f"{claim} lies in the future")
        return expires


def _user_id(claims: Mapping[str, Any]) -> str:
    try:
        return check_id("sub", claims["sub"])
    except InvalidField as error:
        raise _refused(str(error)) from None


def _name(claims: Mapping[str, Any]) -> str:
    for claim in NAME_CLAIMS:
        try:
            return check_person_name(claim, claims.get(claim))
        except InvalidField:
            continue
    raise _refused(f"it needs a name to show, of 1 to 40 characters, in one of {', '.join(NAME_CLAIMS)}")


def _seconds(claims: Mapping[str, Any], claim: str) -> int:
    """A time in whole seconds; JWT allows fractions (RFC 7519, 2)."""
    value = claims[claim]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise _refused(f"{claim} is no time")
    return int(value)


def _refused(why: str) -> InvalidToken:
    return InvalidToken(f"token refused: {why}")


def _long_enough(secret: bytes) -> bytes:
    if len(secret) < SECRET_BYTES:
        raise VerifierUnavailable(
            f"TOKEN_SECRET_PARAMETER: the secret must have at least {SECRET_BYTES} bytes (RFC 7518, 3.2)"
        )
    return secret
