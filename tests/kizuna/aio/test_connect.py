"""connect() finds out where it runs, takes every URL that can work there, and refuses the others in words."""

from __future__ import annotations

import asyncio
import sys

import pytest

import kizuna
from kizuna import TEXT, ConfigurationError, FrameStream, connect
from kizuna.aio import AioPlatform
from kizuna.platform import default_platform, whole_url
from kizuna.testing import FakePlatform
from tests.support.socket_server import SocketServer


async def test_a_plain_server_is_sent_nothing_and_need_say_nothing():
    platform = FakePlatform()
    connection = connect("https://example.org/ws", platform=platform)
    assert platform.sockets == []
    connecting = asyncio.create_task(connection.connect())
    await platform.settle()
    assert platform.socket.url == "wss://example.org/ws"
    platform.socket.accept()
    await connecting
    await platform.advance(600)
    assert connection.state.status is kizuna.Status.CONNECTED
    assert platform.socket.sent == []
    connection.disconnect()


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("ws://example.org", "ws://example.org"),
        ("wss://example.org:8443/a?b=c", "wss://example.org:8443/a?b=c"),
        ("http://[::1]:80/", "ws://[::1]:80/"),
        ("https://example.org/ws", "wss://example.org/ws"),
        ("WSS://Example.ORG:/A//b?c=d/e:f", "wss://Example.ORG:/A//b?c=d/e:f"),
        ("ws://user:word@example.org", "ws://user:word@example.org"),
    ],
)
def test_a_whole_url_is_taken_with_either_scheme(url: str, whole: str):
    assert whole_url(url) == whole


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/ws?token=secret", "must begin with ws://, wss://, http:// or https:// and name a host, not '/ws'"),
        ("example.org/ws", "must begin with ws://"),
        ("ftp://example.org", "must begin with ws://"),
        ("wss:/ws", "name a host"),
        ("ws://example.org:x/", "is not a URL, for its host or its port: 'ws://example.org:x/'"),
        ("ws://example.org:65536/?secret", "is not a URL"),
        ("ws://[::1/", "is not a URL"),
        ("ws:///ws", "name a host"),
        ("ws://:80/", "is not a URL"),
        ("ws://example.org/#general", "no fragment"),
        ("", "must be a text, or a function that returns one, not ''"),
        (None, "returns one, not None"),
    ],
)
def test_what_can_never_work_is_refused_at_once(url: str, words: str):
    with pytest.raises(ConfigurationError, match=words) as caught:
        _ = connect(url, platform=FakePlatform())
    assert caught.value.key == "url"
    assert "secret" not in str(caught.value)


def test_without_websockets_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith(("kizuna.aio", "websockets"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "websockets", None)
    with pytest.raises(ImportError, match="pip install 'kizuna\\[aio\\]'"):
        default_platform()


async def test_a_loop_that_is_behind_lets_the_server_wait(
    monkeypatch: pytest.MonkeyPatch,
):
    frames = sys.modules[FrameStream.__module__]
    monkeypatch.setattr(frames, "PAUSE_AT", 20)
    monkeypatch.setattr(frames, "RESUME_AT", 10)
    count = 400
    with SocketServer() as server:
        flood = connect(f"{server.url}/flood?{count}", codec=TEXT, platform=AioPlatform(compression=None))
        async with flood, connect(f"{server.url}/echo", codec=TEXT) as echo:
            echoes = aiter(echo)
            for _ in range(500):  # meanwhile a server that need not wait sends everything
                echo.send("go on")
                await anext(echoes)
            assert server.flooded < count
            numbers = []
            async for frame in flood:
                numbers.append(int(frame))
                if len(numbers) == count:
                    break
            assert numbers == list(range(count))


async def test_a_loop_over_a_real_socket_goes_on_through_a_restart():
    with SocketServer() as server:
        async with connect(
            f"{server.url}/echo", codec=TEXT, options={"first_retry_delay": 0.1}
        ) as connection:
            frames = aiter(connection)
            connection.send("before")
            assert await anext(frames) == "before"
            down = asyncio.Event()
            connection.subscribe(lambda state: state.link, lambda link: None if link else down.set())
            await asyncio.to_thread(server.stop)
            await down.wait()
            server.start()
            await connection.connect()
            connection.send("after")
            assert await anext(frames) == "after"
        assert [frame async for frame in connection] == []
