"""The fake server answers by itself: any wire, any codec, faults by name, and no error in a test's function is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kizuna import (
    ARTICLE,
    BYTES,
    JSON,
    KIZUNA,
    PLAIN,
    TEXT,
    Codec,
    Disconnected,
    Rejected,
    WebSocketService,
    Wire,
    connect,
)
from kizuna.testing import FakeClient, FakePlatform, FakeServer

URL = "wss://example.org/ws"
TIMED = Wire(ping=lambda t: f"ping {t}", pong="pong")
SPOKEN = Wire(ping="ping", pong="pong", ready="welcome")
WIRES: list[tuple[Wire, Codec[Any], Any]] = [
    (PLAIN, JSON, {"n": 1}),
    (ARTICLE, JSON, {"n": 1}),
    (KIZUNA, JSON, {"n": 1}),
    (SPOKEN, TEXT, "one"),
    (TIMED, TEXT, "one"),
    (Wire(ping=b"\x09", pong=b"\x0a", ready=b"\x01"), BYTES, b"one"),
]


def make(
    server: FakeServer, platform: FakePlatform | None = None, **arguments: Any
) -> tuple[FakePlatform, WebSocketService[Any]]:
    """A connection to this server, and the platform that it runs on."""
    platform = platform or FakePlatform(server)
    return platform, connect(URL, platform=platform, wire=server.wire, codec=server.codec, **arguments)


@pytest.mark.parametrize(("wire", "codec", "value"), WIRES)
async def test_every_wire_and_codec_stays_connected_and_carries_frames(
    wire: Wire, codec: Codec[Any], value: Any
):
    server = FakeServer(lambda client, frame: frame, wire=wire, codec=codec)
    platform, connection = make(server)
    async with connection:
        heard: list[Any] = []
        connection.on_message(heard.append)
        await platform.advance(600)
        assert connection.state.status == "connected"
        connection.send(value)
        assert server.frames == server.clients[0].frames == [value]
        await platform.settle()
        assert heard[-1] == value
        assert len(server.urls) == 1
    assert server.clients == []


async def test_round_trips_are_measured_by_the_time_in_the_ping():
    platform, connection = make(FakeServer(wire=KIZUNA))
    async with connection:
        await platform.advance(60)
        assert connection.state.rtt == 0


async def test_ready_can_be_the_answer_to_a_hello():
    server = FakeServer(wire=KIZUNA, hello={"action": "hello"})
    platform, connection = make(server)
    with pytest.raises(TimeoutError, match="still connecting after 5 s of virtual time"):
        await platform.connected(connection, within=5)
    connection.disconnect()
    connection.before_connected(lambda link: link.send_message("hello", {"v": 1}))
    await platform.connected(connection)
    assert server.frames == [{"action": "hello", "v": 1}]
    connection.disconnect()


async def test_a_frame_that_the_codec_cannot_read_is_recorded_as_it_is():
    server = FakeServer(codec=BYTES)
    _, connection = make(server)
    async with connection:
        connection.send_message("say", {"text": "hello"})
        assert server.frames == ['{"action":"say","text":"hello"}']


async def test_one_server_serves_several_platforms():
    server = FakeServer(lambda client, frame: server.broadcast(frame))
    (here, mine), (_, yours) = make(server), make(server)
    async with mine, yours:
        heard: list[Any] = []
        for connection in (mine, yours):
            connection.on_message(heard.append)
        mine.send("hello")
        await here.settle()
        assert heard == ["hello", "hello"]
        server.clients[1].send("you alone")
        assert heard[2:] == ["you alone"]
        server.clients[1].drop()
        assert (mine.is_connected(), yours.is_connected()) == (True, False)


async def test_url_and_token_of_each_attempt_are_recorded():
    tokens = iter("ab")
    server = FakeServer()
    platform, connection = make(server, get_access_token=lambda: next(tokens))
    async with connection:
        server.drop_all()
        await platform.connected(connection)
        assert server.urls == [f"{URL}?token=a", f"{URL}?token=b"]
        assert server.clients[0].url == server.urls[1]


# --- faults ---


async def test_a_server_that_is_down_refuses_until_it_comes_up():
    server = FakeServer()
    server.go_down()
    platform, connection = make(server)
    with pytest.raises(TimeoutError, match="still exhausted"):
        await platform.connected(connection, within=60)
    assert len(server.urls) > 5
    server.come_up()
    await platform.connected(connection)
    server.go_down()
    assert connection.state.status == "waiting"
    connection.disconnect()


async def test_a_server_that_hangs_is_noticed_and_left():
    server = FakeServer(lambda client, frame: frame, wire=KIZUNA)
    platform, connection = make(server)
    async with connection:
        heard: list[Any] = []
        connection.on_message(heard.append)
        await platform.settle()
        heard.clear()
        server.hang()
        connection.send({"n": 1})
        server.broadcast({"n": 2})
        await platform.until(lambda: connection.state.status == "suspect")
        await platform.until(lambda: connection.state.status == "connecting")
        assert heard == server.frames == server.clients == []
        server.come_up()  # the handshake that hangs goes on
        await platform.connected(connection)
        assert len(server.urls) == 2


async def test_a_handshake_that_hangs_ends_with_the_server_or_the_page():
    server = FakeServer()
    server.hang()
    platform, connection = make(server)
    with pytest.raises(TimeoutError):
        await platform.connected(connection, within=1)
    server.go_down()
    assert connection.state.status == "waiting"
    server.come_up()
    server.hang()
    await platform.advance(2)
    connection.disconnect()
    server.come_up()
    await platform.settle()
    assert (len(server.urls), server.clients) == (2, [])


async def test_every_connection_is_closed_with_a_code_until_the_server_comes_up():
    server = FakeServer(wire=KIZUNA)
    platform, connection = make(server)
    async with connection:
        server.refuse(1013, "try later")
        reason = connection.state.reason
        assert (reason and reason.code) == 1013
        await platform.advance(10)
        assert (connection.is_connected(), server.clients) == (False, [])
        server.come_up()
        await platform.connected(connection)


async def test_waiting_for_a_connection_ends_when_it_is_refused_for_good():
    server = FakeServer(wire=KIZUNA)
    server.refuse(1008, "banned")
    platform, connection = make(server)
    with pytest.raises(Rejected, match="refused"):
        await platform.connected(connection)


async def test_a_restart_closes_all_and_takes_them_back():
    server = FakeServer()
    platform, connection = make(server)
    async with connection:
        server.close_all()
        assert connection.state.reason is not None
        assert connection.state.reason.code == 1012
        await platform.connected(connection)


async def test_a_page_that_leaves_before_the_server_accepts_is_no_client():
    server = FakeServer(wire=KIZUNA)
    platform, connection = make(server)
    connecting = asyncio.ensure_future(connection.connect())
    await asyncio.sleep(0)
    connection.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    await platform.settle()
    assert (len(server.urls), server.clients) == (1, [])


async def test_an_own_protocol_is_a_subclass():
    class Rooms(FakeServer):
        def on_open(self, client: FakeClient) -> None:
            client.send(["welcome"])

        def on_frame(self, client: FakeClient, frame: Any) -> None:
            client.send([frame, len(client.frames)])

    platform, connection = make(Rooms())
    async with connection:
        connection.send("a")
        connection.send("b")
        heard: list[Any] = []
        connection.on_message(heard.append)
        await platform.until(lambda: heard == [["welcome"], ["a", 2], ["b", 2]])


# --- functions of the test ---


def fail(client: FakeClient, frame: Any) -> Any:
    raise ZeroDivisionError(frame)


async def test_an_error_in_the_tests_own_answer_is_raised_once():
    server = FakeServer(fail)
    platform, connection = make(server)
    contexts: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))
    async with connection:
        connection.send(1)
        connection.send(2)
        with pytest.raises(ZeroDivisionError, match="1"):
            await platform.settle()
        await platform.settle()
        assert len(contexts) == 2  # the event loop was told of both


async def test_a_condition_that_nothing_can_bring_about_is_given_up():
    platform = FakePlatform()
    with pytest.raises(TimeoutError, match="did not come to hold within 300 s of virtual time"):
        await platform.until(lambda: False)
