"""What the benchmark measures is what it says, and what it writes is where it belongs."""

from __future__ import annotations

import json

import pytest

from kizuna.states import Status
from tests.reports.bench import event_cost, workloads


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_a_round_tells_as_many_events_as_it_says_and_ends_connected(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    size, go = workloads.WORKLOADS[name]
    page = workloads.Page()
    told: list[object] = []
    tell = workloads.Page.tell

    def note(page: workloads.Page, event: object) -> None:
        told.append(event)
        tell(page, event)  # type: ignore[arg-type]

    monkeypatch.setattr(workloads.Page, "tell", note)
    for number in range(1, 4):
        go(page)
        assert len(told) == number * size
        assert page.connection.status is Status.CONNECTED


def test_every_workload_is_measured():
    measured = json.loads(workloads.summary(repeats=2, rounds=3))
    assert measured.keys() == workloads.WORKLOADS.keys()
    assert all(0 < least <= middle for least, middle in measured.values())


@pytest.mark.parametrize(("cost", "verdict"), [(49.9, "is met"), (50.0, "is missed")])
def test_the_report_names_the_dearest_and_says_whether_the_aim_is_met(cost: float, verdict: str):
    pyodide = {"cheap": [1.0, 2.0], "dear": [3.0, cost]}
    text = event_cost.report(pyodide, {"cheap": [1, 1], "dear": [2, 2]}, "origin")
    assert f"{verdict}: the dearest is “dear”, {cost} µs" in text
    assert "| cheap | 1.0 µs | 2.0 µs | 1.0 µs | 1.0 µs |" in text
