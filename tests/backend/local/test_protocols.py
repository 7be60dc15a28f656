"""The limits of one client below ASGI: with a transport and a clock of the test, and at a real server."""

import asyncio
import contextlib
import gc
import importlib.metadata
import logging
import resource
import socket
import time
import weakref

import h11
import pytest
from websockets.frames import Close, Frame, Opcode

from backend.gateway.sockets import WRITE
from backend.local.protocols import (
    CLOSE_SECONDS,
    CONTROL_FRAMES_AT_ONCE,
    MAX_CHUNKS,
    READ_BYTES,
    WRITTEN_FOR,
    max_open_connections,
)
from tests.backend.local.fake_transport import ANYWHERE, HANDSHAKE, HEAD, GuardedServer, frames, turns
from tests.support.peer import SocketClient
from tests.support.process import PATIENCE
from tests.support.server import LOOPBACK, KizunaServer
from tests.support.waiting import eventually


def test_the_versions_that_this_was_written_against_are_installed():
    """Others may have other insides: read what changed in them, run `make attacks`, then name them in WRITTEN_FOR."""
    assert {name: importlib.metadata.version(name) for name in WRITTEN_FOR} == WRITTEN_FOR


# --- one connection, without a socket ---


async def test_a_little_is_read_in_one_turn():
    house = GuardedServer()
    assert house.connect().max_size == READ_BYTES


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nHost: x\r\n", HEAD, HEAD + b"{"])
async def test_half_a_request_is_408_when_its_time_is_over(begun):
    house = GuardedServer(request_seconds=10)
    wire = house.connect()
    for byte in begun:  # a byte a second would keep it alive, if the last one counted
        wire.protocol.data_received(bytes([byte]))
    await turns()
    house.pass_time(9.9)
    assert not wire.closing
    house.pass_time(10.0)
    assert wire.written.startswith(b"HTTP/1.1 408 ")
    assert wire.closing
    wire.protocol.connection_lost(None)
    await turns()


async def test_who_sends_nothing_is_closed_without_a_word():
    house = GuardedServer(request_seconds=10)
    wire = house.connect()
    house.pass_time(10)
    assert (wire.written, wire.closing) == (b"", True)


async def test_the_second_request_of_a_connection_has_its_time_too():
    house = GuardedServer(request_seconds=10)
    wire = house.connect()
    wire.protocol.data_received(HEAD + b"0123456789")
    await turns()
    assert wire.written.startswith(b"HTTP/1.1 204 ")
    house.pass_time(100)
    assert not wire.closing  # the time between requests is uvicorn's to bound
    wire.protocol.data_received(b"GET")
    house.pass_time(9)
    assert not wire.closing
    house.pass_time(1)
    assert b"HTTP/1.1 408 " in wire.written


async def test_half_request_behind_a_whole_one_times_out_too():
    house = GuardedServer(request_seconds=10)
    wire = house.connect()
    wire.protocol.data_received(HEAD + b"0123456789" + HEAD + b"0")
    await turns()
    assert wire.written.startswith(b"HTTP/1.1 204 ")
    house.pass_time(9)
    assert not wire.closing
    house.pass_time(1)
    assert b"HTTP/1.1 408 " in wire.written
    assert wire.closing


CHUNKED = b"POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_body_in_very_many_chunks_is_400():
    house = GuardedServer()
    wire = house.connect()
    wire.protocol.data_received(CHUNKED + b"1\r\n{\r\n" * MAX_CHUNKS)
    await turns()
    assert not wire.written
    wire.protocol.data_received(b"1\r\n{\r\n")
    assert wire.written.startswith(b"HTTP/1.1 400 ")
    assert wire.closing


async def test_an_application_that_answers_after_the_400_is_not_heard():
    house = GuardedServer()
    wire = house.connect()
    wire.protocol.data_received(CHUNKED)
    wire.protocol.data_received(b"1\r\n{\r\n" * (MAX_CHUNKS + 1))
    await wire.protocol.cycle.send({"type": "http.response.start", "status": 413, "headers": []})
    assert wire.written.count(b"HTTP/1.1") == 1
    await turns()
    assert not house.state.tasks


async def test_each_request_of_a_connection_may_have_its_chunks():
    house = GuardedServer()
    wire = house.connect()
    for _ in range(3):
        wire.protocol.data_received(CHUNKED + b"1\r\n{\r\n" * MAX_CHUNKS + b"0\r\n\r\n")
        await turns()
    assert wire.written.count(b"HTTP/1.1 204 ") == 3


async def test_a_body_that_goes_wrong_after_the_answer_ends_the_connection():
    """uvicorn alone fails with a traceback: it answers a second time."""
    house = GuardedServer()
    wire = house.connect()
    wire.protocol.data_received(CHUNKED)
    wire.protocol.conn.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
    wire.protocol.conn.send(h11.EndOfMessage())
    wire.protocol.data_received(b"no chunk\r\n")
    assert (wire.written, wire.closing) == (b"", True)


async def test_unreadable_data_behind_a_head_request_is_400_without_body():
    house = GuardedServer()
    wire = house.connect()
    wire.protocol.data_received(b"HEAD / HTTP/1.0\r\n\r\n")
    wire.protocol.data_received(b"and more")
    assert wire.written.startswith(b"HTTP/1.1 400 ")
    assert wire.written.endswith(b"\r\n\r\n")
    assert wire.closing


async def test_late_body_ends_the_connection_without_a_second_answer():
    """A GET is answered before its body has come."""
    house = GuardedServer(request_seconds=10)
    wire = house.connect()
    wire.protocol.data_received(HEAD)
    wire.protocol.cycle.response_started = wire.protocol.cycle.response_complete = True
    wire.protocol.conn.send(h11.Response(status_code=200, headers=[]))
    house.pass_time(10)
    assert (wire.written, wire.closing) == (b"", True)


async def test_without_a_bound_half_a_request_may_stay():
    house = GuardedServer(request_seconds=0, unread_seconds=0)
    wire = house.connect()
    wire.protocol.data_received(b"GET")
    wire.protocol.pause_writing()
    house.pass_time(10_000)
    assert not wire.closing


@pytest.mark.parametrize("is_websocket", [False, True])
async def test_output_that_lies_unread_aborts_the_connection(is_websocket):
    house = GuardedServer(request_seconds=0, unread_seconds=60)
    wire = await house.websocket() if is_websocket else house.connect()
    wire.protocol.pause_writing()
    house.pass_time(59)
    wire.protocol.resume_writing()
    house.pass_time(59)
    wire.protocol.pause_writing()
    house.pass_time(59)
    assert not wire.aborted
    house.pass_time(1)
    assert wire.aborted


@pytest.mark.parametrize("is_websocket", [False, True])
async def test_a_closing_connection_whose_output_nobody_takes_is_aborted(is_websocket):
    house = GuardedServer()
    wire = await house.websocket() if is_websocket else house.connect()
    wire.close()
    house.pass_time(0)
    house.pass_time(CLOSE_SECONDS - 1)
    assert not wire.aborted
    house.pass_time(1)
    assert wire.aborted


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
async def test_more_control_frames_than_anybody_needs_abort_the_connection(opcode):
    house = GuardedServer(control_frames=20)
    wire = await house.websocket()
    wire.protocol.data_received(frames(opcode, CONTROL_FRAMES_AT_ONCE))
    assert not wire.aborted
    house.pass_time(1)
    wire.protocol.data_received(frames(opcode, 20))
    assert not wire.aborted
    wire.protocol.data_received(frames(opcode, 500))
    assert wire.aborted


async def test_empty_continuation_frames_do_not_go_on_for_ever():
    house = GuardedServer(control_frames=20)
    wire = await house.websocket()
    wire.protocol.data_received(frames(Opcode.TEXT, data=b"begin", fin=False))
    wire.protocol.data_received(frames(Opcode.CONT, 500, fin=False))
    assert wire.aborted


async def test_protocol_error_before_the_handshake_answer_ends_the_connection():
    """uvicorn alone fails with a traceback: it looks for the close frame, which cannot have been sent yet."""
    house = GuardedServer()
    wire = house.connect()
    wire.protocol.data_received(HANDSHAKE + b"\r\n")
    wire.protocol.data_received(frames(Opcode.CONT))
    assert wire.aborted
    wire.protocol.connection_lost(None)
    await turns()
    assert not house.state.tasks


async def test_text_that_is_not_utf_8_closes_with_1007_without_traceback(caplog):
    house = GuardedServer()
    wire = await house.websocket()
    wire.protocol.data_received(frames(Opcode.TEXT, data=b"\xe2\x82", fin=False) + frames(Opcode.CONT))
    assert wire.written == Frame(Opcode.CLOSE, Close(1007, "").serialize()).serialize(mask=False)
    assert [message["type"] for message in house.heard] == ["websocket.connect"]
    assert "Traceback" not in caplog.text


async def test_text_that_is_not_utf_8_before_the_handshake_ends_it():
    house = GuardedServer()
    wire = house.connect()
    wire.protocol.data_received(HANDSHAKE + b"\r\n")
    wire.protocol.data_received(frames(Opcode.TEXT, data=b"\x80"))
    assert wire.aborted  # uvicorn alone raises InvalidState here
    wire.protocol.connection_lost(None)
    await turns()
    assert not house.state.tasks


async def test_handshake_refused_after_shutdown_gets_no_second_answer(caplog):
    house = GuardedServer()
    go_on = asyncio.Event()

    async def refuse(scope, receive, send):
        await go_on.wait()
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})

    house.config.loaded_app = refuse
    wire = house.connect()
    wire.protocol.data_received(HANDSHAKE + b"\r\n")
    await turns()
    wire.protocol.shutdown()
    go_on.set()
    await turns()
    assert wire.written.startswith(b"HTTP/1.1 500 ")
    assert wire.written.count(b"HTTP/1.1 ") == 1
    assert "Exception in ASGI application" not in caplog.text


async def test_who_goes_on_sending_after_our_close_frame_is_aborted():
    house = GuardedServer(control_frames=0)
    wire = await house.websocket()
    wire.protocol.close_sent = True
    some = frames(Opcode.TEXT, 1000, b"x" * 50)
    for _ in range(2):
        wire.protocol.data_received(some)
        assert not wire.aborted  # what was under way is read, and the answer to the close frame with it
    wire.protocol.data_received(some)
    assert wire.aborted


async def write_of(house):
    """Return a connection, and what its application writes whole frames with."""
    scopes = []
    application = house._app

    async def remembered(scope, receive, send):
        scopes.append(scope)
        await application(scope, receive, send)

    house.config.loaded_app = remembered
    wire = await house.websocket()
    return wire, scopes[0]["extensions"][WRITE]["write"]


async def test_whole_frames_are_written_as_they_are():
    wire, write = await write_of(GuardedServer())
    assert write(b"a frame")
    assert write(b" and another")
    assert wire.written == b"a frame and another"


async def test_nothing_is_written_to_who_does_not_read():
    wire, write = await write_of(GuardedServer())
    wire.protocol.pause_writing()
    assert not write(b"a frame")
    wire.protocol.resume_writing()
    assert write(b"the frame")
    assert wire.written == b"the frame"


@pytest.mark.parametrize("end", ["theirs", "ours", "transport"])
async def test_no_frame_is_written_behind_a_close(end):
    wire, write = await write_of(GuardedServer())
    if end == "theirs":
        wire.protocol.data_received(frames(Opcode.CLOSE, data=Close(1000, "").serialize()))
    elif end == "ours":
        await wire.protocol.send({"type": "websocket.close", "code": 1001})
    else:
        wire.close()
    before = wire.written
    assert not write(b"a frame")
    assert wire.written == before


async def test_no_frame_is_written_before_the_handshake_is_answered():
    house = GuardedServer()
    writes = []

    async def early(scope, receive, send):
        writes.append(scope["extensions"][WRITE]["write"](b"a frame"))
        await send({"type": "websocket.accept"})
        writes.append(scope["extensions"][WRITE]["write"](b"a frame"))
        await receive()

    house.config.loaded_app = early
    wire = house.connect()
    wire.protocol.data_received(HANDSHAKE + b"\r\n")
    await turns()
    assert writes == [False, True]
    assert wire.written.endswith(b"\r\n\r\na frame")


async def test_an_ended_connection_is_freed_without_the_collector():
    house = GuardedServer()
    wire, write = await write_of(house)
    protocol = weakref.ref(wire.protocol)
    gc.disable()
    try:
        wire.protocol.connection_lost(None)
        await turns()
        del wire.protocol
        assert protocol() is None
    finally:
        gc.enable()
    assert not write(b"a frame")


async def test_a_message_in_pieces_arrives_whole():
    house = GuardedServer()
    wire = await house.websocket()
    wire.protocol.data_received(frames(Opcode.TEXT, data=b"be", fin=False))
    wire.protocol.data_received(frames(Opcode.CONT, data=b"gi", fin=False) + frames(Opcode.CONT, data=b"n"))
    await turns()
    assert house.heard[-1]["text"] == "begin"


async def test_without_a_bound_any_number_of_control_frames_may_come():
    house = GuardedServer(control_frames=0)
    wire = await house.websocket()
    wire.protocol.data_received(frames(Opcode.PING, 1000))
    assert len(wire.written) == 2000
    assert not wire.aborted


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"Content-Length: 5\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", 400),
        (b"X-Long: " + b"x" * 9000 + b"\r\n", 431),
        (b"".join(b"X-%d: 1\r\n" % number for number in range(130)), 431),
    ],
)
async def test_a_handshake_that_cannot_be_read_is_answered_and_closed(more, status):
    house = GuardedServer()
    wire = house.connect()
    wire.protocol.data_received(HANDSHAKE + more + b"\r\n")
    assert wire.written.startswith(b"HTTP/1.1 %d " % status)
    assert wire.written.count(b"HTTP/1.1") == 1
    assert wire.closing
    for connection in list(house.state.connections):
        connection.shutdown()  # uvicorn alone raises AssertionError here


# --- all connections ---


async def test_beyond_the_bound_a_connection_is_503_and_frees_its_place(caplog):
    house = GuardedServer(max_connections=2, address_connections=0)
    first, second, third = house.connect(), house.connect("192.0.2.8"), house.connect("192.0.2.9")
    assert not first.closing
    assert not second.closing
    assert third.written.startswith(b"HTTP/1.1 503 ")
    assert third.closing
    for wire in (third, first):
        wire.protocol.connection_lost(None)
    assert not house.connect("192.0.2.9").closing
    house.connect()
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "MAX_CONNECTIONS" in warning.getMessage()


async def test_one_address_has_a_bound_of_its_own_and_others_get_in(caplog):
    house = GuardedServer(address_connections=2)
    wires = [house.connect() for _ in range(3)]
    assert [wire.closing for wire in wires] == [False, False, True]
    assert wires[2].written.startswith(b"HTTP/1.1 429 ")
    assert not house.connect("192.0.2.8").closing
    assert f"{ANYWHERE} has more than 2 connections (ADDRESS_CONNECTIONS)" in caplog.text
    assert "PROXIES" in caplog.text


async def test_one_address_never_gets_more_than_half_of_all_places():
    house = GuardedServer(max_connections=8, address_connections=1000)
    assert [house.connect().closing for _ in range(5)] == [False] * 4 + [True]
    assert not house.connect("192.0.2.8").closing


async def test_a_websocket_counts_once_and_until_it_ends():
    house = GuardedServer(address_connections=1)
    wire = await house.websocket()
    assert house.connect().closing
    wire.protocol.connection_lost(None)
    await turns()
    house.guard.sweep(house.state.connections)


async def test_a_customers_ipv6_addresses_are_one():
    house = GuardedServer(address_connections=1)
    house.connect("2001:db8:1:2::1")
    assert house.connect("2001:db8:1:2:ffff::9%eth0").closing
    assert not house.connect("2001:db8:1:3::1").closing


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_this_machine_stands_for_many(address):
    """A proxy or a tunnel may run here."""
    house = GuardedServer(address_connections=1)
    assert not any(house.connect(address).closing for _ in range(5))


def test_connections_stay_below_the_systems_limit_of_files(monkeypatch):
    limits = {256: 64, 1024: 448, 64: 1, resource.RLIM_INFINITY: 0}
    for limit, most in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        assert max_open_connections() == most


# --- a real server ---


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    data = tmp_path_factory.mktemp("shared") / "kizuna.sqlite3"
    with KizunaServer(data, REQUEST_SECONDS="2", ADDRESS_CONNECTIONS="5") as server:
        yield server


def ask(server, sent, *, source=LOOPBACK):
    """Return all that comes until the server closes; a reset counts as a close."""
    with socket.create_connection((LOOPBACK, server.port), PATIENCE, (source, 0)) as connection:
        connection.sendall(sent)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer


def send_for_ever(client, data):
    while True:
        client._socket.socket.sendall(data)


def test_a_real_server_answers_halves_and_odd_handshakes_and_stops_cleanly(server):
    server.start(REQUEST_SECONDS="1")
    person = SocketClient.enter(server.socket_url("Ann"))
    assert ask(server, b"GET / HTTP/1.1\r\nHost: 127").startswith(b"HTTP/1.1 408 ")
    assert ask(server, HEAD.replace(b": x", b": localhost")).startswith(b"HTTP/1.1 408 ")
    for more in (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"):
        assert ask(server, HANDSHAKE + more + b"\r\n").startswith(b"HTTP/1.1 400 ")
    with contextlib.ExitStack() as stack:
        for more in (b"", b"Content-Length: 5\r\n", b"X: " + b"x" * 9000 + b"\r\n"):
            half = stack.enter_context(socket.create_connection((LOOPBACK, server.port), PATIENCE))
            half.sendall(HANDSHAKE + more + b"\r\n")
            half.sendall(b"GET / HT")
        assert person.say("still here")["type"] == "ack"
        assert server.stop() == 0
    assert "Traceback" not in server.output


def test_a_flood_of_pings_is_cut_off_and_nobody_else_notices(shared):
    ann, mallory = (SocketClient.enter(shared.socket_url(name)) for name in ("Ann", "Mallory"))
    with pytest.raises(OSError, match=r"."):  # reset, or a broken pipe
        send_for_ever(mallory, frames(Opcode.PING, 1000))
    assert ann.say("hello")["type"] == "ack"
    assert "aborted: more than 20 control frames a second (CONTROL_FRAMES) (127.0.0.1)" in shared.output
    ann.leave()


def test_one_address_cannot_take_all_connections(shared):
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            half = socket.create_connection((LOOPBACK, shared.port), PATIENCE, ("127.0.0.9", 0))
            stack.enter_context(half).sendall(b"GET")
        deadline = time.monotonic() + PATIENCE
        while not ask(shared, b"", source="127.0.0.9").startswith(b"HTTP/1.1 429 "):
            assert time.monotonic() < deadline
        assert ask(shared, b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_the_log_says_little_of_what_somebody_sends_at_will(shared):
    odd = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n"
    long = b"GET /%b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % (b"long" * 1000)
    assert ask(shared, b"\0\r\n\r\n", source="127.0.0.3").startswith(b"HTTP/1.1 400 ")
    assert ask(shared, odd).startswith(b"HTTP/1.1 200 ")
    assert ask(shared, long).startswith(b"HTTP/1.1 404 ")
    eventually(lambda: f"GET /{'long' * 63}lon 404" in shared.output)
    assert "request refused: it cannot be read (127.0.0.3)" in shared.output
    assert "uvicorn.error" not in shared.output
