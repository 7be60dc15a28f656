"""What the benchmark measures is what it says, and what it writes is where it belongs."""

from __future__ import annotations

import pytest

from kizuna.states import Status
from tests.reports.bench import event_cost, workloads
from tests.reports.bench.event_cost import Measured


@pytest.mark.parametrize("name", workloads.WORKLOADS)
def test_a_round_tells_as_many_events_as_it_says_and_ends_connected(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    pages: list[workloads.Page] = []
    told: list[object] = []
    begin, tell = workloads.connected, workloads.Page.tell

    def connected() -> workloads.Page:
        pages.append(begin())
        return pages[-1]

    def note(page: workloads.Page, event: object) -> None:
        told.append(event)
        tell(page, event)  # type: ignore[arg-type]

    monkeypatch.setattr(workloads, "connected", connected)
    size, go = workloads.WORKLOADS[name]()
    monkeypatch.setattr(workloads.Page, "tell", note)
    for number in range(1, 4):
        go()
        assert len(told) == number * size
        assert pages[0].connection.status is Status.CONNECTED


def test_every_workload_is_measured():
    measured = workloads.measure(repeats=2, seconds=0.0001)
    assert measured.keys() == workloads.WORKLOADS.keys()
    assert all(len(took) == 2 and min(took) > 0 for took in measured.values())


@pytest.mark.parametrize(("cost", "verdict"), [(49.9, "is met"), (50.0, "is missed")])
def test_the_report_names_the_dearest_and_says_whether_the_aim_is_met(cost: float, verdict: str):
    pyodide = Measured("Pyodide 1", {"cheap": [1.0, 2.0], "dear": [3.0, cost]})
    text = event_cost.report(pyodide, Measured("CPython 1", {"cheap": [1, 1], "dear": [2, 2]}), "a day", "go")
    assert f"{verdict}: the dearest is “dear”, {cost} µs" in text
    assert "| cheap | 1.0 µs | 2.0 µs | 1.0 µs | 1.0 µs |" in text


def test_only_what_stands_between_the_marks_is_rewritten():
    page = f"a\n{event_cost.BEGIN}\nold\n{event_cost.END}\nz"
    assert event_cost.rewritten(page, "new") == f"a\n{event_cost.BEGIN}\nnew\n{event_cost.END}\nz"
    with pytest.raises(ValueError, match="no part"):
        event_cost.rewritten("a", "new")
