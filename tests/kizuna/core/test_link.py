"""The states of one link."""

from __future__ import annotations

import pytest

from kizuna.core.links import Heartbeat, Link
from kizuna.core.states import LinkSignal, LinkState


def link(*, needs_ready: bool = True) -> Link:
    return Link(1, 100.0, Heartbeat(), needs_ready=needs_ready)


def open_link(*, needs_ready: bool = True) -> Link:
    it = link(needs_ready=needs_ready)
    it.note_opened(101.0)
    return it


def test_one_link_takes_one_token():
    it = link()
    assert [it.note_token(103.0), it.note_token(104.0)] == [True, False]
    assert it.active_at == 103.0
    assert not open_link().note_token(102.0)


def test_a_link_opens_once():
    it = link()
    assert (it.number, it.active_at) == (1, 100.0)
    assert not it.is_open
    assert [it.note_opened(101.0), it.note_opened(102.0)] == [True, False]
    assert it.is_open
    assert it.active_at == 101.0


@pytest.mark.parametrize("order", [("ready", "prepared"), ("prepared", "ready")])
def test_ready_and_prepared_prove_it_in_either_order(order: tuple[str, str]):
    it = open_link()
    notes = {"ready": it.note_ready, "prepared": it.note_prepared}
    assert [notes[word]() for word in order] == [False, True]
    assert it.state is LinkState.LIVE
    assert [notes[word]() for word in order] == [False, False]


def test_where_the_server_says_no_ready_prepared_proves_it():
    it = open_link(needs_ready=False)
    assert it.is_ready
    assert it.note_prepared()


def test_nothing_proves_a_link_that_is_not_open():
    it = link()
    assert not it.note_ready()
    assert not it.note_prepared()
    assert it.state is LinkState.OPENING


def test_whatever_is_heard_ends_a_doubt_and_is_a_sign_of_life():
    it = open_link(needs_ready=False)
    it.note_prepared()
    assert it.note_frame(110.0) is False
    it.apply(LinkSignal.DOUBT)
    it.heartbeat.ping_sent(115.0)
    assert it.is_open
    assert it.note_frame(120.0)
    assert not it.heartbeat.is_silent
    assert (it.state, it.active_at) == (LinkState.LIVE, 120.0)


def test_an_ended_link_stays_ended():
    it = open_link()
    it.apply(LinkSignal.ENDED)
    it.note_ready()
    assert not it.note_prepared()
    assert not it.note_opened(1.0)
    assert (it.state, it.is_open) == (LinkState.CLOSING, False)


def test_another_frame_proves_nothing_of_a_link_that_was_heard():
    it = open_link()
    assert not it.is_heard, "each frame of a link that is not proven is a sign of progress"
    it.note_ready()
    it.note_prepared()
    assert it.is_heard is True
    it.heartbeat.ping_sent(110.0)
    assert it.is_heard is False, "it answers no ping before it is heard"
    it.note_frame(111.0)
    assert it.is_heard
    it.is_postponed = True
    assert not it.is_heard
    it.note_frame(112.0)
    assert it.is_heard
    it.apply(LinkSignal.DOUBT)
    assert not it.is_heard


def test_the_slowest_step_is_measured_until_the_link_is_accepted():
    it = link()
    assert it.slowest_step == 0.0
    it.note_token(103.0)
    it.note_opened(104.0)
    assert it.slowest_step == 3.0
    it.note_frame(109.0)
    assert it.slowest_step == 5.0
    it.note_ready()
    it.note_frame(130.0)
    assert it.slowest_step == 5.0


def test_a_link_is_accepted_once_it_is_open_and_ready():
    it = link(needs_ready=False)
    assert it.is_accepted is False
    it.note_opened(101.0)
    assert it.is_accepted is True
    assert not open_link().is_accepted
