"""The errors of the library.

    KizunaError
    ├── ConfigurationError       an option or a URL that cannot work; names the key
    ├── NotConnected             send_message() while no link is open
    ├── FrameTooLarge            a frame for which the gateway would close the connection
    ├── Overrun                  more frames are unread than frames(limit=...) allows
    ├── StorageFailed            the platform's storage is forbidden, full or broken
    ├── Unauthorized             raised by a token provider: the token endpoint refused; no further attempt
    ├── TryLater                 raised by a token provider: the token endpoint names a time for the next attempt
    └── ConnectionFailed         connect() ended without a connection
        ├── Exhausted            the retry budget is spent; try_now(), connect() or showing the page starts again
        ├── Rejected             the server, or the token provider, wants no further attempt
        └── Disconnected         disconnect() was called meanwhile

What networks and browsers do never raises: it becomes a state with a reason.
"""

from __future__ import annotations


class KizunaError(Exception):
    """Base of all errors of this library."""


class ConfigurationError(KizunaError, ValueError):
    """An option that cannot work. ``key``: its name as the user wrote it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class NotConnected(KizunaError):
    """There is no open link to send on."""


class FrameTooLarge(KizunaError):
    """The frame has ``size`` bytes of UTF-8, more than ``limit``: gateways close the connection for that."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the frame has {size:,} bytes, and max_frame_bytes is {limit:,}: servers close the connection for more"
        )
        self.size = size
        self.limit = limit


class Overrun(KizunaError):
    """More than ``limit`` frames were unread. They were dropped; the connection goes on, and so may the next loop."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit:,} frames were unread, and were dropped: the loop is too slow")
        self.limit = limit


class StorageFailed(KizunaError):
    """The storage could not do what was asked, and has changed nothing."""


class Unauthorized(KizunaError):
    """For token providers to raise: the token endpoint itself refused, so another attempt is useless.

    A 401 or 403 that comes from something else, such as a proxy or a firewall, is not such an answer.
    """


class TryLater(KizunaError):
    """For token providers to raise: the token endpoint names a time, as 429 and 503 do in ``Retry-After``.

    The next attempt comes after at least ``retry_after`` seconds, and costs no retry.
    """

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
    """disconnect() was called before the connection was open."""
