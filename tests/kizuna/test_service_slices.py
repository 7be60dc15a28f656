"""Frames that come faster than they are handled: they wait for slices, and the link lives meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from kizuna.core.states import ConnectionState
from kizuna.platform import Instant
from kizuna.runtime.transport import CHARACTERS_PER_LOOK, SLICE_SECONDS
from kizuna.testing import FakeSocket
from kizuna.wire import KIZUNA
from tests.kizuna.service_harness import READY, ServiceHarness

LARGE = "x" * CHARACTERS_PER_LOOK


class Flood(ServiceHarness):
    """A connected service in a page that has no time for frames until the test gives it some."""

    frames: list[Any]
    statuses: list[str]

    async def begin_flood(self) -> FakeSocket:
        """Connect, answer the first ping, and let frames wait from now on."""
        socket = await self.connect()
        socket.receive({"type": "pong"})
        self.frames, self.statuses = [], []
        self.service.on_message(self.frames.append)
        self.service.subscribe(lambda state: state.status.value, self.statuses.append)
        self.platform.holds_soon = True
        return socket

    @property
    def numbers(self) -> list[Any]:
        """What the delivered frames hold as ``n``."""
        return [frame.get("n") for frame in self.frames]

    def receive(self, *numbers: int) -> None:
        for number in numbers:
            self.socket.receive({"type": "message", "n": number})

    def let_pass(self, seconds: float) -> None:
        """Let the clock move, as while the page computes."""
        self.platform.clock.move_to(self.platform.now().monotonic + seconds)


async def test_frames_wait_for_one_slice_and_come_in_order() -> None:
    flood = Flood()
    await flood.begin_flood()
    flood.receive(1, 2, 3)
    assert flood.numbers == []
    assert flood.platform.run_next()
    assert flood.numbers == [1, 2, 3]
    assert not flood.platform.run_next()


async def test_the_page_has_its_turn_when_a_slice_is_over() -> None:
    flood = Flood()
    await flood.begin_flood()
    flood.service.on_message(lambda frame: flood.let_pass(SLICE_SECONDS / 2))
    for number in range(5):
        flood.socket.receive({"n": number, "content": LARGE})
    delivered = []
    while flood.platform.run_next():
        delivered.append(flood.numbers[-1])
    assert delivered == [1, 3, 4]
    assert flood.numbers == [0, 1, 2, 3, 4]


async def test_frames_are_small_or_the_clock_is_read_after_them() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    socket._listener.on_binary(b"")  # type: ignore[union-attr]
    flood.receive(*range(200))
    reads: list[int] = []
    now = flood.platform.now

    def read() -> Instant:
        reads.append(len(flood.frames))
        return now()

    flood.platform.now = read  # type: ignore[method-assign]
    flood.platform.run_next()
    length = len(json.dumps({"type": "message", "n": 100}))
    assert len(flood.frames) == 200
    assert 200 * length / CHARACTERS_PER_LOOK - 2 <= len(reads) - 3 <= 200 * length / CHARACTERS_PER_LOOK


async def test_a_close_waits_behind_the_frames_of_its_link() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    flood.receive(1, 2)
    socket.drop()
    assert (flood.numbers, flood.status) == ([], "connected")
    assert not flood.service.is_connected()
    flood.platform.run_next()
    assert (flood.numbers, flood.status) == ([1, 2], "waiting")


async def test_a_pong_behind_many_frames_is_no_silence() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    await flood.platform.advance(30)  # the next ping
    flood.receive(*range(1000))
    socket.receive({"type": "pong", "t": socket.sent[-1]["t"]})
    await flood.platform.advance(29)
    assert (flood.numbers, flood.statuses) == ([], [])
    flood.platform.run_next()
    assert len(flood.frames) == 1001
    assert flood.status == "connected"


async def test_the_round_trip_ends_when_the_pong_arrives() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    await flood.platform.advance(30)
    flood.receive(1)
    await flood.platform.advance(2)
    socket.receive({"type": "pong", "t": socket.sent[-1]["t"]})
    await flood.platform.advance(20)
    flood.platform.run_next()
    assert flood.service.state.rtt == pytest.approx(2)


async def test_a_doubt_ends_when_a_frame_arrives_before_it_is_handled() -> None:
    flood = Flood()
    await flood.begin_flood()
    flood.receive(1)
    flood.service.doubt()
    assert flood.status == "suspect"
    flood.platform.run_next()  # it had arrived before
    assert (flood.numbers, flood.status) == ([1], "suspect")
    flood.receive(2)
    assert (flood.numbers, flood.status) == ([1], "connected")


async def test_a_deadline_waits_while_a_frame_of_its_link_is_unread() -> None:
    flood = Flood()
    connecting = await flood.begin()
    flood.socket.accept()
    flood.platform.holds_soon = True
    flood.socket.receive(READY)
    await flood.platform.advance(60)
    assert (flood.status, flood.socket.closed_with) == ("connecting", None)
    flood.platform.holds_soon = False
    await flood.platform.settle()
    await connecting
    assert flood.status == "connected"


async def test_a_deadline_does_not_wait_for_frames_of_another_link() -> None:
    flood = Flood(rollover_after=100.0, rollover_spread=0.0, heartbeat_interval=1000.0)
    first = await flood.begin_flood()
    await flood.platform.advance(99)
    first.receive({"n": 1})
    await flood.platform.advance(60)  # the candidate is never opened
    assert flood.platform.sockets[1].closed_with == 1000
    assert (flood.status, flood.numbers) == ("connected", [])


# --- links that are abandoned ---


def leave_the_page(flood: Flood) -> None:
    flood.platform.suspend()


def lose_the_network(flood: Flood) -> None:
    flood.service.doubt()
    flood.let_pass(30)
    flood.platform.go_offline()
    while flood.status == "suspect":
        flood.let_pass(1)
        flood.platform.clock.fire_next()


@pytest.mark.parametrize("end", [leave_the_page, lose_the_network])
async def test_frames_of_an_abandoned_link_come_before_its_end_is_seen(end: Callable[[Flood], None]) -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    seen: list[tuple[int, str]] = []
    flood.service.on_message(lambda frame: seen.append((frame["n"], flood.status)))
    flood.receive(1, 2)
    before = flood.status
    end(flood)
    assert socket.closed_with == 1000
    assert flood.statuses[-1] in ("suspended", "offline")
    assert [number for number, _ in seen] == [1, 2]
    assert {status for _, status in seen} <= {before, "suspect"}
    assert flood.service.statistics().frames_received == 4  # ready, pong, 1, 2
    flood.platform.run_next()
    assert flood.numbers == [1, 2]


async def test_frames_of_the_old_link_come_before_those_of_its_successor() -> None:
    flood = Flood(rollover_after=100.0, rollover_spread=0.0, heartbeat_interval=1000.0)
    old = await flood.begin_flood()
    flood.platform.holds_soon = False
    await flood.platform.advance(100)
    await flood.serve()
    flood.platform.holds_soon = True
    assert len(flood.platform.live_sockets) == 2
    flood.frames.clear()
    for number in range(3):
        flood.socket.receive({"n": number})
        old.receive({"n": number})
    old.receive({"n": 3})
    await flood.platform.advance(5)  # the old link has had its time
    assert old.closed_with == 1000
    assert flood.numbers == [0, 1, 2, 3]
    flood.platform.run_next()
    assert flood.numbers == [0, 1, 2, 3, 0, 1, 2]


async def test_unreadable_frames_of_an_abandoned_link_are_reported_and_its_close_ignored() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    problems: list[str] = []
    flood.service.on_malformed_frame(problems.append)
    flood.receive(1)
    socket.receive("{")
    socket._listener.on_binary(b"")  # type: ignore[union-attr]
    flood.receive(2)
    socket.drop()
    flood.platform.suspend()
    assert flood.numbers == [1, 2]
    assert (len(problems), problems[1]) == (2, "a binary frame")
    statistics = flood.service.statistics()
    assert (statistics.frames_received, statistics.frames_malformed, statistics.drops) == (6, 2, 1)
    assert not flood.service._arrivals.waiting


async def test_what_follows_a_bye_is_delivered_too() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    flood.receive(1)
    socket.receive({"type": "bye"})
    flood.receive(2)
    flood.platform.run_next()
    assert flood.numbers == [1, None, 2]
    assert (flood.status, socket.closed_with) == ("waiting", 1000)


async def test_a_link_that_is_not_known_adds_nothing_that_waits() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    listener: Any = socket._listener
    flood.platform.suspend()
    for _ in range(2):
        listener.on_text("{}")
        listener.on_binary(b"")
        listener.on_close(1006, "")
    assert not flood.service._arrivals.waiting


# --- disconnect() ---


async def test_nothing_is_delivered_after_disconnect() -> None:
    flood = Flood()
    await flood.begin_flood()
    flood.receive(1, 2)
    flood.service.disconnect()
    flood.platform.run_next()
    assert (flood.numbers, flood.status) == ([], "closed")
    flood.assert_nothing_is_left()


async def test_a_handler_that_disconnects_gets_no_further_frame_of_the_slice() -> None:
    flood = Flood()
    await flood.begin_flood()
    flood.service.on_message(lambda frame: flood.service.disconnect() if frame["n"] == 2 else None)
    flood.receive(1, 2, 3)
    flood.platform.run_next()
    assert (flood.numbers, flood.status) == ([1, 2], "closed")


async def test_a_handler_that_disconnects_gets_no_further_frame_of_an_abandoned_link() -> None:
    flood = Flood()
    await flood.begin_flood()
    flood.service.on_message(lambda frame: flood.service.disconnect())
    flood.receive(1, 2)
    flood.platform.suspend()
    assert (flood.numbers, flood.status) == ([1], "closed")


async def test_a_connection_after_disconnect_gets_its_own_frames_alone() -> None:
    flood = Flood()
    await flood.begin_flood()
    flood.receive(1)
    flood.service.disconnect()
    flood.platform.holds_soon = False
    await flood.connect()
    flood.receive(2)
    assert flood.numbers == [None, 2]


async def test_a_handler_that_doubts_is_heard_before_the_next_frame() -> None:
    flood = Flood()
    await flood.begin_flood()
    seen: list[str] = []
    flood.service.on_message(lambda frame: flood.service.doubt() if frame["n"] == 1 else None)
    flood.service.on_message(lambda frame: seen.append(flood.status))
    flood.receive(1, 2)
    flood.platform.run_next()
    assert seen == ["connected", "suspect"]


# --- one event for a slice ---


async def test_each_slice_is_handled_inside_the_applications_function() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    log: list[Any] = []

    def run(handle: Callable[[], None]) -> None:
        log.append("begin")
        handle()
        log.append("end")

    flood.service.run_slices_in(run)
    flood.service.on_message(lambda frame: log.append(frame["n"]))
    flood.receive(1, 2)
    flood.platform.run_next()
    flood.receive(3)
    flood.platform.suspend()
    assert log == ["begin", 1, 2, "end", "begin", 3, "end"]
    log.clear()
    flood.platform.holds_soon = False
    flood.platform.resume()
    await flood.serve()
    flood.platform.holds_soon = True
    log.clear()
    flood.socket.receive({"type": "bye", "n": 4})
    flood.receive(5)
    flood.platform.run_next()
    assert log == ["begin", 4, 5, "end"]  # the link is abandoned inside of the slice
    assert socket is not flood.socket


async def test_a_function_that_fails_costs_no_frame() -> None:
    flood = Flood()
    await flood.begin_flood()
    is_broken = True

    def run(handle: Callable[[], None]) -> None:
        if is_broken:
            raise LookupError
        handle()

    flood.service.run_slices_in(run)
    flood.receive(1)
    with pytest.raises(LookupError):
        flood.platform.run_next()
    is_broken = False
    flood.receive(2)
    assert flood.platform.run_next()
    assert flood.numbers == [1, 2]
    assert not flood.platform.run_next()


async def test_states_are_published_between_the_frames_that_they_belong_to() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    log: list[Any] = []
    flood.service.on_message(lambda frame: log.append(frame["n"]))
    flood.service.subscribe(lambda state: state.status, log.append)
    socket.receive({"n": 1})
    socket.receive({"type": "bye", "n": 2, "reconnect": False})
    flood.platform.run_next()
    assert log == [1, 2, "rejected"]


async def test_a_server_that_answers_inside_a_handler_is_heard() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    flood.platform.holds_soon = False
    flood.service.on_message(lambda frame: socket.receive({"n": 2}) if frame["n"] == 1 else None)
    flood.receive(1)
    assert flood.numbers == [1, 2]
    flood.service.subscribe(
        state_of, lambda status: socket.receive({"n": 3}) if status == "suspect" else None
    )
    flood.service.doubt()
    assert (flood.numbers, flood.status) == ([1, 2, 3], "connected")
    flood.receive(4)
    assert flood.numbers == [1, 2, 3, 4]


def state_of(state: ConnectionState) -> str:
    return state.status.value


async def test_a_frame_in_a_flood_is_recorded_like_any_other() -> None:
    flood = Flood()
    socket = await flood.begin_flood()
    flood.receive(1, 2, 3)
    socket.receive({"type": "words of a person"})
    socket.receive(KIZUNA.pong)
    flood.platform.run_next()
    last = [(entry.event, entry.times) for entry in flood.service.journal.entries[-3:]]
    assert last == [
        ("frame received: message (link 1)", 3),
        ("frame received: ? (link 1)", 1),
        ("frame received: pong (link 1)", 1),
    ]
    assert flood.service.statistics().frames_received == 7
