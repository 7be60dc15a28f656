"""What the benchmark of the start says is what it measured, and what it draws is a picture."""

from __future__ import annotations

import dataclasses
import json
import re
from xml.etree import ElementTree

import pytest

from tests.reports.bench import bars, start, start_numbers, start_report
from tests.reports.bench.start_numbers import Spread, Visits
from tests.reports.bench.start_pages import NETWORKS
from tests.reports.bench.start_visits import COLD, WARM, Visit
from tests.support.server import ROOT

#: Of a page whose host is nowhere, by the moment of its start and of its end.
FILES = (
    {"name": "page", "startTime": 0.0, "responseEnd": 100.0},
    {"name": "page/assets/python.wasm", "startTime": 150.0, "responseEnd": 900.0},
    {"name": "page/assets/start.snapshot", "startTime": 200.0, "responseEnd": 1200.0},
    {"name": "page/static/config.json", "startTime": 1700.0, "responseEnd": 1750.0},
)
SEEN = {
    "painted": 250.0,
    "compiled": 1000.0,
    "python": 1500.0,
    "ready": 1600.0,
    "live": 2000.0,
    "connected": 2300.0,
}


def visit(page: str, live: float, network: str = "localhost", kind: str = COLD, **fields: object) -> Visit:
    seen = {"painted": live / 10, "live": live, "connected": live + 200}
    first = Visit("Chromium", network, page, kind, seen)
    return dataclasses.replace(first, **fields)  # type: ignore[arg-type]


@pytest.fixture
def visits() -> Visits:
    """Three rounds of three pages, in turns."""
    return Visits(
        [
            visit(page, live)
            for round_of in ((300, 1000, 2000), (400, 2000, 1000), (900, 1500, 1500))
            for page, live in zip(("fast", "stock", "react"), round_of, strict=True)
        ]
    )


def test_a_ratio_is_of_medians_and_its_spread_of_the_rounds(visits: Visits):
    where = {"engine": "Chromium", "network": "localhost", "kind": COLD, "page": "fast"}
    assert visits.ratio("live", **where) == Spread(400 / 1500, 400 / 2000, 900 / 1500)
    assert visits.ratio("painted", base="react", **where) == Spread(40 / 150, 30 / 200, 90 / 150)
    assert visits.ratio_of_least("live", **where) == 300 / 1000
    assert visits.ratio("live", **{**where, "kind": WARM}) is None
    assert visits.ratio("no such moment", **where) is None


def test_the_table_tells_of_each_page_what_was_seen_of_it(visits: Visits):
    lines = start_report.times(visits, ["Chromium"]).splitlines()
    assert len(lines) == 2 + 3
    assert {line.count("|") for line in lines} == {9}
    assert lines[2] == (
        "| localhost | cold | built, fast way | 0.04 s (0.03 to 0.09) | 0.40 s (0.30 to 0.90) | "
        "0.60 s (0.50 to 1.10) | 0.27 (0.20 to 0.60) | 0.35 (0.27 to 0.65) |"
    )


def test_a_page_that_did_not_start_as_its_name_says_is_told_of():
    told = start_report.times(Visits([visit("fast", 1.0, way="ordinary", controlled=True)]), ["Chromium"])
    assert "| built, fast way (ordinary, service worker) |" in told


@pytest.mark.parametrize(
    ("live", "told"),
    [(250, "reached, the stretch too"), (251, "reached"), (350, "reached"), (351, "**not reached**")],
)
def test_a_target_is_reached_at_its_number_and_not_beyond(live: float, told: str):
    lines = start_report.targets(Visits([visit("own", live), visit("stock", 1000)])).splitlines()
    assert [line.split(" | ")[-1] for line in lines if "Python live" in line] == [f"{told} |"]


def test_the_phases_of_a_visit_are_all_of_it():
    took = start_numbers.phases(visit("fast", 0, seen=SEEN, files=FILES))
    assert list(took.values()) == [100, 100, 1000, 0, 300, 100, 100, 50, 250, 300]
    assert sum(took.values()) == SEEN["connected"]


def test_a_phase_that_nothing_tells_of_takes_nothing():
    took = start_numbers.phases(visit("stock", 0, seen={"painted": 1.0, "live": 7.0}))
    assert {name: spent for name, spent in took.items() if spent} == {"live": 7.0}


def test_the_ways_are_even_where_a_line_through_their_differences_crosses_zero():
    fast, small = visit("fast", 1000), visit("small", 2000)
    far = [visit("fast", 9000, "9mbps", carried=7_000_000), visit("small", 8000, "9mbps", carried=4_500_000)]
    found = start_numbers.balance(Visits([fast, small, *far]))
    assert found is not None
    # A second quicker where bits take no time, a second slower at 9 Mbit/s: even where a bit takes half as long.
    assert (found.fewer_bytes, found.even_at) == (2_500_000, pytest.approx(18e6))
    told = start_report.policy(Visits([fast, small, *far]))
    assert "crosses zero at 18 Mbit/s" in told
    assert re.findall(r"^- (\w+).*: the (\w+) way", told, re.MULTILINE) == [
        ("localhost", "fast"),
        ("9", "small"),
    ]
    assert start_numbers.balance(Visits([fast, small])) is None
    slow_even_here = Visits([visit("fast", 3000), small, *far])
    assert start_numbers.balance(slow_even_here) == start_numbers.Balance(2_500_000, None)


def test_bytes_are_told_apart_by_visit_and_by_moment():
    told = start_report.traffic(
        Visits(
            [
                visit("small", 1, "9mbps", carried=4_300_000, carried_later=20_000),
                visit("small", 1, "9mbps", WARM, carried=30_000, carried_later=0),
            ]
        )
    )
    assert told.splitlines()[-1] == "| built, small way | 4.30 MB | 0.02 MB | 0.03 MB | 0.00 MB |"


def test_a_round_visits_all_in_chromium_and_elsewhere_what_is_asked_for_on_localhost():
    order = list(start.plan(start.ENGINES, list(NETWORKS), start.USUAL_PAGES, 0))
    assert len(set(order)) == len(order) == 3 * 5 + 2 * 2
    assert {(network.key, page.key) for engine, network, page in order if engine != "Chromium"} == {
        ("localhost", "own"),
        ("localhost", "stock"),
    }


def test_each_page_is_the_first_one_in_some_round():
    rounds = [list(start.plan(start.ENGINES, list(NETWORKS), start.USUAL_PAGES, turn)) for turn in range(5)]
    assert [order[0][2].key for order in rounds] == list(start.USUAL_PAGES)
    assert {frozenset(order) for order in rounds} == {frozenset(rounds[0])}
    elsewhere = [[page.key for engine, _, page in order if engine == "Firefox"] for order in rounds[:2]]
    assert elsewhere == [["own", "stock"], ["stock", "own"]]


def test_the_picture_is_svg_whose_bars_are_as_long_as_their_numbers():
    groups = [bars.Group("a < b", [bars.Row("one", [0.5, 1.0, 2.0]), bars.Row("two", [1.0, None, None])])]
    root = ElementTree.fromstring(bars.drawing("title", ["x", "y", "z"], groups))  # noqa: S314 (made here)
    space = "{http://www.w3.org/2000/svg}"
    drawn = [shape for shape in root.iter(f"{space}rect") if float(shape.attrib["x"]) >= bars.LEFT]
    widths = [float(shape.attrib["width"]) for shape in drawn if float(shape.attrib["y"]) > bars.TOP]
    full = bars.WIDTH - bars.LEFT - bars.RIGHT
    assert widths == pytest.approx([full / 4, full / 4, full / 2, full / 2], abs=0.1)
    assert {"a < b", "one", "two", "2.00", "1.00"} <= {text.text for text in root.iter(f"{space}text")}


@pytest.mark.parametrize(("greatest", "step"), [(1.0, 0.1), (1.7, 0.2), (14.0, 2.0), (60.0, 10.0)])
def test_an_axis_has_at_most_ten_round_steps(greatest: float, step: float):
    assert bars.step(greatest) == pytest.approx(step)


def test_all_of_a_run_can_be_told_and_drawn(visits: Visits):
    told = start_report.report(visits, "command", ["Chromium, localhost, React: crashed"])
    assert "Visits that failed and were made again: 1." in told
    assert told.count("### ") == 5
    assert ElementTree.fromstring(start_report.picture(visits)) is not None  # noqa: S314 (made here)


def test_what_was_measured_with_is_told_once_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    seen = [visit("fast", 1, version="156.0"), visit("stock", 1, version="156.0")]
    told = start.origin("the command", seen, 3, [0.5, 2.0, 9.0])
    assert told.startswith("`the command`, 20")
    assert "rounds: 3. Chromium 156.0; PyScript 0" in told
    assert told.endswith("load meanwhile 2.0 (0.5 to 9.0).")
    assert start.origin("the command", seen, 3, [4.1]).endswith(f"(4.1 to 4.1).\n\n{start.WARNING}")


def test_the_document_names_the_command_and_has_a_place_for_what_it_finds():
    page = start.DOCUMENT.read_text(encoding="utf-8")
    assert "`python -m tests.reports.bench.start --write`" in page
    before, after = start_report.rewritten(page, "found").split(f"{start_report.BEGIN}\nfound\n")
    assert "event-cost" in before
    assert after.startswith(start_report.END)
    with pytest.raises(ValueError, match="no part"):
        start_report.rewritten("a", "new")


def test_what_the_react_page_imports_is_pinned_to_one_version_each():
    folder = ROOT / "tests" / "bench" / "react"
    texts = "\n".join(path.read_text(encoding="utf-8") for path in folder.iterdir())
    imported = set(re.findall(r"""(?:from|require\() ?"([a-z-]+)[/"]""", texts))
    pinned = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert imported == pinned.keys()
    assert [version for version in pinned.values() if not re.fullmatch(r"[\d.]+", version)] == []
