"""Each fault in each engine: when it is noticed, when the page has recovered, and that nothing is lost.

`make reliability` runs all and writes docs/reliability.json and .md; ENGINE=webkit ONLY="reset fin" runs some rows.
The other tests check the code that makes the tables.
"""

from __future__ import annotations

import itertools
import os

import pytest
from playwright.sync_api import Playwright

from tests.e2e.conftest import skip_without
from tests.e2e.reliability import measure, report
from tests.e2e.reliability.engines import ENGINES
from tests.e2e.reliability.harness import Notes
from tests.e2e.reliability.measure import AFTER, BEFORE, MINE, THEIRS, Result, Times
from tests.e2e.reliability.report import EngineResults
from tests.e2e.reliability.scenarios import SCENARIOS
from tools.reports import documents
from tools.setup.browsers import Browsers

SAID = [BEFORE, *THEIRS, *MINE, AFTER]
BY_KEY = {scenario.key: scenario for scenario in SCENARIOS}


# --- every fault in every engine ---


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("key", ENGINES)
def test_no_fault_costs_a_message(key: str, playwright: Playwright, installed: Browsers):
    engine = ENGINES[key]
    if not engine.is_here(installed):
        skip_without(engine.name.removesuffix("GTK"), installed)
    only = os.environ.get("ONLY", "").split() or BY_KEY
    chosen = [scenario for scenario in SCENARIOS if scenario.gap(engine) is None and scenario.key in only]
    problems = {}
    for version, scenario, result in measure.run_scenarios(engine, playwright, installed, chosen):
        print(engine.name, scenario.key, result, flush=True)
        if os.environ.get("WRITE"):
            report.record(key, version, scenario.key, result)
        if result.problems:
            problems[scenario.key] = result.problems
    assert problems == {}


# --- the document ---


def test_the_document_has_the_table_of_the_saved_results():
    page = report.PAGE.read_text(encoding="utf-8")
    assert page == documents.rewritten(page, "reliability", report.table(report.load())), "make reliability"


def test_every_scenario_was_measured_in_every_engine_or_there_is_a_reason():
    kept = report.load()
    measured = {(name, key) for name in kept for key in kept[name].results}
    gaps = {(name, one.key) for name, engine in ENGINES.items() for one in SCENARIOS if one.gap(engine)}
    assert measured | gaps == set(itertools.product(ENGINES, BY_KEY))
    assert measured & gaps == set()


def test_nothing_that_was_measured_failed():
    kept = report.load()
    failures = {
        (name, key): problems
        for name in kept
        for key, result in kept[name].results.items()
        if (problems := [*result.problems, *measure.missed_limits(BY_KEY[key], result)])
    }
    assert failures == {}


def test_no_results_of_removed_scenarios_are_saved():
    kept = report.load()
    assert set(kept) == set(ENGINES)
    assert {key for engine in kept.values() for key in engine.results} <= set(BY_KEY)


def test_a_missed_limit_or_a_loss_is_a_failure_in_the_table():
    lost = Result("2026-01-02", problems=("lost on the screen: a",))
    late = Result("2026-01-02", given_up=7.0)
    text = report.table({"chromium": EngineResults("156", "314", {"reset": lost, "dead-visible": late})})
    assert "**failed**: lost on the screen: a |" in text
    assert "**failed**: given up after 7.0 s, not within 6.0 s |" in text


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(ValueError, match="has no part"):
        documents.rewritten("no marks", "reliability", "text")


# --- comparing what was said ---


def test_two_people_may_alternate_in_any_order():
    """Each text must be there once, and each person's in order."""
    mixed = [BEFORE, MINE[0], THEIRS[0], MINE[1], THEIRS[1], AFTER]
    assert measure.compare(SAID, SAID) == []
    assert measure.compare(mixed, mixed) == []


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        ([*SAID[:2], *SAID[3:]], f"lost on the screen: {THEIRS[1]}"),
        ([*SAID[:2], *SAID[1:]], f"twice on the screen: {THEIRS[0]}"),
        ([*SAID, "a ghost"], "never said, on the screen: a ghost"),
        ([BEFORE, *reversed(THEIRS), *MINE, AFTER], f"out of order on the screen: {BEFORE}, {THEIRS[1]}"),
        ([BEFORE, *MINE, *THEIRS, AFTER], "another order than the log's"),
    ],
)
def test_a_screen_that_is_wrong_is_told_so(shown: list[str], problem: str):
    problems = measure.compare(shown, SAID)
    assert any(told.startswith(problem) for told in problems), problems


def test_a_log_that_is_wrong_is_told_so_too():
    assert measure.compare(SAID, SAID[:-1]) == [f"lost on the log: {AFTER}"]


# --- taking times ---


def notes(
    *history: tuple[float, str, bool], words: float | None = None, sockets: tuple[float, ...] = ()
) -> Notes:
    texts = {} if words is None else {THEIRS[-1]: words}
    return Notes(history, (), sockets, texts, ())


BROKEN = notes(
    (90, "connected", True),
    (100.5, "suspect", False),
    (105, "connecting", False),
    (111, "connected", False),
    (111.5, "connected", True),
    words=112,
)


def test_times_count_from_the_fault_and_from_the_mending():
    result = measure.timed(BY_KEY["down"], Times(began=100, mended=110, said=101), BROKEN)
    assert (result.noticed, result.given_up) == (0.5, 5)
    assert (result.connected, result.caught_up, result.words) == (1, 1.5, 2)


def test_times_of_a_dead_link_count_from_the_hint():
    times = Times(began=95, mended=95, said=96, hinted=100.25)
    result = measure.timed(BY_KEY["dead-visible"], times, BROKEN)
    assert (result.noticed, result.given_up, result.connected) == (0.25, 4.75, 10.75)


def test_a_page_suspended_before_the_hint_had_given_up_already():
    seen = notes((90, "connected", True), (99, "suspended", False), (100, "connecting", False))
    result = measure.timed(BY_KEY["dead-resume"], Times(95, 95, 96, hinted=99.5), seen)
    assert (result.noticed, result.given_up, result.connected) == (0, 0, None)


def test_a_page_connected_before_the_fault_ended_took_no_time():
    result = measure.timed(BY_KEY["kill"], Times(began=100, mended=111.2, said=111.3), BROKEN)
    assert (result.connected, result.caught_up) == (0, 0.3)


def test_a_short_link_during_the_fault_does_not_count():
    seen = notes(
        (90, "connected", True),
        (100, "waiting", False),
        (101, "connected", True),
        (102, "waiting", False),
        (112, "connected", True),
    )
    result = measure.timed(BY_KEY["down"], Times(began=99, mended=110, said=100), seen)
    assert (result.given_up, result.connected, result.caught_up) == (1, 2, 2)


def test_what_has_not_happened_has_no_time():
    seen = notes((90, "connected", True), (100.5, "suspect", False), (101, "connected", True), words=103)
    result = measure.timed(BY_KEY["slow"], Times(began=100, mended=104, said=101), seen)
    assert (result.noticed, result.given_up, result.connected) == (0.5, None, None)
    assert result.words == 2


@pytest.mark.parametrize(
    ("sockets", "handshakes", "held"),
    [
        ((100.0, 108.0), [100.0, 110.5], 2.5),  # asked for after the mending
        ((100.0, 104.0), [100.0, 110.5], 4.5),  # before it: what the fault held does not count
        ((100.0,), [100.0], 0),
        ((), [], 0),
        ((100.0, 108.0, 120.0), [100.0, 110.5, 121.0], 2.5),  # what came after
    ],
)
def test_the_delay_of_the_browser_ends_at_the_handshake(
    sockets: tuple[float, ...], handshakes: list[float], held: float
):
    assert measure.held_back(sockets, handshakes, ready=106, connected=111) == held


@pytest.mark.parametrize(
    ("key", "result", "missed"),
    [
        ("dead", Result("", given_up=47.0), 0),
        ("dead", Result("", given_up=47.1), 1),
        ("dead", Result(""), 1),
        ("dead-visible", Result("", given_up=6.1), 1),
        ("waiting-online", Result("", given_up=50, connected=4.0), 0),
        ("waiting-online", Result("", given_up=50, connected=4.1), 1),
        ("waiting-online", Result("", given_up=50, connected=6.0, held=2.5), 0),
        ("slow", Result("", noticed=1.0), 0),
        ("reset", Result("", given_up=99, connected=99), 0),
    ],
)
def test_limits_exclude_the_delay_of_the_browser(key: str, result: Result, missed: int):
    assert len(measure.missed_limits(BY_KEY[key], result)) == missed
