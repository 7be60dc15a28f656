"""The benchmark of the library compares what it says, and runs in its smallest form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reports.bench import library
from tests.reports.bench.library import BASE, NOW, SENDERS, THEN, WAYS, Found, Plan, Ratio
from tests.reports.bench.library_message import MESSAGE
from tests.reports.bench.library_visits import Cost, library_of
from tests.support.server import ROOT
from tools.setup.browsers import find_browsers

LIBRARY = ROOT / "app" / "kizuna"


def found(passed: float, computed: float, *, imported: float = 100.0, modules: int = 20) -> Found:
    """Two rounds: the library's costs are these many times those of the others."""
    tasks = library.tasks(Plan(counts=[20]), 0)
    own, base = [Cost(10 * passed, 5 * computed), Cost(20 * passed, 6 * computed)], [Cost(10, 5), Cost(20, 6)]
    return Found(
        messages={task: own if task[2] in library.OWN_WAYS else base for task in tasks},
        imports={NOW: [Cost(imported, imported)] * 2, THEN: [Cost(200, 200)] * 2},
        modules={NOW: modules, THEN: 46},
        loads=[0.5, 1.5],
        browser="156.0",
    )


def verdicts(measured: Found, wheel: int = 100_000) -> dict[str, str]:
    """What is to reach -> whether it is reached."""
    rows = [line.split("|")[1:-1] for line in library.aims(measured, wheel).splitlines()[2:]]
    return {row[0].strip(): row[-1].strip() for row in rows}


def test_a_ratio_is_the_median_of_the_ratios_of_rounds():
    assert Ratio.of([10, 30, 40], [10, 10, 20]) == Ratio(2.0, 1.0, 3.0)
    assert str(Ratio(2.0, 1.0, 3.0)) == "2.00 (1.00 to 3.00)"


def test_each_way_is_the_first_one_in_some_round():
    rounds = [library.tasks(Plan(), number) for number in range(12)]
    for call, ways in (("receive", tuple(WAYS)), ("send", SENDERS)):
        first = [next(way for done, _, way in order if done == call) for order in rounds]
        assert set(first) == set(ways)
    assert {frozenset(order) for order in rounds} == {frozenset(rounds[0])}
    assert len(rounds[0]) == len(set(rounds[0])) == 2 * (len(WAYS) + len(SENDERS))


def test_an_aim_is_reached_by_both_times_or_not_at_all():
    assert set(verdicts(found(2.0, 2.0)).values()) == {"reached"}
    for passed, computed in ((2.1, 1.0), (1.0, 2.1)):
        told = verdicts(found(passed, computed))
        missed = {what for what, verdict in told.items() if verdict == "**not reached**"}
        assert missed == {f"receive 20, {WAYS[way]}" for way in library.OWN_WAYS} | {
            "send 20, kizuna, `on_message`"
        }


def test_import_modules_and_wheel_have_an_aim_each():
    told = verdicts(found(1, 1, imported=101, modules=21), 100_001)
    missed = [what for what, verdict in told.items() if verdict == "**not reached**"]
    assert missed == ["import", "modules that `connect` loads", "wheel"]


def test_the_tables_have_both_times_and_their_ratios():
    lines = library.report(found(1.5, 1.2), 90_000, "abc", "command").splitlines()
    assert lines[0].startswith("`command`, 20")
    assert "rounds: 2. Chromium 156.0; @pyscript/core" in lines[0]
    own = "15.0 µs | 22.5 µs | 1.50 (1.50 to 1.50) | 6.0 µs | 6.6 µs | 1.20 (1.20 to 1.20) |"
    assert f"| receive | 20 | kizuna, `async for` | {own}" in lines
    assert f"| send | 20 | {WAYS[BASE]} | 10.0 µs | 15.0 µs |  | 5.0 µs | 5.5 µs |  |" in lines
    assert "| `abc` | 46 | 200 ms | 200 ms |  | 200 ms | 200 ms |  |" in lines


def test_the_other_version_is_a_folder_or_a_commit(tmp_path: Path):
    assert library_of(str(LIBRARY), tmp_path) == LIBRARY
    with pytest.raises(SystemExit, match="neither a folder nor a commit"):
        library_of("no-such-commit", tmp_path)


def test_a_message_has_the_size_that_the_document_names():
    assert len(json.dumps(MESSAGE, separators=(",", ":")).encode()) == 228


@pytest.fixture
def chromium_program() -> Path:
    return find_browsers().chromium or pytest.skip("Chromium is missing")


def test_everything_is_measured_in_its_smallest_form(chromium_program: Path):
    """A run fails by itself if a message is missing."""
    command = [sys.executable, "-m", "tests.reports.bench.library", "--quick", "--before", str(LIBRARY)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    measured = [(row[0], row[1], row[2]) for row in rows if len(row) == 9 and row[0] in ("receive", "send")]
    expected = [("receive", count, name) for count in ("20", "40") for name in WAYS.values()]
    expected += [("send", count, WAYS[way]) for count in ("20", "40") for way in SENDERS]
    assert measured == expected
    modules = [row[1] for row in rows if row[:1] in (["this version"], [f"`{LIBRARY}`"])]
    assert modules == [modules[0]] * 2  # the same library twice
