"""The keys that verify tokens: fetched when needed, kept for a while, and fetched again.

A new secret or key is valid from its first use on: when a token does not fit the kept keys, they are fetched again, at
most every 30 s, whatever clients send. While they cannot be fetched, the old ones are used for an hour.

No error and no log line holds a token or a key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from typing import Any, Generic, Protocol, TypeVar

import jwt

from backend.auth.tokens import ALGORITHM, SECRET_BYTES, InvalidToken

log = logging.getLogger(__name__)

# The algorithms of identity providers.
PUBLIC_ALGORITHMS = ("RS256", "ES256")
# How long a secret or a set of keys is believed before it is fetched again: a withdrawn one is good for 5 minutes.
LIFETIME_SECONDS = 300.0
# How soon it is fetched again when it does not fit, or could not be fetched.
AGAIN_SECONDS = 30.0
# How long a value is used while it cannot be fetched again.
STALE_SECONDS = 3600.0
# A handshake waits for this, and API Gateway ends it after 29 s.
FETCH_TIMEOUT_SECONDS = 3.0

T = TypeVar("T")


class VerifierUnavailable(Exception):
    """No token can be verified now: the secret or the keys cannot be fetched. The text says which."""


class UnknownKey(InvalidToken):
    """A token that none of the known keys has signed. There may be newer ones."""


class Keys(Protocol):
    """The keys that verify tokens."""

    @property
    def algorithms(self) -> Sequence[str]:
        """The algorithms that tokens may be signed with."""

    def key_for(self, token: str) -> Any:
        """Return the key for a token. Raises InvalidToken, UnknownKey, VerifierUnavailable."""

    def refresh(self) -> bool:
        """Fetch again because a token did not fit; return False if that was done just now, or failed."""


class RefreshingCache(Generic[T]):
    """A value that is fetched, kept, and fetched again.

    ``fetch`` gives it or raises VerifierUnavailable. ``clock`` gives epoch seconds: the monotonic clock of a frozen
    function may stop.
    """

    def __init__(self, what: str, fetch: Callable[[], T], clock: Callable[[], float]) -> None:
        self._what = what
        self._fetch = fetch
        self._clock = clock
        self._value: T | None = None
        self._fetched_at = 0.0
        self._tried_at = 0.0

    def get(self) -> T:
        """Return the value, at most five minutes old if it can be fetched. Raises VerifierUnavailable."""
        if self._value is None:
            return self._take(self._fetch())
        if self._since(self._fetched_at) >= LIFETIME_SECONDS:
            self.refresh()
        if self._since(self._fetched_at) >= STALE_SECONDS:
            raise VerifierUnavailable(f"{self._what} could not be fetched again for an hour")
        return self._value

    def refresh(self) -> bool:
        """Fetch the value unless that was tried within 30 s. Return whether it was fetched."""
        if self._since(self._tried_at) < AGAIN_SECONDS:
            return False
        self._tried_at = self._clock()
        try:
            self._take(self._fetch())
        except VerifierUnavailable as error:
            log.warning("%s could not be fetched: %s", self._what, error)
            return False
        return True

    def _take(self, value: T) -> T:
        self._value = value
        self._fetched_at = self._tried_at = self._clock()
        return value

    def _since(self, moment: float) -> float:
        """Return the seconds since a moment; a clock that was set back makes everything old."""
        passed = self._clock() - moment
        return passed if passed >= 0 else STALE_SECONDS


class SharedSecret:
    """The one secret of HS256. ``fetch`` gives it or raises VerifierUnavailable."""

    algorithms = (ALGORITHM,)

    def __init__(self, fetch: Callable[[], bytes], *, clock: Callable[[], float] = time.time) -> None:
        self._cache = RefreshingCache("the token secret", lambda: _long_enough(fetch()), clock)
        self.refresh = self._cache.refresh

    def key_for(self, token: str) -> bytes:
        """Return the secret, whatever the token."""
        return self._cache.get()


class PublishedKeys:
    """The public keys of RS256 and ES256 at a JWKS address."""

    algorithms = PUBLIC_ALGORITHMS

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        # It fetches and parses; the cache decides when.
        self._client = jwt.PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_TIMEOUT_SECONDS)
        self._cache = RefreshingCache("the published keys", self._fetch, clock)
        self.refresh = self._cache.refresh

    def key_for(self, token: str) -> Any:
        """Return the key whose ``kid`` the token names."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise InvalidToken(f"token refused: {type(error).__name__}") from None
        if header.get("alg") not in self.algorithms:
            raise InvalidToken("token refused: another algorithm")
        if (key := self._cache.get().get(header.get("kid", ""))) is None:
            raise UnknownKey("token refused: signed with an unknown key")
        return key

    def _fetch(self) -> Mapping[str, jwt.PyJWK]:
        try:
            return {str(key.key_id): key for key in self._client.get_signing_keys()}
        except (jwt.PyJWTError, ValueError, OSError, HTTPException) as error:
            raise VerifierUnavailable(f"JWKS_URL: {type(error).__name__}") from None


def _long_enough(secret: bytes) -> bytes:
    if len(secret) < SECRET_BYTES:
        raise VerifierUnavailable(
            f"TOKEN_SECRET_PARAMETER: the secret must have at least {SECRET_BYTES} bytes (RFC 7518, 3.2)"
        )
    return secret
