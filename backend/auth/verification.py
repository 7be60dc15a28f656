"""The verification of tokens of an identity provider, or of a service that shares a secret.

HS256 with a secret that both sides know, or RS256 and ES256 with the public keys that the provider publishes (JWKS).
One excludes the other: a token never chooses the algorithm.

No error and no log line holds a token or a key.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jwt

from backend.auth.keys import Keys, UnknownKey
from backend.auth.tokens import LEEWAY_SECONDS, Identity, InvalidToken
from chat.protocol import InvalidField, check_id, check_number, check_person_name

# The claims with a name to show, in order of preference. An address (email) is not public.
NAME_CLAIMS = ("name", "preferred_username", "nickname", "cognito:username")


class Verifier(Protocol):
    """Anything that verifies tokens."""

    def verify(self, token: str) -> Identity:
        """Return the person of a token. Raises InvalidToken, and VerifierUnavailable when that says nothing about the
        token."""


class JwtVerifier:
    """The check of JWTs: signature, audience, issuer, times, and person.

    ``issuer`` None: any holder of the key may have issued it. ``clock`` gives epoch seconds.
    """

    def __init__(
        self, keys: Keys, *, audience: str, issuer: str | None, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._clock = clock

    def verify(self, token: str) -> Identity:
        """Return the person that ``token`` names. Raises InvalidToken, VerifierUnavailable."""
        if not token.isascii():
            raise _refused("no JWT")
        try:
            claims = self._claims(token)
        except UnknownKey:
            if not self._keys.refresh():
                raise
            claims = self._claims(token)
        return Identity(user_id=_user_id(claims), name=_name(claims), expires_at=self._expiry(claims))

    def _claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token after checking its signature. Raises InvalidToken, UnknownKey,
        VerifierUnavailable."""
        # Times are checked below, against the injected clock.
        times = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        options: Any = {"require": ["sub", "aud", "exp"], **times}
        try:
            return jwt.decode(
                token,
                self._keys.key_for(token),
                algorithms=self._keys.algorithms,
                audience=self._audience,
                issuer=self._issuer,
                options=options,
            )
        except jwt.InvalidSignatureError as error:
            raise UnknownKey(f"token refused: {type(error).__name__}") from None
        except jwt.PyJWTError as error:
            raise _refused(type(error).__name__) from None

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
    """Return a time in whole seconds; JWT allows fractions (RFC 7519, 2)."""
    try:
        return int(check_number(claim, claims[claim]))
    except InvalidField:
        raise _refused(f"{claim} is no time") from None


def _refused(why: str) -> InvalidToken:
    return InvalidToken(f"token refused: {why}")
