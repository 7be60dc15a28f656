"""Trouble is told after a grace, once, and its end is told only if its beginning was."""

from dataclasses import replace

import pytest

from chat.store import ChatState
from chat.timeline import Gap
from kizuna.core.states import ConnectionState, Status
from ui.connection.outage import FIRST_GRACE, GRACE, SUCCESS_FOR, Outage, Phase

CONNECTED = ChatState(
    name="Mika",
    is_connected=True,
    caught_up=True,
    connection=ConnectionState(Status.CONNECTED),
    last_connected_at=1.0,
)


def down(status: Status = Status.WAITING, *, waiting: int = 0) -> ChatState:
    return replace(
        CONNECTED,
        connection=CONNECTED.connection._replace(status=status),
        is_connected=False,
        waiting=waiting,
    )


def phase(outage: Outage) -> Phase:
    """The phase, read anew: mypy does not know that ``update`` changes it."""
    return outage.phase


@pytest.fixture
def outage() -> Outage:
    outage = Outage()
    assert outage.update(CONNECTED, 0.0) is None
    return outage


def test_a_drop_that_heals_within_the_grace_leaves_no_trace(outage: Outage):
    assert outage.update(down(), 10.0) == 10.0 + GRACE
    assert outage.update(down(Status.CONNECTING), 12.9) == 10.0 + GRACE
    assert phase(outage) is Phase.NONE
    assert outage.update(CONNECTED, 12.95) is None
    assert phase(outage) is Phase.NONE


def test_after_the_grace_there_is_trouble(outage: Outage):
    outage.update(down(), 10.0)
    assert outage.update(down(Status.CONNECTING), 10.0 + GRACE) is None
    assert phase(outage) is Phase.TROUBLE
    assert outage.in_trouble


def test_the_first_connection_has_a_longer_grace():
    outage, first = Outage(), ChatState(name="Mika", connection=ConnectionState(Status.CONNECTING, 1))
    assert outage.update(first, 0.0) == FIRST_GRACE
    outage.update(first, FIRST_GRACE - 0.1)
    assert phase(outage) is Phase.NONE
    outage.update(first, FIRST_GRACE)
    assert phase(outage) is Phase.TROUBLE


@pytest.mark.parametrize("status", [Status.EXHAUSTED, Status.REJECTED])
def test_what_needs_a_person_is_told_at_once(outage: Outage, status: Status):
    outage.update(down(status), 10.0)
    assert phase(outage) is Phase.FAILED


def test_the_return_is_told_for_some_seconds(outage: Outage):
    outage.update(down(), 10.0)
    outage.update(down(), 20.0)
    assert outage.update(CONNECTED, 30.0) == 30.0 + SUCCESS_FOR
    assert phase(outage) is Phase.SUCCESS
    assert outage.update(CONNECTED, 30.0 + SUCCESS_FOR) is None
    assert phase(outage) is Phase.NONE


def test_the_return_is_told_only_when_nothing_is_missing(outage: Outage):
    outage.update(down(), 10.0)
    outage.update(down(), 20.0)
    outage.update(replace(CONNECTED, caught_up=False, catching_up=True), 30.0)
    assert phase(outage) is Phase.TROUBLE
    outage.update(CONNECTED, 31.0)
    assert phase(outage) is Phase.SUCCESS


def test_messages_that_waited_are_counted_as_they_are_stored(outage: Outage):
    outage.update(down(), 10.0)
    outage.update(down(waiting=3), 20.0)
    outage.update(replace(CONNECTED, waiting=3), 30.0)
    assert outage.sent == 0
    outage.update(replace(CONNECTED, waiting=1), 30.2)
    assert outage.sent == 2
    outage.update(replace(CONNECTED, waiting=0), 30.4)
    assert outage.sent == 3


def test_a_doubted_link_is_no_trouble_yet(outage: Outage):
    outage.update(down(Status.SUSPECT), 10.0)
    outage.update(down(Status.SUSPECT), 20.0)
    assert phase(outage) is Phase.NONE


@pytest.mark.parametrize("status", [Status.CLOSED, Status.IDLE, Status.SUSPENDED])
def test_what_is_meant_to_be_disconnected_is_no_trouble(outage: Outage, status: Status):
    outage.update(down(), 10.0)
    outage.update(down(), 20.0)
    outage.update(down(status), 21.0)
    assert phase(outage) is Phase.NONE
    outage.update(CONNECTED, 22.0)
    assert phase(outage) is Phase.NONE


def test_who_has_no_name_is_told_nothing(outage: Outage):
    assert outage.update(replace(down(), name=None), 100.0) is None
    assert phase(outage) is Phase.NONE


def test_coming_back_to_the_tab_begins_the_grace_anew(outage: Outage):
    outage.update(down(), 10.0)
    outage.update(down(), 60.0)
    assert outage.in_trouble
    outage.page_shown(61.0)
    assert outage.update(down(), 61.0) == 61.0 + GRACE
    assert phase(outage) is Phase.NONE


def test_coming_back_while_connected_changes_nothing(outage: Outage):
    outage.page_shown(10.0)
    outage.update(CONNECTED, 10.0)
    assert phase(outage) is Phase.NONE


def test_asking_again_changes_nothing(outage: Outage):
    outage.update(down(), 10.0)
    for _ in range(3):
        outage.update(down(waiting=2), 20.0)
    for _ in range(3):
        assert outage.update(replace(CONNECTED, waiting=1), 30.0) == 30.0 + SUCCESS_FOR
        assert (phase(outage), outage.sent) == (Phase.SUCCESS, 1)


def test_what_the_end_of_an_outage_brought_is_counted_once(outage: Outage):
    outage.update(replace(down(), received=5), 10.0)
    outage.update(replace(down(), received=5), 20.0)
    outage.update(replace(CONNECTED, received=12), 30.0)
    assert outage.received == 7
    outage.update(replace(CONNECTED, received=20), 31.0)
    assert outage.received == 7
    outage.update(replace(down(), received=20), 40.0)
    outage.update(replace(down(), received=20), 50.0)
    outage.update(replace(CONNECTED, received=3), 60.0)  # a room was left meanwhile
    assert outage.received == 0


def test_only_an_outage_that_was_shown_and_is_over_gets_a_line(outage: Outage):
    short, long = Gap(1, "a", 1.0, 2.0), Gap(2, "b", 3.0, None)
    outage.update(replace(down(), losses=1, gaps=(replace(short, until=None),)), 10.0)
    outage.update(replace(CONNECTED, losses=1, gaps=(short,)), 11.0)
    lost = replace(down(), losses=2, gaps=(short, long))
    outage.update(lost, 20.0)
    outage.update(lost, 30.0)
    assert outage.shown_gaps(lost) == ()
    over = replace(long, until=4.0)
    back = replace(CONNECTED, losses=2, gaps=(short, over))
    outage.update(back, 31.0)
    assert outage.shown_gaps(back) == (over,)
