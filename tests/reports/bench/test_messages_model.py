"""The benchmark of the model measures what it says, and tells whether the cost grows."""

from __future__ import annotations

from tests.reports.bench.messages_model import report, seconds_for


async def test_so_many_messages_are_received_and_shown() -> None:
    assert await seconds_for(500) > 0


def test_the_table_compares_the_cost_of_each_message() -> None:
    assert report([1_000, 10_000], [0.1, 1.5]).splitlines()[2:] == [
        "| 1,000 | 0.10 | 100 | 1.00 |",
        "| 10,000 | 1.50 | 150 | 1.50 |",
    ]
