"""Wires: what a frame means to the connection, on servers of every kind."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from kizuna.codec import JSON, TEXT, Codec
from kizuna.core.events import ConnectRequested, Timer
from kizuna.core.states import Status
from kizuna.errors import ConfigurationError
from kizuna.wire import ARTICLE, KIZUNA, PLAIN, FrameKind, Wire
from tests.kizuna.core.machine import Machine
from tests.kizuna.service_harness import ServiceHarness

OWN = Wire(ping={"op": "ping"}, pong={"op": "beat", "v": 2}, ready="hello", bye=[1, "bye"])
TEXTS = Wire(ping="ping", pong="pong", ready="welcome")


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("ready", FrameKind.READY),
        ("pong", FrameKind.PONG),
        ("bye", FrameKind.BYE),
        ("message", FrameKind.OTHER),
        (None, FrameKind.OTHER),
        (["ready"], FrameKind.OTHER),
        ({}, FrameKind.OTHER),
        (1, FrameKind.OTHER),
    ],
)
def test_kizunas_words_have_their_meaning_and_all_others_none(word: Any, meaning: FrameKind):
    assert KIZUNA.kind_of({"type": word}) is meaning


@pytest.mark.parametrize("wire", [ARTICLE, PLAIN])
@pytest.mark.parametrize("frame", [{}, {"type": None}, {"type": "ready"}, {"type": "pong"}, "pong", None])
def test_a_server_without_words_sends_the_applications_frames_alone(wire: Wire, frame: Any):
    assert wire.kind_of(frame) is FrameKind.OTHER


#: Frames and what they are on the wire OWN.
FRAMES: list[tuple[Any, FrameKind]] = [
    ({"op": "beat", "v": 2, "load": 0.3}, FrameKind.PONG),
    (MappingProxyType({"v": 2, "op": "beat"}), FrameKind.PONG),
    ({"op": "beat"}, FrameKind.OTHER),
    ({"op": "beat", "v": 3}, FrameKind.OTHER),
    ({}, FrameKind.OTHER),
    ("hello", FrameKind.READY),
    ("hello!", FrameKind.OTHER),
    (b"hello", FrameKind.OTHER),
    ([1, "bye"], FrameKind.BYE),
    ([True, "bye", 3], FrameKind.OTHER),
    (None, FrameKind.OTHER),
]


@pytest.mark.parametrize(("frame", "kind"), FRAMES)
def test_an_object_matches_by_its_keys_and_any_other_value_by_equality(frame: Any, kind: FrameKind):
    assert OWN.kind_of(frame) is kind


@pytest.mark.parametrize("frame", [*(frame for frame, _ in FRAMES), {"type": "pong"}, {"type": []}, "pong"])
@pytest.mark.parametrize("wire", [OWN, TEXTS, KIZUNA, ARTICLE, PLAIN, Wire(ready={"a": 1}, bye={"b": "x"})])
def test_ordinary_frames_are_those_of_the_application(wire: Wire, frame: Any):
    assert wire.ordinary_test()(frame) == (wire.kind_of(frame) is FrameKind.OTHER)


def test_a_ping_may_be_a_value_or_a_function_of_milliseconds():
    assert KIZUNA.ping_at(1.2345) == {"action": "ping", "t": 1234}
    assert ARTICLE.ping_at(1.2345) == {"action": "ping"}
    assert Wire(ping=str, pong="p").ping_at(1.2345) == "1234"
    assert PLAIN.ping_at(1.2345) is None


@pytest.mark.parametrize(
    ("pong", "mark"),
    [
        ({"type": "pong", "v": 2}, "pong"),
        ("heartbeat", "heartbeat"),
        ({"v": 2}, ""),
        ('a"b', ""),  # escaped in JSON
        ("絆", ""),  # perhaps escaped
    ],
)
def test_the_mark_of_a_pong_is_in_every_pong(pong: Any, mark: str):
    assert Wire(ping="ping", pong=pong).pong_mark == mark
    assert mark in JSON.encode(pong)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Wire(ping="ping", pong={}), "pong: must have a key"),
        (lambda: Wire(pong="pong"), "pong: needs a ping"),
    ],
)
def test_a_wire_that_cannot_work_is_refused(make: Callable[[], Wire], words: str):
    with pytest.raises(ConfigurationError, match=words):
        make()


CASES: list[tuple[Codec[Any], Wire, Any, Any]] = [
    (TEXT, Wire(ping="ping", pong="pong"), "ping", "pong"),
    (JSON, Wire(ping={"op": "ping"}, pong={"op": "pong"}), {"op": "ping"}, {"op": "pong", "load": 1}),
    (JSON, Wire(ping=[0], pong=[1]), [0], "[1]"),
]


@pytest.mark.parametrize(("codec", "wire", "ping", "pong"), CASES)
async def test_a_server_that_answers_pings_of_any_form_is_looked_after(
    codec: Codec[Any], wire: Wire, ping: Any, pong: Any
):
    harness = ServiceHarness(codec=codec, wire=wire)
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    assert harness.socket.sent == [ping]
    await harness.platform.advance(0.25)
    harness.socket.receive(pong)
    assert harness.service.state.rtt == pytest.approx(0.25)
    await harness.platform.advance(30 + 10)  # the next ping is not answered
    assert (harness.socket.sent, harness.status) == ([ping] * 3, "suspect")
    harness.socket.receive(pong)
    assert harness.status == "connected"
    assert harness.service.state.rtt == pytest.approx(0.25)  # two were due: which one it is nobody knows
    harness.service.disconnect()


async def test_a_pong_in_bytes_ends_its_round_trip_when_it_arrives():
    harness = ServiceHarness(codec=JSON, wire=Wire(ping={"op": "ping"}, pong={"op": "pong"}))
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    harness.platform.holds_soon = True
    await harness.platform.advance(0.25)
    harness.socket.receive(b'{"op": "pong"}')
    harness.platform.clock.move_to(harness.platform.now().monotonic + 3)
    harness.platform.run_next()
    assert harness.service.state.rtt == pytest.approx(0.25)
    harness.service.disconnect()


async def test_ready_and_bye_may_be_texts():
    harness = ServiceHarness(codec=TEXT, wire=Wire(ready="welcome", bye="bye"), jitter=0)
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    assert harness.status == "connecting"
    harness.socket.receive("welcome")
    await connecting
    harness.socket.receive("bye")
    assert harness.service.state.reason is not None
    assert (harness.status, harness.service.state.reason.kind) == ("waiting", "server_restarting")
    harness.service.disconnect()


async def test_a_bye_of_ones_own_form_can_end_it_for_good():
    harness = ServiceHarness(codec=JSON, wire=Wire(bye={"op": "close"}))
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting  # an open socket was enough
    harness.socket.receive({"op": "close", "reconnect": False, "reason": "banned"})
    assert harness.service.state.reason is not None
    assert (harness.status, harness.service.state.reason.words) == ("rejected", "banned")


async def test_a_plain_server_gives_budget_and_delay_back_after_five_seconds():
    harness = ServiceHarness(codec=JSON, wire=PLAIN, jitter=0)
    connecting = await harness.begin()
    delays = []
    for uptime in (0.0, 1.0, 4.0, 5.0):
        harness.socket.accept()
        await harness.platform.advance(uptime)
        harness.socket.drop()
        retry_at = harness.service.state.retry_at
        assert retry_at is not None
        delays.append(retry_at - harness.platform.now().monotonic)
        await harness.platform.advance(delays[-1])
    await connecting
    assert delays == [1, 2, 4, 1]
    assert harness.socket.sent == []
    harness.service.disconnect()


def test_a_link_to_a_plain_server_may_grow_old():
    machine = Machine(wire=PLAIN)
    machine.handle(ConnectRequested())
    machine.settle()
    assert machine.status is Status.CONNECTED
    assert machine.armed(Timer.ROLLOVER) is None
    machine = Machine(wire=ARTICLE)
    machine.handle(ConnectRequested())
    machine.settle()
    assert machine.armed(Timer.ROLLOVER) is not None
