"""The platform of CPython keeps the platforms' contract, and lets a fast server wait for a slow application."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from kizuna.aio import AioPlatform, websocket
from kizuna.platform import PausableSocket
from kizuna.testing import FaultPlatform
from tests.kizuna.platform_contract import CONTRACT, Duty, Ear
from tests.support.process import LOOPBACK, PATIENCE, free_port
from tests.support.socket_server import SIZE, SocketServer

#: What a server does when a ping comes.
OnPing = Callable[["RawConnection"], None]


@pytest.fixture(scope="module")
def server() -> Iterator[SocketServer]:
    with SocketServer() as server:
        yield server


@pytest.fixture(autouse=True)
async def nothing_is_left() -> AsyncIterator[None]:
    """Every abandoned socket is closed, and its tasks are gone."""
    yield
    await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def eventually(holds: Callable[[], bool]) -> None:
    """Let the event loop run until this holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - several things make it hold
            await asyncio.sleep(0.001)


def said(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, but for the test's own server."""
    return "\n".join(record.getMessage() for record in caplog.records if record.name != "websockets.server")


class RawConnection(asyncio.Protocol):
    """A server's end of one connection, which answers nothing but the handshake."""

    def __init__(self, on_ping: OnPing) -> None:
        self.protocol = ServerProtocol()
        self.pings = 0
        self._on_ping = on_ping

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
                self.transport.write(b"".join(self.protocol.data_to_send()))
            elif isinstance(event, Frame) and event.opcode is Opcode.PING:
                self.pings += 1
                self._on_ping(self)

    def say(self, *texts: str) -> None:
        """Send frames, all in one packet."""
        self.protocol.data_to_send()  # without the pongs
        for text in texts:
            self.protocol.send_text(text.encode())
        self.transport.write(b"".join(self.protocol.data_to_send()))


@contextlib.asynccontextmanager
async def raw_server(
    on_ping: OnPing = lambda connection: None,
) -> AsyncIterator[tuple[str, list[RawConnection]]]:
    """A server that does not answer; its address and its connections so far."""
    connections: list[RawConnection] = []

    def accept() -> RawConnection:
        connections.append(RawConnection(on_ping))
        return connections[-1]

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(accept, LOOPBACK, 0)
    try:
        yield f"ws://{LOOPBACK}:{listening.sockets[0].getsockname()[1]}", connections
    finally:
        listening.close()
        for connection in connections:
            connection.transport.abort()


@pytest.mark.parametrize("duty", CONTRACT, ids=lambda duty: duty.__name__)
async def test_the_platform_keeps_the_contract(duty: Duty, server: SocketServer) -> None:
    await duty(AioPlatform(), server.url)


@pytest.mark.parametrize("duty", CONTRACT, ids=lambda duty: duty.__name__)
async def test_a_platform_with_faults_keeps_it_while_none_is_armed(duty: Duty, server: SocketServer) -> None:
    await duty(FaultPlatform(AioPlatform()), server.url)


async def test_calls_come_soon_and_in_order() -> None:
    called: list[int] = []
    for number in range(3):
        AioPlatform().call_soon(functools.partial(called.append, number))
    assert called == []
    await asyncio.sleep(0)
    assert called == [0, 1, 2]


async def test_the_server_waits_while_the_application_reads_nothing(server: SocketServer) -> None:
    platform, ear, echoes, count = AioPlatform(compression=None), Ear(), Ear(), 400
    socket, echo = (
        platform.open_socket(f"{server.url}{path}", it)
        for path, it in ((f"/flood?{count}", ear), ("/echo", echoes))
    )
    assert isinstance(socket, PausableSocket)
    socket.pause_reading()
    for _ in range(500):  # meanwhile a server that need not wait sends everything
        await echoes.hears_more()
        echo.send("go on")
    assert server.flooded < count
    socket.resume_reading()
    await ear.hears("open", *(str(number).rjust(SIZE) for number in range(count)))
    socket.abandon(1000, "")
    echo.abandon(1000, "")


async def test_an_unanswered_ping_breaks_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kizuna.aio")
    async with raw_server() as (url, _):
        ear = Ear()
        AioPlatform(ping_interval=0.01, ping_timeout=0.01).open_socket(url, ear)
        await ear.hears("open", (1006, ""))
    assert "no answer to a ping within 0.01 s" in caplog.text


async def test_a_connection_that_breaks_while_a_ping_is_out_is_1006() -> None:
    async with raw_server(lambda connection: connection.transport.abort()) as (url, _):
        ear = Ear()
        AioPlatform(ping_interval=0.01).open_socket(url, ear)
        await ear.hears("open", (1006, ""))


async def test_a_frame_proves_the_connection_as_well_as_a_pong() -> None:
    async with raw_server(lambda connection: connection.say("here")) as (url, connections):
        ear = Ear()
        socket = AioPlatform(ping_interval=0.01, ping_timeout=5).open_socket(url, ear)
        await ear.hears("open", "here")
        await eventually(lambda: connections[0].pings == 1)
        socket.abandon(1000, "")


async def test_a_listener_that_abandons_hears_no_frame_that_came_together() -> None:
    class Leaver(Ear):
        def on_text(self, text: str) -> None:
            super().on_text(text)
            socket.abandon(1000, "")

    async with raw_server(lambda connection: connection.say("one", "two")) as (url, _):
        ear = Leaver()
        socket = AioPlatform(ping_interval=0.01).open_socket(url, ear)
        await ear.hears("open", "one")
        await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})
        assert ear.heard == ["open", "one"]


async def test_answered_pings_break_nothing(server: SocketServer) -> None:
    ear = Ear()
    socket = AioPlatform(ping_interval=0.001).open_socket(f"{server.url}/echo", ear)
    for _ in range(50):
        await ear.hears_more()
        socket.send("x")
    assert "open" in ear.heard
    socket.abandon(1000, "")


async def test_silence_means_nothing_while_reading_is_paused() -> None:
    async with raw_server() as (url, connections):
        ear = Ear()
        socket = AioPlatform(ping_interval=0.01, ping_timeout=0.01).open_socket(url, ear)
        socket.pause_reading()
        await ear.hears("open")
        await eventually(lambda: connections[0].pings >= 3)
        assert ear.heard == ["open"]
        socket.resume_reading()
        await ear.hears("open", (1006, ""))


async def test_a_socket_without_keepalive_sends_no_ping(server: SocketServer) -> None:
    ear = Ear()
    socket = AioPlatform(ping_interval=None).open_socket(f"{server.url}/echo", ear)
    await ear.hears("open")
    socket.send("x")
    await ear.hears("open", "x")
    assert len(asyncio.all_tasks()) == 3  # this one, and those that read and write
    socket.abandon(1000, "")


@pytest.mark.parametrize("unsent", [0, 20_000_000])
async def test_a_dead_server_holds_nobody_up(unsent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "CLOSE_TIMEOUT", 0.01)
    async with raw_server() as (url, connections):
        ear = Ear()
        socket = AioPlatform(compression=None).open_socket(url, ear)
        await ear.hears("open")
        connections[0].transport.pause_reading()
        socket.send("x" * unsent)
        socket.abandon(1000, "")
        await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})


async def test_a_close_code_that_no_frame_may_have_still_closes(server: SocketServer) -> None:
    ear, before = Ear(), len(server.ends)
    socket = AioPlatform().open_socket(f"{server.url}/echo", ear)
    await ear.hears("open")
    socket.abandon(1005, "")
    await eventually(lambda: len(server.ends) > before)
    assert server.ends[-1]["code"] == 1000


async def test_an_error_of_the_listener_is_reported_and_ends_nothing(server: SocketServer) -> None:
    class Broken(Ear):
        def on_text(self, text: str) -> None:
            super().on_text(text)
            raise ZeroDivisionError(text)

    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    ear = Broken()
    socket = AioPlatform().open_socket(f"{server.url}/echo", ear)
    await ear.hears("open")
    socket.send("one")
    socket.send("two")
    await ear.hears("open", "one", "two")
    assert [str(context["exception"]) for context in reported] == ["one", "two"]
    assert reported[0]["exception"].__traceback__ is not None
    socket.abandon(1000, "")


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("/refuse", {}, "the server answered with HTTP status 401"),
        ("/echo", {"proxy": "nonsense"}, "InvalidProxy"),
        ("", {}, "Connect call failed"),
    ],
)
async def test_the_log_says_why_a_handshake_failed_and_no_secret(
    path: str, options: dict[str, Any], words: str, server: SocketServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"{server.url}{path}" if path else f"ws://{LOOPBACK}:{free_port()}"
    ear = Ear()
    AioPlatform(**options).open_socket(f"{url}?token=secret", ear)
    await ear.hears((1006, ""))
    assert words in said(caplog)
    assert "secret" not in said(caplog)


async def test_no_token_is_logged_by_a_handshake_that_succeeds(
    server: SocketServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ear = Ear()
    socket = AioPlatform(additional_headers={"Authorization": "secret"}).open_socket(
        f"{server.url}/echo?token=secret", ear
    )
    await ear.hears("open")
    socket.abandon(1000, "")
    await eventually(lambda: asyncio.all_tasks() == {asyncio.current_task()})
    assert "secret" not in said(caplog)


@pytest.mark.parametrize("code", [1000, 4005])
async def test_the_end_of_the_event_loop_closes_what_is_open(code: int, server: SocketServer) -> None:
    async def program() -> None:
        ear = Ear()
        socket = AioPlatform().open_socket(f"{server.url}/echo", ear)
        await ear.hears("open")
        socket.send(f"the last word before {code}")
        if code != 1000:
            socket.abandon(code, "")

    await asyncio.to_thread(lambda: asyncio.run(program()))
    end = {"path": "/echo", "frames": [f"the last word before {code}"], "code": code, "reason": ""}
    await eventually(lambda: end in server.ends)
