"""The short cut of a flood: what the service delivers past Connection.handle changes nothing in it."""

from __future__ import annotations

from collections.abc import Mapping, Set as AbstractSet
from enum import Enum
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import precondition, rule

from kizuna.core import events
from kizuna.core.commands import Deliver
from kizuna.core.connection import Connection
from kizuna.options import Numbers
from kizuna.wire import ARTICLE, KIZUNA, FrameKind, Wire
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
