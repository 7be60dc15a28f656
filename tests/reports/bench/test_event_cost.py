"""The benchmark measures the right events, and writes into the right place."""

from __future__ import annotations

import json

import pytest

from kizuna.core import Connection
from kizuna.core.events import Command, Event
from kizuna.core.states import Status
from kizuna.platform import Instant
from tests.reports.bench import event_cost, workloads


@pytest.mark.parametrize(("name", "size"), list(zip(workloads.WORKLOADS, (2, 2, 1, 3, 3, 8), strict=True)))
def test_every_round_tells_equally_many_events_and_ends_connected(name: str, size: int):
    recorder = workloads.Recorder()
    for number in range(1, 4):
        workloads.WORKLOADS[name](recorder)
        assert len(recorder.told) == number * size
        assert recorder.status is Status.CONNECTED


def test_what_is_measured_is_what_was_told_and_in_the_same_order(monkeypatch: pytest.MonkeyPatch):
    told: list[tuple[Event, Instant]] = []
    handle = Connection.handle

    def note(connection: Connection, event: Event, now: Instant) -> list[Command]:
        told.append((event, now))
        return handle(connection, event, now)

    recorder = workloads.Recorder()
    workloads.cycle(recorder)
    monkeypatch.setattr(Connection, "handle", note)
    assert workloads._microseconds(recorder) > 0
    assert told == recorder.before + recorder.told


async def test_every_workload_and_every_part_of_a_frame_is_measured():
    measured = json.loads(await workloads.summary(repeats=2, rounds=3, kept=3_000))
    assert list(measured)[: len(workloads.WORKLOADS)] == list(workloads.WORKLOADS)
    assert len(measured) == len(workloads.WORKLOADS) + 6
    assert all(0 < least <= middle for least, middle in measured.values())


@pytest.mark.parametrize(("cost", "verdict"), [(49.9, "is met"), (50.0, "is missed")])
def test_the_report_names_the_dearest_and_says_whether_the_aim_is_met(cost: float, verdict: str):
    pyodide = {"cheap": [1.0, 2.0], "dear": [3.0, cost]}
    text = event_cost.report(pyodide, {"cheap": [1, 1], "dear": [2, 2]}, "origin")
    assert f"{verdict}: the dearest is “dear”, {cost} µs" in text
    assert "| cheap | 1.0 µs | 2.0 µs | 1.0 µs | 1.0 µs |" in text
