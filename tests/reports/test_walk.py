"""The walk of a frame: one event, one published state."""

from __future__ import annotations

import pytest

from kizuna.wire import ARTICLE, KIZUNA, Wire
from tests.reports.walk import calls_after, diagnosis_cost, walks


async def test_each_event_shows_and_publishes_at_most_once() -> None:
    by_name = {walk.name: walk for walk in await walks()}
    counts = {name: (walk.count("_show"), walk.states) for name, walk in by_name.items()}
    assert counts == {
        "message of another person": (1, 1),
        "own message, from Enter to the wire": (2, 2),  # queued, sent
        "its ack": (1, 1),
        "its broadcast": (1, 0),
    }
    # 242 where parts called back, with the calls of the fakes. A change that adds calls should have a reason.
    assert by_name["its ack"].total <= 145


@pytest.mark.parametrize("wire", [KIZUNA, ARTICLE])
async def test_a_message_takes_the_same_calls_whatever_came_before(wire: Wire) -> None:
    few, many = [await calls_after(count, wire) for count in (2_100, 4_200)]
    assert many.total - few.total < 10  # a cut of the window may fall into one of them


def test_diagnosis_is_measured() -> None:
    assert diagnosis_cost() > 0
