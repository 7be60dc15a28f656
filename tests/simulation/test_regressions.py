"""Faults that the chat machine found, as the steps that showed them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat.timeline import Delivery
from tests.chat.session_harness import SessionHarness, ack, batch, message
from tests.simulation.network import Path
from tests.simulation.world import MAX_GAP, ChatWorld


@pytest.fixture
def world() -> Iterator[ChatWorld]:
    """Everybody is in room general and connected."""
    with ChatWorld() as world:
        world.open_all()
        yield world


def test_a_message_failed_in_a_left_room_can_be_retried(world: ChatWorld):
    cy = world.page_of("cy")
    cy.run(cy.session.enter_room, "tea")
    world.flow()
    world.server.kill()
    world.say(cy, "three days later it may no longer be meant")
    world.run()
    cy.run(cy.session.leave_room, "tea")
    world.clock.sleep(4 * 86400.0)
    world.server.start()
    world.advance(20.0)
    cy.run(cy.session.enter_room, "tea")
    assert [entry.state for entry in cy.state.timeline.failed] == [Delivery.FAILED]
    world.end_well()


def test_a_message_acknowledged_beyond_a_gap_does_not_stay_pending(world: ChatWorld):
    """The gap becomes too large to be closed."""
    ben, ada = world.page_of("ben"), world.page_of("ada-1")
    world.say(ada, "lost on its way to Ben")
    world.flow(lost_for={"ben"})
    world.say(ben, "acknowledged, but beyond a gap")
    world.flow()
    world.tabs["ben"].path = Path.STALLED
    for number in range(MAX_GAP + 1):
        world.say(ada, f"words {number}")
        world.advance(1.0)
    world.tabs["ben"].path = Path.GOOD
    world.end_well()


def test_a_room_reentered_while_connecting_is_filled(world: ChatWorld):
    world.say(world.page_of("ben"), "said before")
    world.advance(2.0)
    cy = world.page_of("cy")
    cy.run(cy.session.enter_room, "tea")
    world.advance(2.0)
    world.close_page(cy)
    cy = world.open("cy")
    while not any(flight.brings("batch", "general") for flight in world.flights()):
        world.arrive(world.flights()[-1])
        world.run()
    for flight in world.flights():
        if flight.brings("batch", "general"):
            world.arrive(flight)
            world.run()
            break
    cy.run(cy.session.leave_room, "general")
    cy.run(cy.session.enter_room, "general")
    world.flow()
    assert [entry.content for entry in cy.state.timeline.entries] == ["said before"]
    world.end_well()


async def test_a_late_batch_of_a_left_room_hides_no_earlier_messages():
    """The request named the last known message; by the answer the page has forgotten them."""
    harness = SessionHarness()
    await harness.join(head=1, messages=[message(1)])
    harness.session.enter_room("tea")
    await harness.receive(batch(0, [], roomId="tea", ref=harness.sent("join")[-1]["ref"]))
    harness.session.leave_room("general")
    harness.session.enter_room("general")
    await harness.receive(batch(1, [], ref="asked-before-it-was-left"))
    asked = harness.sent("history")
    assert [(frame["roomId"], frame["before"]) for frame in asked] == [("general", 2)]
    await harness.receive(batch(1, [message(1)], ref=asked[0]["ref"]))
    assert [entry.content for entry in harness.state.timeline.entries] == ["words 1"]


async def test_a_nack_after_the_ack_is_ignored():
    """The frame was handled twice, and rejected once."""
    harness = SessionHarness()
    await harness.join()
    await harness.send("stored")
    name = harness.sent("sendMessage")[0]["clientMessageId"]
    await harness.receive(ack(name, 2))  # beyond a gap, so it waits for its place
    await harness.receive(
        {"type": "nack", "clientMessageId": name, "code": "busy", "message": "later", "retryable": True}
    )
    assert harness.entries() == [("stored", Delivery.SENT)]
    await harness.receive(message(1))
    assert [entry.content for entry in harness.state.timeline.entries] == ["words 1", "stored"]
    assert harness.state.waiting == 0


def test_a_message_stored_after_leaving_waits_for_its_author(world: ChatWorld):
    page = world.page_of("ada-2")
    world.tabs["ada-2"].browser.storage.is_stuck = True
    world.say(page, "kept too late")
    world.run()
    page.run(page.session.leave)
    world.end_well()
