"""The short cut of a flood: what the service delivers past Connection.handle changes nothing in it."""

from __future__ import annotations

from collections.abc import Mapping, Set as AbstractSet
from enum import Enum
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import precondition, rule

from kizuna.core import Connection, events
from kizuna.core.events import AbandonLink, Deliver, Timer
from kizuna.core.states import Status
from kizuna.core.timing import POSTPONED_BY
from kizuna.wire import ARTICLE, KIZUNA, FrameKind, Numbers, Wire
from tests.kizuna.core.machine import Machine, machine_in, only
from tests.kizuna.core.test_connection_machine import FRAMES, Which, World
from tests.support.depth import examples

EXAMPLES = examples(quick=60, deep=5_000)
#: Filled anew for each event.
OF_ONE_EVENT = {"commands", "changed_timers"}


def picture(thing: Any) -> Any:
    """Return all that an object of the library holds, to compare it."""
    if isinstance(thing, Mapping):
        return {key: picture(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple | AbstractSet):
        return [picture(item) for item in thing]
    if (
        not isinstance(thing, Enum)
        and type(thing).__module__.startswith("kizuna.")
        and hasattr(thing, "__dict__")
    ):
        return {name: picture(value) for name, value in vars(thing).items() if name not in OF_ONE_EVENT}
    return thing


class FloodedWorld(World):
    """The World, in which frames also come right after another event."""

    @precondition(lambda self: self.open)
    @rule(frame=st.sampled_from(FRAMES), which=st.sampled_from([min, max]))
    def frame_right_after_another_event(self, frame: dict[str, Any], which: Which) -> None:
        connection, link = self.machine.connection, which(self.open)
        self.handle(events.FrameReceived(link, {"type": "message"}, self.machine.now.monotonic))
        if connection.find(link) is None or not connection.only_delivers(frame):
            return
        before = picture(connection)
        answer = connection.handle(
            events.FrameReceived(link, frame, self.machine.now.monotonic), self.machine.now
        )
        assert answer == [Deliver(link, frame)]
        assert picture(connection) == before


TestFloodedWorld = pytest.mark.timeout(600 + EXAMPLES // 5)(FloodedWorld.TestCase)
TestFloodedWorld.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=30, derandomize=True, deadline=None, database=None
)


@pytest.mark.parametrize("wire", [KIZUNA, ARTICLE])
@pytest.mark.parametrize("frame", FRAMES, ids=str)
def test_it_is_taken_by_the_applications_frames_alone(wire: Wire, frame: dict[str, Any]) -> None:
    connection = Connection(wire, Numbers.of(wire.defaults), lambda: 0.5)
    assert connection.only_delivers(frame) == (wire.kind_of(frame) is FrameKind.OTHER)


def test_a_picture_shows_what_changes() -> None:
    connection = Connection(KIZUNA, Numbers.of(KIZUNA.defaults), lambda: 0.5)
    before = picture(connection)
    connection._context.timers[events.Timer.TICK] = 1.0
    assert picture(connection) != before


def test_a_frame_that_waited_proves_nothing_when_it_is_handled() -> None:
    machine = machine_in(Status.SUSPECT)
    machine.handle(events.FrameReceived(1, {"type": "message"}, machine.now.monotonic))
    assert machine.status is Status.SUSPECT
    machine.handle(events.FrameArrived(1))
    assert machine.status is Status.CONNECTED


def test_a_round_trip_ends_when_the_pong_arrived() -> None:
    machine = machine_in(Status.CONNECTED)
    sent_at = machine.now.monotonic
    machine.handle(events.FrameArrived(1))
    machine.hang(5.0)
    pong = {"type": "pong", "t": round(sent_at * 1000)}
    machine.handle(events.FrameReceived(1, pong, sent_at + 0.25))
    assert machine.connection.state.rtt == pytest.approx(0.25)


@pytest.mark.parametrize("timer", [Timer.CONNECT, Timer.CANDIDATE])
def test_a_deadline_is_put_off_while_a_frame_of_its_link_waits(timer: Timer) -> None:
    machine = Machine(rollover_after=20.0, rollover_spread=0.0)
    machine.handle(events.ConnectRequested())
    if timer is Timer.CANDIDATE:
        machine.settle()
        machine.pong()
        machine.wait(20.0)
    machine.open()
    for _ in range(3):
        machine.hang(machine.armed(timer) or 0.0)
        machine.handle(events.TimerFired(timer, unread=True))
        assert machine.armed(timer) == POSTPONED_BY
    machine.hang(POSTPONED_BY)
    (abandoned,) = only(machine.handle(events.TimerFired(timer)), AbandonLink)
    assert abandoned.link == (1 if timer is Timer.CONNECT else 2)


def test_the_link_that_a_deadline_awaits_is_not_proven_yet() -> None:
    machine = Machine(rollover_after=20.0, rollover_spread=0.0)
    machine.handle(events.ConnectRequested())
    awaited = machine.connection.unproven_link_of
    (first,) = machine.connection.links
    assert awaited(Timer.CONNECT) is first
    assert awaited(Timer.CANDIDATE) is None
    machine.settle()
    assert awaited(Timer.CONNECT) is None
    machine.pong()
    machine.wait(20.0)
    _, candidate = machine.connection.links
    assert awaited(Timer.CANDIDATE) is candidate
    machine.open()
    assert awaited(Timer.CANDIDATE) is candidate
    assert awaited(Timer.TICK) is None
