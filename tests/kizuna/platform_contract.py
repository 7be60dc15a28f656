"""The contract of kizuna.platform.Platform: plain functions over a platform and tests/support/socket_server.py.

No pytest in here: the same functions run inside pages and workers (tests/e2e/test_platforms.py).
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from typing import Any

#: A platform of this library, with what it has beyond the protocol.
Platform = Any
#: Seconds until a wait fails.
PATIENCE = 100.0


class Ear:
    """A listener that records a socket's events."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._news = asyncio.Event()

    def on_open(self) -> None:
        self._hear("open")

    def on_text(self, text: str) -> None:
        self._hear(text)

    def on_binary(self, data: bytes) -> None:
        self._hear(data)

    def on_close(self, code: int, reason: str) -> None:
        self._hear((code, reason))

    async def hears(self, *events: Any) -> None:
        """Wait until there are as many events, and compare them."""
        while len(self.heard) < len(events):
            await self.hears_more()
        assert self.heard == list(events), self.heard

    async def hears_more(self) -> None:
        """Wait for the next event, unless one has come since the last call."""
        async with asyncio.timeout(PATIENCE):
            await self._news.wait()
        self._news.clear()

    def _hear(self, event: Any) -> None:
        self.heard.append(event)
        self._news.set()


async def an_open_socket_carries_text_both_ways(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/echo", ear)
    assert not socket.is_open
    await ear.hears("open")
    assert socket.is_open
    for text in ("こんにちは", "", "x" * 100_000):
        socket.send(text)
    await ear.hears("open", "こんにちは", "", "x" * 100_000)
    socket.abandon(1000, "")


async def an_open_socket_carries_bytes_both_ways(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/echo", ear)
    await ear.hears("open")
    for data in (b"\x00\xff", b"", "text"):
        socket.send(data)
    await ear.hears("open", b"\x00\xff", b"", "text")
    socket.abandon(1000, "")


async def half_a_surrogate_pair_arrives_as_the_replacement_character(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/echo", ear)
    await ear.hears("open")
    socket.send("half \ud83d, whole \U0001f600")
    await ear.hears("open", "half \ufffd, whole \U0001f600")
    socket.abandon(1000, "")


async def a_refused_handshake_is_1006_without_a_reason(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/refuse?token=secret", ear)
    await ear.hears((1006, ""))
    assert not socket.is_open
    socket.abandon(1000, "")


async def the_servers_code_and_reason_are_told(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/close?4003&%E7%B5%86", ear)
    await ear.hears("open", (4003, "絆"))
    assert not socket.is_open
    socket.send("too late")
    socket.abandon(1000, "")


async def a_connection_that_breaks_is_1006(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/drop", ear)
    await ear.hears("open")
    socket.send("now")
    await ear.hears("open", (1006, ""))
    socket.abandon(1000, "")


async def the_server_chooses_among_the_subprotocols(platform: Platform, url: str) -> None:
    ear, plain = Ear(), Ear()
    socket = platform.open_socket(f"{url}/echo", ear, ["other", "kizuna.test"])
    unspoken = platform.open_socket(f"{url}/echo", plain)
    await ear.hears("open")
    await plain.hears("open")
    assert (socket.protocol, unspoken.protocol) == ("kizuna.test", "")
    socket.abandon(1000, "")
    unspoken.abandon(1000, "")


async def a_server_that_speaks_none_of_the_subprotocols_is_1006(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/echo", ear, ["other"])
    await ear.hears((1006, ""))
    socket.abandon(1000, "")


async def what_is_no_url_raises_without_showing_it(platform: Platform, url: str) -> None:
    for wrong in ("ftp://127.0.0.1/?token=secret", "ws://127.0.0.1:x/?token=secret"):
        try:
            platform.open_socket(wrong, Ear())
        except ValueError as error:
            assert "secret" not in str(error)  # noqa: PT017 - no pytest here
        else:
            raise AssertionError(wrong)


async def an_abandoned_socket_hears_nothing_and_closes_after_its_frames(platform: Platform, url: str) -> None:
    ear = Ear()
    socket = platform.open_socket(f"{url}/echo", ear)
    await ear.hears("open")
    for text in ("one", "two"):
        socket.send(text)
    socket.abandon(4001, "bye")
    socket.abandon(1000, "again")
    socket.send("into the void")
    assert not socket.is_open
    assert await _ended_with(platform, url, 4001) == {
        "path": "/echo",
        "frames": ["one", "two"],
        "code": 4001,
        "reason": "bye",
    }
    assert ear.heard == ["open"]


async def a_listener_may_abandon_its_socket(platform: Platform, url: str) -> None:
    class Leaver(Ear):
        def on_text(self, text: str) -> None:
            super().on_text(text)
            socket.abandon(4002, text)

    ear = Leaver()
    socket = platform.open_socket(f"{url}/echo", ear)
    await ear.hears("open")
    socket.send("one")
    socket.send("two")
    assert (await _ended_with(platform, url, 4002))["reason"] == "one"
    assert ear.heard == ["open", "one"]


async def _ended_with(platform: Platform, url: str, code: int) -> Any:
    """Return how the server saw a connection end, once one has ended with this code."""
    observer = Ear()
    socket = platform.open_socket(f"{url}/ends", observer)
    await observer.hears("open")
    while True:
        socket.send("?")
        await observer.hears_more()
        for end in json.loads(observer.heard[-1]) if observer.heard[-1] != "open" else ():
            if end["code"] == code:
                socket.abandon(1000, "")
                return end


async def a_socket_abandoned_before_it_opens_hears_nothing(platform: Platform, url: str) -> None:
    ear, later = Ear(), Ear()
    platform.open_socket(f"{url}/echo", ear).abandon(1000, "")
    socket = platform.open_socket(f"{url}/echo", later)
    await later.hears("open")
    assert ear.heard == []
    socket.abandon(1000, "")


async def timers_fire_in_order_and_never_once_cancelled(platform: Platform, url: str) -> None:
    fired: list[str] = []
    done = asyncio.Event()
    now = platform.now().monotonic
    platform.call_at(now + 0.06, done.set)
    platform.call_at(now + 0.04, lambda: fired.append("second"))
    platform.call_at(now - 1, lambda: fired.append("first"))
    cancelled = platform.call_at(now + 0.02, lambda: fired.append("never"))
    cancelled.cancel()
    cancelled.cancel()
    async with asyncio.timeout(PATIENCE):
        await done.wait()
    assert fired == ["first", "second"], fired
    assert platform.now().monotonic >= now + 0.05  # browsers count whole milliseconds


async def both_clocks_go_on_and_chance_is_a_fraction(platform: Platform, url: str) -> None:
    before = platform.now()
    done = asyncio.Event()
    platform.call_at(before.monotonic + 0.02, done.set)
    await done.wait()
    after = platform.now()
    assert after.monotonic > before.monotonic
    assert after.wall > before.wall
    assert 0 <= platform.random() < 1


async def a_page_is_watched_until_told_otherwise(platform: Platform, url: str) -> None:
    state = platform.page()
    assert (state.visible, state.online) == (True, True), state
    stop = platform.watch_page(lambda event: None)
    stop()
    stop()


Duty = Callable[[Platform, str], Awaitable[None]]
#: Every duty of a platform.
CONTRACT: tuple[Duty, ...] = tuple(
    duty
    for name, duty in tuple(globals().items())
    if inspect.isfunction(duty) and inspect.iscoroutinefunction(duty) and not name.startswith("_")
)
