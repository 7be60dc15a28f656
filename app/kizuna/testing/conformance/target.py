"""The server that is tested: where it is, what its messages are made of, and how it is killed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from kizuna.platform import Platform, TimerHandle

#: A message of this project's chat.
CHAT = {"content": "text {}"}


class NotConforming(AssertionError):
    """The server did something else than the protocol says. The message says what."""


class NotPossible(Exception):
    """A check needs something that is not given. The message says what."""


def _cpython() -> Platform:
    from kizuna.aio import AioPlatform

    return AioPlatform()


def command(text: str) -> Callable[[], Awaitable[object]]:
    """Return a function that runs a command in a shell, and raises NotConforming if it fails."""

    async def run() -> None:
        process = await asyncio.create_subprocess_shell(text)
        if code := await process.wait():
            raise NotConforming(f"the command ended with {code}: {text}")

    return run


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server of wire KIZUNA.

    ``{}`` in a channel, and in a text of the payload, becomes another text each time. A channel without it should be
    one that nobody else uses.
    """

    url: str
    token: str | None = None  #: for the query of the URL
    payload: Mapping[str, Any] = field(default_factory=lambda: CHAT)  #: that of each message
    channel: str = "conformance-{}"
    restart: Callable[[], Awaitable[object]] | None = None  #: kill the server, and start it again
    replace: Callable[[], Awaitable[object]] | None = None  #: replace its history, as a backup does
    within: float = 10.0  #: seconds in which each answer has to come
    platform: Platform = field(default_factory=_cpython)

    @property
    def address(self) -> str:
        """Return the URL with the token in its query."""
        if self.token is None:
            return self.url
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode({'token': self.token})}"

    def new_channel(self) -> str:
        """Return the name of a channel."""
        return _filled(self.channel)

    def data(self) -> dict[str, Any]:
        """Return the payload of one message."""
        return {
            key: _filled(value) if isinstance(value, str) else value for key, value in self.payload.items()
        }

    def deadline(self, on_end: Callable[[], None]) -> Deadline:
        """Return a deadline, ``within`` from now; at its end ``on_end`` is called."""
        return Deadline(self.platform, self.within, on_end)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""
        over = asyncio.Event()
        Deadline(self.platform, seconds, over.set)
        await over.wait()


class Deadline:
    """A moment that comes."""

    def __init__(self, platform: Platform, seconds: float, on_end: Callable[[], None]) -> None:
        self.is_over = False
        self._on_end = on_end
        self._timer: TimerHandle = platform.call_at(platform.now().monotonic + seconds, self._end)

    def cancel(self) -> None:
        """Let it not come."""
        self._timer.cancel()

    def _end(self) -> None:
        self.is_over = True
        self._on_end()


def _filled(text: str) -> str:
    return text.replace("{}", secrets.token_hex(4))
