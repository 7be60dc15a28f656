"""Messages that an operator deletes disappear from screens and caches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chat.cache import TABLE
from tests.simulation.network import Path
from tests.simulation.world import ChatWorld

DAY = 86400.0
KEPT = 7 * 86400
#: Seconds between two pings, and a second for the answer and what follows from it.
HEARTBEAT = 31.0
SECRET = "a secret"


@pytest.fixture
def world() -> Iterator[ChatWorld]:
    """Everybody is in room general with three messages, the second of which is to be deleted."""
    with ChatWorld() as world:
        world.open_all()
        for text in ("first", SECRET, "third"):
            world.say(world.page_of("ben"), text)
            world.advance(1.0)
        yield world


def kept(world: ChatWorld) -> str:
    """Return all that the browsers store of rooms."""
    return " ".join(text for tab in world.tabs.values() for text in tab.browser.rows(TABLE).values())


def test_a_deleted_message_goes_from_every_screen_and_cache_with_a_heartbeat(world: ChatWorld):
    assert SECRET in kept(world)
    world.delete("general", 1)
    world.advance(HEARTBEAT)
    for page in world.pages:
        assert page.texts == ["first", "[deleted]", "third"]
        assert [entry.deleted for entry in page.state.timeline.entries] == [False, True, False]
        assert page.state.timeline.entries[1].sender_name != "Ben"
    assert SECRET not in kept(world)
    world.end_well()


def test_a_page_closed_during_the_deletion_forgets_the_message_later(world: ChatWorld):
    world.close_page(world.page_of("cy"))
    world.delete("general", 1)
    world.advance(HEARTBEAT)
    assert SECRET in kept(world)
    cy = world.open("cy")
    world.advance(2.0)
    assert cy.texts == ["first", "[deleted]", "third"]
    assert SECRET not in kept(world)
    world.end_well()


def test_an_own_message_deleted_before_its_ack_leaves_the_page(world: ChatWorld):
    cy = world.page_of("cy")
    world.say(cy, "mine")
    world.run()
    for link in world.links():
        if link.host is cy:
            world.cut(link, page_notices=True, gateway_notices=True, keeps_up=True)
    world.tabs["cy"].path = Path.STALLED
    world.flow()
    assert len(world.server.log("general")) == 4
    world.delete("general", 3)
    world.tabs["cy"].path = Path.GOOD
    world.advance(HEARTBEAT)
    assert cy.texts == ["first", SECRET, "third", "[deleted]"]
    assert cy.state.waiting == 0
    world.end_well()


def test_pages_settle_in_a_room_of_which_everything_has_expired(world: ChatWorld):
    """One page was closed and knows a part, one is new, two were open all the time."""
    world.close_page(world.page_of("cy"))
    for number in range(4):
        world.say(world.page_of("ben"), f"words {number}")
        world.advance(1.0)
    world.server.keep("general", KEPT)
    world.advance(HEARTBEAT)
    for name in ("ada-1", "ada-2", "ben"):
        world.close_page(world.page_of(name))
    world.clock.sleep(8 * DAY)
    assert world.server.log("general") == []
    world.tabs["ben"].browser.rows(TABLE).clear()
    for name in world.tabs:
        world.open(name)
    world.advance(HEARTBEAT)
    assert all(page.is_settled for page in world.pages)
    heard: list[str] = []
    receive = world.server.receive
    world.server.receive = lambda link, text: (heard.append(text), receive(link, text))[1]  # type: ignore[func-returns-value,method-assign]
    world.advance(10 * HEARTBEAT)
    assert not [text for text in heard if '"ping"' not in text]
    world.say(world.page_of("ben"), "after all that")
    world.advance(HEARTBEAT)
    assert [page.texts[-1] for page in world.pages] == ["after all that"] * 4
    assert [page.state.timeline.last_seq for page in world.pages] == [8] * 4
    assert not any(page.state.loading_earlier for page in world.pages)
    world.check()
