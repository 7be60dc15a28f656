"""The tour "Watch it heal": what it breaks, in which order, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from chat.store import ChatState
from chat.timeline import Delivery, Entry, Timeline
from kizuna import ConnectionState, Status
from kizuna.delivery import DeliveryStatistics
from kizuna.testing import Fault
from ui.inspector.tour import LONGEST, STEPS, Result, Tour, result_words
from ui.kit.texts import Texts


@dataclass
class FakeWorld:
    """A page whose connection reacts to the faults, and whose server stores what it gets while it is connected."""

    heals: bool = True
    stores_twice: bool = False
    now: float = 100.0
    did: list[str] = field(default_factory=list)
    armed: set[Fault] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    attempt: int = 0
    down_until: float = 0.0

    def send(self, text: str) -> None:
        self.did.append("send")
        self.written.append(text)

    def arm(self, fault: Fault, seconds: float | None = None) -> None:
        self.did.append(f"arm {fault}")
        if fault is Fault.DROP:
            self.down_until = self.now + 1.0
        else:
            self.armed.add(fault)

    def lift(self, fault: Fault) -> None:
        self.did.append(f"lift {fault}")
        self.armed.discard(fault)

    def try_now(self) -> None:
        self.did.append("try now")

    def state(self) -> ChatState:
        """Return the page's state now."""
        refuses = bool(self.armed & {Fault.REFUSE, Fault.FIREWALL, Fault.BLACK_HOLE})
        is_up = self.heals and not refuses and self.now >= self.down_until
        self.attempt = 0 if is_up else 2
        if is_up:
            self.stored += [text for text in self.written if text not in self.stored]
        shown = self.stored * 2 if self.stores_twice else self.stored
        entries = tuple(
            Entry(
                key=f"{number}",
                content=text,
                sender_id="u",
                sender_name="Ada",
                timestamp=0,
                state=Delivery.SENT,
                own=True,
            )
            for number, text in enumerate(shown)
        )
        status = Status.CONNECTED if is_up else Status.WAITING
        return ChatState(
            connection=ConnectionState(status, attempt=self.attempt),
            is_connected=is_up,
            caught_up=is_up,
            timeline=Timeline(entries, len(entries)),
        )


def make(world: FakeWorld) -> Tour:
    return Tour(world, lambda fault, number: f"{number}. {fault}")


def run(world: FakeWorld) -> tuple[Tour, Result]:
    """Let a tour run to its end, with a look ten times a second."""
    tour = make(world)
    while tour.update(world.state(), world.now) is not None:
        assert world.now < 100 + LONGEST + 1
        world.now += 0.1
    return tour, tour.result(world.state())


def test_the_tour_breaks_everything_lifts_it_and_loses_nothing() -> None:
    world = FakeWorld()
    tour, result = run(world)
    assert result == Result(len(STEPS), len(STEPS), 0, is_over=True)
    assert (result.lost, result.is_whole, tour.step) == (0, True, len(STEPS) - 1)
    assert {f"arm {fault}" for fault in STEPS if fault is not None} <= {*world.did}
    assert world.armed == set()
    assert world.now < 100 + LONGEST
    assert len({*world.written}) == len(STEPS)


def test_each_message_is_written_while_its_fault_is_armed() -> None:
    world = FakeWorld()
    run(world)
    for fault in STEPS:
        if fault not in (None, Fault.DROP):
            arms, lifts = world.did.index(f"arm {fault}"), world.did.index(f"lift {fault}")
            assert "send" in world.did[arms:lifts]


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.FIREWALL])
def test_a_server_out_of_reach_drops_and_is_tried_again(fault: Fault) -> None:
    world = FakeWorld()
    run(world)
    at = world.did.index(f"arm {fault}")
    assert world.did[at : at + 5] == [f"arm {fault}", "arm drop", "send", f"lift {fault}", "try now"]


def test_a_page_that_does_not_heal_ends_the_tour() -> None:
    world = FakeWorld(heals=False)
    _, result = run(world)
    assert world.now <= 100 + LONGEST + 0.2
    assert result.is_over
    assert result.lost == result.written > 0
    assert not result.is_whole
    assert world.armed == set()


def test_a_message_that_is_shown_twice_is_counted(keys: Texts) -> None:
    _, result = run(FakeWorld(stores_twice=True))
    assert (result.lost, result.twice, result.is_whole) == (0, len(STEPS), False)
    nothing = DeliveryStatistics(0, 0, 0, 0, 0, 0, 0)
    assert result_words(result, nothing, nothing, keys).startswith(
        "<tour.broken written=9 stored=9 lost=0 twice=9>"
    )


def test_a_cancelled_tour_lifts_its_fault_and_does_no_more() -> None:
    world = FakeWorld()
    tour = make(world)
    while "arm slow" not in world.did:
        tour.update(world.state(), world.now)
        world.now += 0.1
    tour.cancel()
    did = len(world.did)
    assert world.did[-1] == "lift slow"
    assert tour.update(world.state(), world.now) is None
    assert len(world.did) == did


def test_messages_of_others_count_as_nothing() -> None:
    world = FakeWorld()
    tour = make(world)
    tour.update(world.state(), world.now)
    state = world.state()
    (own,) = state.timeline.entries
    state = replace(state, timeline=Timeline((replace(own, own=False),), 1))
    assert tour.result(state) == Result(1, 0, 0, is_over=False)


def test_the_result_tells_what_delivery_counted_meanwhile(keys: Texts) -> None:
    before = DeliveryStatistics(1, 2, 3, 4, 5, 6, 7)
    after = DeliveryStatistics(10, 4, 12, 9, 6, 8, 10)
    assert result_words(Result(9, 9, 0, is_over=True), before, after, keys) == (
        "<tour.whole written=9 stored=9 lost=0 twice=0>"
        "<tour.counted acknowledged=9 resent=2 received=5 duplicates=1 fetched=3>"
    )
