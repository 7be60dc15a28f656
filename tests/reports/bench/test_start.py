"""The benchmark of the start reports what it measured."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from tests.reports.bench import start, start_report
from tests.reports.bench.start_pages import NETWORKS, PAGES, REACT
from tests.reports.bench.start_report import Spread, of, ratio
from tests.reports.bench.start_visits import COLD, WARM, Visit
from tests.support.server import ROOT
from tools.reports import documents


def visit(page: str, live: float, network: str = "localhost", kind: str = COLD, **fields: object) -> Visit:
    seen = {"painted": live / 10, "live": live, "connected": live + 200}
    first = Visit("Chromium", network, page, kind, seen)
    return dataclasses.replace(first, **fields)  # type: ignore[arg-type]


@pytest.fixture
def visits() -> list[Visit]:
    """Three rounds of three pages."""
    return [
        visit(page, live)
        for round_of in ((300, 1000, 2000), (400, 2000, 1000), (900, 1500, 1500))
        for page, live in zip(("fast", "stock", "react"), round_of, strict=True)
    ]


def test_a_ratio_is_of_medians_and_its_spread_of_the_rounds(visits: list[Visit]):
    fast, stock, react = (of(visits, page=page) for page in ("fast", "stock", "react"))
    assert ratio(fast, stock, "live") == Spread(400 / 1500, 400 / 2000, 900 / 1500)
    assert ratio(fast, react, "painted") == Spread(40 / 150, 30 / 200, 90 / 150)
    assert ratio(of(fast, kind=WARM), of(stock, kind=WARM), "live") is None
    assert ratio(fast, stock, "no such moment") is None


def test_a_ratio_is_to_visits_of_the_same_engine_network_and_kind(visits: list[Visit]):
    elsewhere = [
        visit("stock", 1, "9mbps"),
        visit("stock", 1, kind=WARM),
        visit("stock", 1, engine="Firefox"),
    ]
    assert start_report.times([*elsewhere, *visits]).count(" 0.27 (0.20 to 0.60) ") == 1


def test_the_table_tells_of_each_page_what_was_seen_of_it(visits: list[Visit]):
    lines = start_report.times(visits).splitlines()
    assert len(lines) == 2 + 3
    assert {line.count("|") for line in lines} == {10}
    assert lines[2] == (
        "| Chromium | localhost | cold | built, fast way | 0.04 s (0.03 to 0.09) | 0.40 s (0.30 to 0.90) | "
        "0.60 s (0.50 to 1.10) | 0.27 (0.20 to 0.60) | 0.35 (0.27 to 0.65) |"
    )


def test_rows_of_one_network_and_visit_stand_together():
    pairs = [visit(page, 1.0, kind=kind) for page in ("own", "stock") for kind in (COLD, WARM)]
    rows = start_report.times(pairs).splitlines()[2:]
    assert [row.split(" | ")[2:4] for row in rows] == [
        [COLD, "built"],
        [COLD, "stock PyScript"],
        [WARM, "built"],
        [WARM, "stock PyScript"],
    ]


def test_a_page_that_started_another_way_is_marked():
    told = start_report.times([visit("fast", 1.0, way="ordinary", controlled=True)])
    assert "| built, fast way (ordinary, service worker) |" in told


@pytest.mark.parametrize(("live", "told"), [(350, "reached"), (351, "**not reached**")])
def test_an_aim_is_reached_at_its_number_and_not_beyond(live: float, told: str):
    lines = start_report.aims([visit("own", live), visit("stock", 1000)]).splitlines()
    assert [line.split(" | ")[-1] for line in lines if "Python live" in line] == [f"{told} |"]


def test_the_bytes_of_the_small_first_visit_have_an_aim():
    told = start_report.aims([visit("small", 1, "9mbps", carried=(4_600_001, 0))])
    assert told.endswith("| 4.60 MB | 4.60 MB | **not reached** |")


def test_the_ways_are_even_where_a_line_through_their_differences_crosses_zero():
    fast, small = visit("fast", 1000), visit("small", 2000)
    far = [visit("fast", 9000, "9mbps"), visit("small", 8000, "9mbps")]
    # A second quicker where bits take no time, a second slower at 9 Mbit/s: even where a bit takes half as long.
    told = start_report.policy([fast, small, *far])
    assert "crosses zero at 18 Mbit/s" in told
    assert re.findall(r"^- (\w+).*: the (\w+) way", told, re.MULTILINE) == [
        ("localhost", "fast"),
        ("9", "small"),
    ]
    assert "crosses" not in start_report.policy([fast, small])
    assert "crosses" not in start_report.policy([visit("fast", 3000), small, *far])


def test_bytes_are_told_apart_by_visit_and_by_moment():
    told = start_report.traffic(
        [
            visit("small", 1, "9mbps", carried=(4_300_000, 20_000)),
            visit("small", 1, "9mbps", WARM, carried=(30_000, 0)),
        ]
    )
    assert told.splitlines()[-1] == "| built, small way | 4.30 MB | 0.02 MB | 0.03 MB | 0.00 MB |"


def test_a_round_visits_all_pages_in_chromium_and_some_elsewhere():
    order = list(start.plan(start.ENGINES, list(NETWORKS), list(PAGES), 0))
    assert len(set(order)) == len(order) == 3 * len(PAGES) + 2 * 2
    assert {(network, page) for engine, network, page in order if engine != "Chromium"} == {
        ("localhost", "own"),
        ("localhost", "stock"),
    }


def test_each_page_is_the_first_one_in_some_round():
    rounds = [
        list(start.plan(start.ENGINES, list(NETWORKS), list(PAGES), turn)) for turn in range(len(PAGES))
    ]
    assert [order[0][2] for order in rounds] == list(PAGES)
    assert {frozenset(order) for order in rounds} == {frozenset(rounds[0])}
    elsewhere = [[page for engine, _, page in order if engine == "Firefox"] for order in rounds[:2]]
    assert elsewhere == [["own", "stock"], ["stock", "own"]]


def test_a_bar_is_as_long_as_python_took_to_be_live(visits: list[Visit]):
    lines = start_report.plot(visits).splitlines()
    assert lines[0] == "```mermaid"
    assert '    x-axis ["cold, localhost, stock PyScript"]' in lines
    assert "    bar [1.5]" in lines


def test_all_of_a_run_can_be_told(visits: list[Visit]):
    told = start_report.report(visits, "command", ["Chromium, localhost, React: crashed"])
    assert "Visits that failed and were made again: 1." in told
    assert told.count("### ") == 4


def test_what_was_measured_with_is_told_once_each():
    seen = [visit("fast", 1, version="156.0"), visit("stock", 1, version="156.0")]
    told = start.origin("the command", seen, 3, [0.5, 2.0, 9.0])
    assert told.startswith("`the command`, 20")
    assert "rounds: 3. Chromium 156.0; @pyscript/core 0" in told
    assert told.endswith("load meanwhile 2.0 (0.5 to 9.0).")


@pytest.mark.parametrize("name", ["start", "event-cost", "library", "messages"])
def test_the_document_has_a_place_for_what_a_benchmark_finds(name: str):
    page = documents.BENCHMARKS.read_text(encoding="utf-8")
    found = documents.rewritten(page, name, "found")
    assert f"<!-- {name} -->\nfound\n<!-- end of {name} -->" in found
    assert (
        documents.rewritten(found, name, page.partition(f"-- {name} -->\n")[2].partition("\n<!-- end")[0])
        == page
    )
    with pytest.raises(ValueError, match="no part"):
        documents.rewritten(f"<!-- {name} -->", name, "new")


def test_what_the_react_page_imports_is_pinned_to_one_version_each():
    texts = "\n".join(path.read_text(encoding="utf-8") for path in REACT.iterdir())
    imported = set(re.findall(r"""(?:from|require\() ?"([a-z-]+)[/"]""", texts))
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert imported == pinned.keys()
    assert [version for version in pinned.values() if not re.fullmatch(r"[\d.]+", version)] == []
