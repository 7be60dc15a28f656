"""The roles of links."""

from __future__ import annotations

import pytest

from kizuna.core.events import Timer
from kizuna.core.links import Links


def links_of(*parts: str) -> Links:
    links = Links(needs_ready=True)
    for part in parts:
        setattr(links, part, links.create(100.0))
    return links


def test_links_are_numbered_from_one_and_not_ready_at_first():
    links = Links(needs_ready=True)
    first, second = links.create(100.0), links.create(101.0)
    assert [(link.number, link.active_at, link.is_ready) for link in (first, second)] == [
        (1, 100.0, False),
        (2, 101.0, False),
    ]
    assert Links(needs_ready=False).create(100.0).is_ready
    assert links.all == []


def test_a_link_is_found_by_its_number_while_it_plays_a_part():
    links = links_of("current", "candidate")
    assert links.all == [links.current, links.candidate]
    assert (links.find(2), links.find(3)) == (links.candidate, None)


def test_the_candidate_carries_and_the_one_before_it_retires():
    links = links_of("current", "candidate")
    old, following = links.current, links.candidate
    links.promote()
    assert (links.current, links.candidate, links.retiring) == (following, None, old)


@pytest.mark.parametrize(
    ("part", "timer"),
    [("current", Timer.CONNECT), ("candidate", Timer.CANDIDATE), ("retiring", Timer.RETIRE)],
)
def test_each_part_has_its_deadline_and_is_forgotten_with_it(part: str, timer: Timer):
    links = links_of("current", "candidate", "retiring")
    link = getattr(links, part)
    assert links.deadline_of(link) is timer
    assert links.timed_by(timer) == link
    assert links.remove(link) is timer
    assert link not in links.all
    assert len(links.all) == 2


def test_silence_is_about_the_link_that_carries_and_other_timers_about_none():
    links = links_of("current", "candidate", "retiring")
    assert links.timed_by(Timer.SILENCE) is links.current
    rest = set(Timer) - {Timer.CONNECT, Timer.SILENCE, Timer.CANDIDATE, Timer.RETIRE}
    assert {links.timed_by(timer) for timer in rest} == {None}
