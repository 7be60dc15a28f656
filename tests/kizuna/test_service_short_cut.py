"""What a page sees of a flood is the same whether frames pass the connection by or not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings, strategies as st

from kizuna.core.events import Command, Event, FrameReceived
from kizuna.platform import Instant
from kizuna.wire import ARTICLE, KIZUNA, Wire
from tests.kizuna.core.test_connection_machine import FRAMES
from tests.kizuna.service_harness import ServiceHarness
from tests.support.depth import examples

#: What a handler does when it gets a frame with this word.
CALLS = ["doubt", "try_now", "disconnect"]

FRAME = st.sampled_from(FRAMES) | st.builds(
    lambda call: {"type": "message", "call": call}, st.sampled_from(CALLS)
)
TEXT = st.sampled_from(["{", "[]", '{"n": NaN}', '{"type": "message", "n": 1}', ' {"type": "pong"}\n'])
#: A step: its name, and what it needs.
STEP = (
    st.tuples(st.just("receive"), st.just({"type": "message"}) | FRAME | TEXT)
    | st.tuples(st.just("receive"), st.just({"type": "typing", "name": "Ren"}))
    | st.tuples(st.just("slice"), st.none())
    | st.tuples(st.just("slice"), st.none())
    | st.tuples(st.just("advance"), st.sampled_from([0.0, 0.1, 3.0, 31.0]))
    | st.tuples(st.just("sleep"), st.sampled_from([1.0, 60.0]))
    | st.tuples(st.just("drop"), st.sampled_from([1006, 1008]))
    | st.tuples(
        st.just("page"), st.sampled_from(["show", "hide", "go_offline", "go_online", "suspend", "resume"])
    )
    | st.tuples(st.just("serve"), st.none())
)


class Recorded(ServiceHarness):
    """A service and all that it did."""

    def __init__(self, wire: Wire, *, takes_short_cut: bool) -> None:
        super().__init__(wire=wire, rollover_after=40.0, rollover_spread=0.0)
        self.log: list[Any] = []
        if not takes_short_cut:
            self.service._only_delivers = lambda frame: False
        self.service.on_message(self.on_frame)
        self.service.on_malformed_frame(self.log.append)
        self.service.subscribe(lambda state: state, self.log.append)

    def on_frame(self, frame: Any) -> None:
        self.log.append((frame, self.service.statistics(), len(self.service.journal.entries)))
        if "call" in frame:
            getattr(self.service, frame["call"])()

    async def go(self, steps: list[tuple[str, Any]]) -> Any:
        await self.connect() if self.service.wire is KIZUNA else await self.begin()
        self.platform.holds_soon = True
        for name, value in steps:
            await self.step(name, value)
        pictures = [
            self.log,
            self.service.state,
            self.service.statistics(),
            self.service.journal.entries,
            self.service._connection.timers,
            sorted((when, timer.cancelled) for when, _, timer in self.platform.clock._timers),
            [(socket.sent, socket.closed_with) for socket in self.platform.sockets],
            list(self.service._arrivals.waiting),
        ]
        self.service.disconnect()
        await self.platform.settle()
        return pictures

    async def step(self, name: str, value: Any) -> None:
        platform = self.platform
        steps: dict[str, Callable[[], Any]] = {
            "receive": lambda: self.socket.receive(value),
            "slice": platform.run_next,
            "sleep": lambda: platform.clock.sleep(value),
            "drop": lambda: self.socket.drop(value),
            "page": lambda: getattr(platform, value)(),
            "serve": self.socket.accept,
        }
        if name == "advance":
            await platform.advance(value)
        else:
            steps[name]()
            await platform.settle()


@given(st.lists(STEP, max_size=40), st.sampled_from([KIZUNA, KIZUNA, ARTICLE]))
@settings(max_examples=examples(quick=150, deep=5_000), deadline=None, derandomize=True, database=None)
def test_frames_that_pass_the_connection_by_make_no_difference(
    steps: list[tuple[str, Any]], wire: Wire
) -> None:
    async def compare() -> None:
        short, full = (Recorded(wire, takes_short_cut=takes) for takes in (True, False))
        assert await short.go(steps) == await full.go(steps)

    asyncio.run(compare())


async def test_most_frames_of_a_flood_pass_the_connection_by() -> None:
    handled: list[Any] = []
    harness = Recorded(KIZUNA, takes_short_cut=True)
    await harness.connect()
    harness.socket.receive({"type": "pong"})
    handle = harness.service._connection.handle

    def note(event: Event, now: Instant) -> list[Command]:
        handled.append(event)
        return handle(event, now)

    harness.service._connection.handle = note  # type: ignore[method-assign]
    harness.platform.holds_soon = True
    frame = {"type": "message"}
    for _ in range(100):
        harness.socket.receive(frame)
    harness.platform.run_next()
    assert handled == [FrameReceived(1, frame)]
    assert harness.service.statistics().frames_received == 102
