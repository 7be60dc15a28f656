"""A room that nobody has written into: it begins with the first message, and nobody loses anything by that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from chat.protocol import EMPTY_EPOCH
from chat.store import NoticeKind
from tests.simulation.network import Path, Text
from tests.simulation.world import World


@pytest.fixture
def world() -> Iterator[World]:
    """Everybody is in room general, into which nobody has written."""
    with World() as world:
        world.open_all()
        yield world


def test_looking_into_a_room_records_nothing_of_it(world: World):
    world.page_of("ben").run(world.page_of("ben").session.enter_room, "tea")
    world.advance(100.0)
    assert [item for item in world.server.store.items() if item["pk"].endswith("#HEAD")] == []
    assert all(page.is_settled for page in world.pages)


def test_heartbeats_in_an_empty_room_ask_for_nothing(world: World):
    """A room that a pong does not name is joined again, whose answer is followed by a ping."""
    heard = []
    receive = world.server.receive

    def listen(line, text):
        heard.append(json.loads(text)["action"])
        receive(line, text)

    world.server.receive = listen  # type: ignore[method-assign]
    world.advance(100.0)
    assert set(heard) == {"ping"}


def test_the_first_words_of_two_people_at_once_are_everybodys(world: World):
    ada, ben = world.page_of("ada-1"), world.page_of("ben")
    world.say(ada, "Ada is first")
    world.say(ben, "Ben is first")
    world.flow(window=2)
    world.advance(1.0)
    assert [len(page.texts) for page in world.pages] == [2, 2, 2, 2]
    assert [page.state.notice for page in world.pages] == [None] * 4
    world.end_well()


def test_who_was_away_from_an_empty_room_gets_all_that_was_said_and_keeps_their_own(world: World):
    ben, cy = world.page_of("ben"), world.page_of("cy")
    world.tabs["cy"].path = Path.STALLED
    for line in world.lines():
        if line.host is cy:
            world.cut(line, page_notices=True, gateway_notices=True, keeps_up=False)
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


def test_a_page_that_was_closed_in_an_empty_room_opens_with_all_that_was_said_since(world: World):
    cy = world.page_of("cy")
    world.advance(5.0)
    world.close_page(cy)
    world.say(world.page_of("ben"), "first")
    world.flow()
    cy = world.open("cy")
    world.advance(1.0)
    assert (cy.texts, cy.state.notice) == (["first"], None)
    world.end_well()


def test_a_backup_from_before_the_first_message_leaves_no_page_with_two_histories(world: World):
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


def test_a_word_that_the_room_is_empty_which_comes_after_the_first_message_drops_nothing(world: World):
    """A pong that was read before the message, and overtaken by it."""
    ben, cy = world.page_of("ben"), world.page_of("cy")
    world.say(ben, "first")
    world.flow()
    (line,) = (line for line in world.lines() if line.host is cy)
    late = {"roomId": "general", "epoch": EMPTY_EPOCH}
    pong = {"type": "pong", "t": 1, "heads": [{**late, "seq": 0}]}
    batch = {"type": "batch", **late, "messages": [], "head": 0, "complete": True}
    for frame in (pong, batch):
        line.down.append(Text(json.dumps(frame)))
    world.flow()
    assert (cy.texts, cy.state.notice) == (["first"], None)
    world.end_well()
