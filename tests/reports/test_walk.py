"""The walk of a frame: one event, one published state."""

from __future__ import annotations

from tests.reports.walk import diagnosis_cost, walks


async def test_each_event_shows_and_publishes_at_most_once() -> None:
    by_name = {walk.name: walk for walk in await walks()}
    counts = {name: (walk.count("_show"), walk.states) for name, walk in by_name.items()}
    assert counts == {
        "message of another person": (1, 1),
        "own message, from Enter to the wire": (2, 2),  # queued, sent
        "its ack": (1, 1),
        "its broadcast": (1, 0),
    }
    # 242 where parts called back. A change that adds calls for each message should have a reason.
    # 138 before frames waited for a slice: seventeen calls for a frame that comes alone, none for the next ones.
    assert by_name["its ack"].total <= 145


def test_diagnosis_is_measured() -> None:
    assert diagnosis_cost() > 0
