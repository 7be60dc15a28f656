"""Bytes that no browser sends, at uvicorn's guarded protocols: heads, half requests, control frames, any frames.

Whatever comes, nothing is raised, every connection ends in time, and others are served."""

import contextlib
import random
import socket
import time

import pytest
from hypothesis import given, settings, strategies as st
from websockets.exceptions import WebSocketException

from backend.local.protocols import CLOSE_SECONDS, CONTROL_FRAMES_AT_ONCE
from tests.backend.local.fake_transport import HANDSHAKE, HEAD, GuardedServer, turns
from tests.support.depth import DEEP, examples
from tests.support.peer import SocketClient, knock
from tests.support.process import PATIENCE
from tests.support.server import LOOPBACK
from tests.support.waiting import eventually

REQUEST_SECONDS = 10
UNREAD_SECONDS = 60
DEEP_SECONDS = 600.0
CASES = 150

LINES = [
    b"GET / HTTP/1.1",
    b"GET /ws?token=x HTTP/1.1",
    b"POST /token HTTP/1.1",
    b"PRI * HTTP/2.0",
    b"GET http://evil.example/ HTTP/1.1",
    b"get / http/1.1",
    b"GET / HTTP/0.9",
    b"GET  / HTTP/1.1",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"Host: localhost",
    b"Host: a\r\nHost: b",
    b"Upgrade: websocket",
    b"Upgrade: h2c",
    b"Connection: Upgrade",
    b"Connection: keep-alive, Upgrade",
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    b"Sec-WebSocket-Key: short",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Version: 8",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    b"Content-Length: 5",
    b"Content-Length: -5",
    b"Content-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Expect: 100-continue",
    b" folded",
    b"no colon",
    b"X: " + b"x" * 9000,
    b"\x00",
    b"",
    b"5\r\nhello\r\n0\r\n",
    b"ffffffffffffffff\r\n",
]

heads = st.lists(st.sampled_from(LINES), min_size=1, max_size=9).map(
    lambda lines: b"\r\n".join(lines) + b"\r\n"
)
good_heads = st.sampled_from([HEAD, HANDSHAKE + b"\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"])


def raw_frame(bits, opcode, masked, size, payload):
    """Return a frame whose announced length may differ from its payload's."""
    first, mask = (bits << 4) | opcode, 0x80 if masked else 0
    if size < 126:
        length = bytes([mask | size])
    elif size < 65536:
        length = bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([mask | 127]) + size.to_bytes(8, "big")
    return bytes([first]) + length + (bytes(4) if masked else b"") + payload


sizes = st.sampled_from([0, 0, 1, 2, 5, 125, 126, 1000, 65536, 2**40, 2**63])
some_frames = st.builds(
    lambda bits, opcode, masked, size, payload, count: raw_frame(bits, opcode, masked, size, payload) * count,
    st.sampled_from([8, 8, 8, 0, 0, 9, 12, 15]),
    st.integers(0, 15),
    st.sampled_from([True, True, True, False]),
    sizes,
    st.binary(max_size=6),
    st.sampled_from([1, 1, 2, 100]),
)
whole_frames = st.builds(
    lambda final, opcode, payload, count: (
        raw_frame(8 if final else 0, opcode, True, len(payload), payload) * count
    ),
    st.booleans(),
    st.sampled_from([0, 1, 2, 8, 9, 10]),
    st.one_of(st.binary(max_size=8), st.just(b"\x03\xe8"), st.just(b"{}")),
    st.sampled_from([1, 1, 3, 100]),
)
pieces = st.one_of(heads, good_heads, some_frames, whole_frames, st.binary(min_size=1, max_size=20))
steps = st.one_of(
    st.tuples(st.just("send"), pieces),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 2.0, 11.0])),
    st.tuples(st.just("unread"), st.booleans()),
    st.tuples(st.just("turn"), st.just(None)),
)


@settings(max_examples=examples(150, 5_000))
@given(first=good_heads, then=st.lists(steps, max_size=8), ends=st.sampled_from(["", "lost", "stop"]))
async def test_whatever_bytes_come_nothing_is_raised_and_the_connection_ends_in_time(first, then, ends):
    house = GuardedServer(request_seconds=REQUEST_SECONDS, unread_seconds=UNREAD_SECONDS)
    wire = house.connect()
    for kind, value in [("send", first), *then]:
        if wire.closing:
            break
        if kind == "send":
            wire.protocol.data_received(value)
        elif kind == "wait":
            house.pass_time(value)
        elif kind == "turn":
            await turns()
        elif value:
            wire.protocol.pause_writing()
        else:
            wire.protocol.resume_writing()
    # A pong for each PING within the rate, answers of 1 KiB: nothing that anybody can make grow.
    assert len(wire.written) < 9 * (CONTROL_FRAMES_AT_ONCE + 500) * 10
    if ends == "stop":
        for connection in list(house.state.connections):
            connection.shutdown()
    elif ends == "":
        wire.protocol.pause_writing()  # a peer that does nothing from here on
        for seconds in (REQUEST_SECONDS, UNREAD_SECONDS, CLOSE_SECONDS, CLOSE_SECONDS):
            house.pass_time(seconds)
        assert wire.aborted or wire.closing
    await turns()
    wire.protocol.connection_lost(None if wire.closing else ConnectionResetError())
    await turns()
    assert not house.guard.counts
    assert not house.state.connections
    assert not house.state.tasks


def mischief(draw):
    """Return bytes to send, and whether to wait for an answer."""
    if draw.random() < 0.5:
        sent = draw.choice([HEAD, HANDSHAKE.replace(b"token=x", b"token=y") + b"\r\n", b"GET / HTTP/1.1\r\n"])
    else:
        sent = b"\r\n".join(draw.choices(LINES, k=draw.randrange(1, 9))) + b"\r\n"
    for _ in range(draw.randrange(4)):
        opcode, bits = draw.choice([0, 1, 2, 3, 8, 9, 10, 11]), draw.choice([0, 8, 8, 8, 12])
        payload = draw.randbytes(draw.choice([0, 0, 1, 125]))
        sent += raw_frame(bits, opcode, draw.random() < 0.9, len(payload), payload) * draw.choice([1, 1, 50])
    return sent[: draw.randrange(1, len(sent) + 1)] if draw.random() < 0.3 else sent


@pytest.mark.timeout(DEEP_SECONDS + 600)
def test_a_real_server_that_is_sent_anything_serves_others_and_stops_cleanly(server, request):
    """Ten minutes of it in `make test-deep`. Mallory also sends it after a good handshake and hello."""
    seed = random.randrange(10**6) if DEEP else 15
    print(f"seed {seed}")
    draw = random.Random(seed)
    server.start(
        REQUEST_SECONDS="1", ADDRESS_CONNECTIONS="20", RATE_LIMIT="1000"
    )  # Ann speaks in each tenth case
    ann = SocketClient.enter(server.socket_url("Ann"))
    until = time.monotonic() + DEEP_SECONDS
    cases = 0
    while cases < CASES or (DEEP and time.monotonic() < until):
        cases += 1
        # WebSocketException: Mallory may be refused for her rate, or for connections that she has just left.
        with contextlib.suppress(OSError, WebSocketException), contextlib.ExitStack() as stack:
            if cases % 10 == 0:
                mallory = SocketClient.enter(server.socket_url("Mallory"))
                stack.callback(mallory.vanish)
                connection = mallory._socket.socket
            else:
                connection = stack.enter_context(
                    socket.create_connection((LOOPBACK, server.port), PATIENCE, ("127.0.0.3", 0))
                )
            connection.sendall(mischief(draw))
            if draw.random() < 0.03 and cases % 10:
                while connection.recv(65536):
                    pass
        if cases % 10 == 1:
            ann.say(f"message {cases}", f"case-{cases}")
    eventually(lambda: knock(server.socket_url("Mallory")) == 101, what="a place for her address")
    assert server.stop() == 0
    assert "Traceback" not in server.output, server.output[-3000:]
