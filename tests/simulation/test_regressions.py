"""What the machine found, as stories: each once went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat.timeline import Delivery
from tests.chat.stage import Stage, ack, batch, message
from tests.simulation.network import Path
from tests.simulation.world import MAX_GAP, World


@pytest.fixture
def world() -> Iterator[World]:
    """Everybody is in room general, and all is well."""
    with World() as world:
        world.open_all()
        yield world


def test_what_failed_in_a_room_that_was_left_can_be_sent_again(world: World):
    cy = world.page_of("cy")
    cy.run(cy.session.enter_room, "tea")
    world.flow()
    world.server.kill()
    world.say(cy, "three days later it may not be meant any more")
    world.run()
    cy.run(cy.session.leave_room, "tea")
    world.clock.sleep(4 * 86400.0)
    world.server.boot()
    world.advance(20.0)
    cy.run(cy.session.enter_room, "tea")
    assert [entry.state for entry in cy.state.timeline.failed] == [Delivery.FAILED]
    world.end_well()


def test_what_was_acknowledged_beyond_a_gap_that_is_never_closed_does_not_wait_for_ever(world: World):
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


def test_a_room_that_is_left_and_entered_again_while_the_page_connects_is_filled(world: World):
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


async def test_an_answer_to_the_room_that_was_left_does_not_hide_what_was_said_before():
    """Asked as one who knew everything, and answered to one who knows nothing."""
    stage = Stage()
    await stage.join(head=1, messages=[message(1)])
    stage.session.enter_room("tea")
    await stage.receive(batch(0, [], roomId="tea", ref=stage.sent("join")[-1]["ref"]))
    stage.session.leave_room("general")
    stage.session.enter_room("general")
    await stage.receive(batch(1, [], ref="asked-before-it-was-left"))
    asked = stage.sent("history")
    assert [(frame["roomId"], frame["before"]) for frame in asked] == [("general", 2)]
    await stage.receive(batch(1, [message(1)], ref=asked[0]["ref"]))
    assert [entry.content for entry in stage.state.timeline.entries] == ["words 1"]


async def test_a_refusal_that_comes_after_the_acknowledgement_means_nothing():
    """The frame was handled twice, and turned away once."""
    stage = Stage()
    await stage.join()
    await stage.say("stored")
    name = stage.sent("sendMessage")[0]["clientMessageId"]
    await stage.receive(ack(name, 2))  # beyond a gap, so it waits for its place
    await stage.receive(
        {"type": "nack", "clientMessageId": name, "code": "busy", "message": "later", "retryable": True}
    )
    assert stage.entries() == [("stored", Delivery.SENT)]
    await stage.receive(message(1))
    assert [entry.content for entry in stage.state.timeline.entries] == ["words 1", "stored"]
    assert stage.state.waiting == 0


def test_words_refused_because_their_person_left_meanwhile_are_sent_by_no_other_tab(world: World):
    page = world.page_of("ada-2")
    world.tabs["ada-2"].browser.storage.is_stuck = True
    world.say(page, "kept too late")
    world.run()
    page.run(page.session.leave)
    world.end_well()
