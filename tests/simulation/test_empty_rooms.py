"""Rooms without messages: their history begins with the first message, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chat.protocol import EMPTY_EPOCH
from chat.store import NoticeKind
from tests.simulation.network import Path, Text
from tests.simulation.world import ChatWorld


@pytest.fixture
def world() -> Iterator[ChatWorld]:
    """Everybody is in room general, which is empty."""
    with ChatWorld() as world:
        world.open_all()
        yield world


def test_entering_an_empty_room_stores_nothing(world: ChatWorld):
    world.page_of("ben").run(world.page_of("ben").session.enter_room, "tea")
    world.advance(100.0)
    assert [item for item in world.server.store.items() if item["pk"].endswith("#HEAD")] == []
    assert all(page.is_settled for page in world.pages)


def test_heartbeats_in_an_empty_room_cause_no_requests(world: ChatWorld):
    """A page would join again a room that a pong does not name, and follow the answer by a ping."""
    heard = []
    receive = world.server.receive

    def listen(link, text):
        heard.append(json.loads(text)["action"])
        receive(link, text)

    world.server.receive = listen  # type: ignore[method-assign]
    world.advance(100.0)
    assert set(heard) == {"ping"}


def test_two_simultaneous_first_messages_reach_everybody(world: ChatWorld):
    ada, ben = world.page_of("ada-1"), world.page_of("ben")
    world.say(ada, "Ada is first")
    world.say(ben, "Ben is first")
    world.flow(window=2)
    world.advance(1.0)
    assert [len(page.texts) for page in world.pages] == [2, 2, 2, 2]
    assert [page.state.notice for page in world.pages] == [None] * 4
    world.end_well()


def test_a_page_cut_off_from_an_empty_room_misses_nothing(world: ChatWorld):
    """It keeps its pending message, too."""
    ben, cy = world.page_of("ben"), world.page_of("cy")
    world.tabs["cy"].path = Path.STALLED
    for link in world.links():
        if link.host is cy:
            world.cut(link, page_notices=True, gateway_notices=True, keeps_up=False)
    world.run()
    world.say(cy, "waits")
    for number in range(3):
        world.say(ben, f"words {number}")
        world.flow()
    assert cy.texts == ["waits"]
    world.tabs["cy"].path = Path.GOOD
    world.advance(60.0)
    assert cy.texts == ["words 0", "words 1", "words 2", "waits"]
    assert cy.state.notice is None
    world.end_well()


def test_a_page_closed_in_an_empty_room_opens_with_later_messages(world: ChatWorld):
    cy = world.page_of("cy")
    world.advance(5.0)
    world.close_page(cy)
    world.say(world.page_of("ben"), "first")
    world.flow()
    cy = world.open("cy")
    world.advance(1.0)
    assert (cy.texts, cy.state.notice) == (["first"], None)
    world.end_well()


def test_restoring_an_empty_room_leaves_one_history_on_all_pages(world: ChatWorld):
    backup = world.server.store.items()
    ben, cy = world.page_of("ben"), world.page_of("cy")
    for number in range(5):
        world.say(ben, f"lost {number}")
        world.advance(1.0)
    assert len(cy.texts) == 5
    world.tabs["cy"].path = Path.STALLED
    world.restore(backup)
    world.advance(30.0)
    assert ben.texts == []
    world.say(ben, "another first")
    world.flow()
    world.tabs["cy"].path = Path.GOOD
    world.advance(60.0)
    assert [page.texts for page in world.pages] == [["another first"]] * 4
    notice = cy.state.notice
    assert notice is not None
    assert notice.kind is NoticeKind.HISTORY_RESTORED
    world.end_well()


def test_a_late_pong_of_an_empty_room_drops_nothing(world: ChatWorld):
    """The pong was made before the first message, which overtook it."""
    ben, cy = world.page_of("ben"), world.page_of("cy")
    world.say(ben, "first")
    world.flow()
    (link,) = (link for link in world.links() if link.host is cy)
    late = {"roomId": "general", "epoch": EMPTY_EPOCH}
    pong = {"type": "pong", "t": 1, "heads": [{**late, "seq": 0}]}
    batch = {"type": "batch", **late, "messages": [], "head": 0, "complete": True}
    for frame in (pong, batch):
        link.down.append(Text(json.dumps(frame)))
    world.flow()
    assert (cy.texts, cy.state.notice) == (["first"], None)
    world.end_well()
