"""Every error that the library raises at its callers.

    KizunaError
    ├── ConfigurationError       an option or a URL that cannot work; names the key
    ├── NotConnected             send_message() while no link is open
    ├── FrameTooLarge            a frame that the gateway would answer by closing the connection
    ├── StorageFailed            the platform's storage keeps nothing: forbidden, full or broken
    ├── Unauthorized             raised by a token provider: the identity provider said no; do not come back
    ├── TryLater                 raised by a token provider: the identity provider asks for so many seconds of patience
    └── ConnectionFailed         connect() ended without a connection
        ├── Exhausted            the retry budget is spent; Try now, connect() or the page's return begin again
        ├── Rejected             the server, or the token provider, said not to come back
        └── Disconnected         disconnect() was called meanwhile

What networks and browsers do never raises: it becomes a state with a reason.
"""

from __future__ import annotations


class KizunaError(Exception):
    """Base of all errors of this library."""


class ConfigurationError(KizunaError, ValueError):
    """An option that cannot work. ``key`` is its name as the user wrote it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class NotConnected(KizunaError):
    """There is no open link to send on."""


class FrameTooLarge(KizunaError):
    """The frame has ``size`` bytes of UTF-8, more than the ``limit`` at which gateways close the connection."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the frame has {size:,} bytes of UTF-8; the gateway closes connections above {limit:,}"
        )
        self.size = size
        self.limit = limit


class StorageFailed(KizunaError):
    """The storage could not do what was asked, and nothing of it was done."""


class Unauthorized(KizunaError):
    """For token providers to raise: the token endpoint itself said no, so asking again is useless. A 401 or 403 of
    anybody else, such as a proxy or a firewall, is no such answer."""


class TryLater(KizunaError):
    """For token providers to raise: the token endpoint names a time, as 429 and 503 do in ``Retry-After``. The next
    attempt comes after ``retry_after`` seconds at the earliest, and costs no retry."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConnectionFailed(KizunaError):
    """connect() ended without a connection."""


class Exhausted(ConnectionFailed):
    """The retry budget is spent."""


class Rejected(ConnectionFailed):
    """The server said not to come back."""


class Disconnected(ConnectionFailed):
    """disconnect() was called before the connection stood."""
