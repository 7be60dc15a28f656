"""The roles of links, and how they begin and end."""

from __future__ import annotations

import pytest

from kizuna.core.events import AbandonLink, CancelTimer, FetchToken, SetTimer, Timer
from kizuna.core.links import Link, Links
from kizuna.core.states import LinkState
from kizuna.core.timing import Context
from kizuna.platform import Instant


@pytest.fixture
def context() -> Context:
    context = Context()
    context.begin(Instant(100.0, 1_000.0))
    return context


@pytest.fixture
def links(context: Context) -> Links:
    """All three roles are taken."""
    links = Links(context, needs_ready=True)
    links.open(10.0)
    links.open_candidate(10.0)
    links.promote()
    links.open_candidate(10.0)
    context.begin(context.now)
    return links


def numbers(links: Links) -> list[int]:
    return [link.number for link in links.all]


def test_a_link_begins_with_a_deadline_and_the_request_for_its_token(context: Context):
    links = Links(context, needs_ready=True)
    links.open(10.0)
    assert context.commands == [SetTimer(Timer.CONNECT, 110.0), FetchToken(1)]
    assert (links.required.active_at, links.required.is_ready) == (100.0, False)
    assert context.state.attempt == 1


def test_without_ready_on_the_wire_a_link_is_ready_at_once(context: Context):
    links = Links(context, needs_ready=False)
    links.open(10.0)
    assert links.required.is_ready


def test_another_link_takes_the_place_of_all(links: Links, context: Context):
    links.open(10.0)
    assert numbers(links) == [4]
    ended = [command.link for command in context.commands if isinstance(command, AbandonLink)]
    assert sorted(ended) == [1, 2, 3]


def test_a_candidate_begins_beside_the_current_link(context: Context):
    links = Links(context, needs_ready=True)
    links.open(10.0)
    context.begin(context.now)
    links.open_candidate(20.0)
    assert context.commands == [SetTimer(Timer.CANDIDATE, 120.0), FetchToken(2)]
    assert numbers(links) == [1, 2]
    assert context.state.attempt == 1


def test_a_link_is_found_by_its_number_while_it_has_a_role(links: Links):
    assert (links.find(2), links.find(3), links.find(4)) == (links.current, links.candidate, None)


def test_the_candidate_becomes_current_and_the_current_link_retires(links: Links):
    links.end(links.retiring)
    old, following = links.current, links.candidate
    links.promote()
    assert (links.current, links.candidate, links.retiring) == (following, None, old)


@pytest.mark.parametrize(
    ("role", "timer"),
    [("current", Timer.CONNECT), ("candidate", Timer.CANDIDATE), ("retiring", Timer.RETIRE)],
)
def test_each_role_has_its_deadline_and_ends_with_it(links: Links, context: Context, role: str, timer: Timer):
    link: Link = getattr(links, role)
    context.timers[timer] = 110.0
    assert links.deadline_of(link) is timer
    assert links.timed_by(timer) == link
    links.end(link)
    assert context.commands == [CancelTimer(timer), AbandonLink(link.number)]
    assert getattr(links, role) is None
    assert len(links.all) == 2
    assert link.state is LinkState.CLOSING


def test_no_link_ends_without_effect(links: Links, context: Context):
    links.end(None)
    assert context.commands == []


def test_silence_is_about_the_current_link_and_other_timers_about_none(links: Links):
    assert links.timed_by(Timer.SILENCE) is links.current
    others = set(Timer) - {Timer.CONNECT, Timer.SILENCE, Timer.CANDIDATE, Timer.RETIRE}
    assert {links.timed_by(timer) for timer in others} == {None}
