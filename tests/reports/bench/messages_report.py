"""Tables, aims and the chart of the benchmark of messages, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import ceil
from typing import NamedTuple

from tests.reports.bench.line_chart import Line, line_chart
from tests.reports.bench.messages_own import LOADED, PROFILED, Own
from tests.reports.bench.messages_pages import PAGES
from tests.reports.bench.messages_visits import Load, Result
from tests.reports.bench.start_report import Spread
from tools.reports.documents import table

PICTURE = "messages.svg"
OWN, OWN_ARTICLE, OTHER, FLOOR = "kizuna", "article", "react", "plain"
HEADINGS = (
    *("messages", "page", "known", "painted", "longest task", "longest without a frame", "frames lost"),
    *("key to paint, p95", "JS heap", "WebAssembly", "DOM nodes"),
)


class Aim(NamedTuple):
    """A number to reach. ``bound`` is what to reach, ``stretch`` what would be better still; smaller is better, unless
    ``more``. ``value`` None: not measured."""

    what: str
    value: float | None
    bound: float
    stretch: float | None = None
    unit: str = ""
    more: bool = False
    note: str = ""

    def reaches(self, bound: float | None) -> bool:
        """Return whether the value reaches a bound."""
        if self.value is None or bound is None:
            return False
        return self.value >= bound if self.more else self.value <= bound


class Results:
    """All results of a run. ``limit``: the seconds after which a page was stopped."""

    def __init__(self, results: Iterable[Result], limit: float) -> None:
        self.limit = limit
        self._of: dict[tuple[Load, str], list[Result]] = {}
        for result in results:
            self._of.setdefault((result.load, result.page), []).append(result)

    def of(self, load: Load, page: str) -> list[Result]:
        """Return the results of one page with one load."""
        return self._of.get((load, page), [])

    def loads(self) -> list[Load]:
        """Return the loads, bursts first."""
        return sorted(
            {load for load, _ in self._of}, key=lambda load: (load.rate, load.duplicates, load.count)
        )

    def spread(self, load: Load, page: str, measure: Callable[[Result], float | None]) -> Spread | None:
        """Return the spread of one measure; None if a round was stopped."""
        found = self.of(load, page)
        if not found or any(result.painted is None for result in found):
            return None
        return Spread.of(map(measure, found))

    def seconds(self, load: Load, page: str) -> float | None:
        """Return the median of the seconds until the last message was painted."""
        spread = self.spread(load, page, lambda result: result.painted)
        return spread.median / 1000 if spread else None

    def at_least(self, load: Load, page: str) -> float | None:
        """Return the same; of a page that was stopped, the limit."""
        found = self.of(load, page)
        stopped = self.limit if found and not any(result.failure for result in found) else None
        return self.seconds(load, page) or stopped


def report(
    results: Results, own: Sequence[Own], model: Mapping[int, float | None], origin: str, notes: Sequence[str]
) -> str:
    """All that stands between the marks. ``own``: one for each round; ``model``: messages -> seconds on CPython;
    ``notes``: what failed and was tried again."""
    told = aims(results, own, model)
    parts = [origin]
    if len([load for load in results.loads() if load == Load(load.count)]) > 1:
        parts.append(f"![Seconds until the last of so many messages is painted, for each page]({PICTURE})")
    if results.loads():
        parts += ["### Floods", floods(results)]
    parts += ["### Numbers to reach", aim_table(told)]
    if own:
        parts += ["### This page alone", alone(own), "### Where the time of a message goes", cost(own)]
    if missed := [aim for aim in told if aim.value is not None and not aim.reaches(aim.bound)]:
        parts.append(where_the_time_goes(missed, own))
    if model:
        parts += ["### Without a browser, on CPython", model_table(model, results.limit)]
    if notes:
        parts.append(
            "\n".join(["What failed; visits are tried once more:\n", *(f"- {note}" for note in notes)])
        )
    return "\n\n".join(parts)


def floods(results: Results) -> str:
    """Return the table of all loads and pages."""
    rows = [
        [load.name, PAGES[page].name, *_cells(results, load, page)]
        for load, page in product(results.loads(), PAGES)
        if results.of(load, page)
    ]
    return table(HEADINGS, rows, 2)


def _cells(results: Results, load: Load, page: str) -> list[str]:
    def told(measure: Callable[[Result], float | None], write: Callable[[float], str]) -> str:
        spread = results.spread(load, page, measure)
        return write(spread.median) if spread else ""

    def grown(name: str) -> Callable[[Result], float | None]:
        return lambda result: getattr(result.grown, name) if result.grown else None

    painted = results.spread(load, page, lambda result: result.painted)
    if painted is None:
        if any(result.failure for result in results.of(load, page)):
            return ["", "failed", *[""] * 7]
        known = [result.known for result in results.of(load, page)]
        return [_seconds(min(filter(None, known))) if any(known) else "", f"> {results.limit:g} s", *[""] * 7]
    return [
        told(lambda result: result.known, _seconds),
        painted.told(0.001, unit=" s"),
        told(lambda result: result.longest, lambda value: _milliseconds(value) if value else "< 50 ms"),
        told(lambda result: result.gap, _milliseconds),
        told(lambda result: result.lost, lambda value: f"{value:,.0f}"),
        told(lambda result: percentile(result.keys), _milliseconds),
        told(grown("heap"), _megabytes),
        told(grown("wasm"), _megabytes),
        told(grown("nodes"), lambda value: f"{value:,.0f}"),
    ]


def percentile(values: Sequence[float], share: float = 0.95) -> float | None:
    """Return the least value that is not exceeded by this share of all; None for no values."""
    ordered = sorted(values)
    return ordered[ceil(share * len(ordered)) - 1] if ordered else None


def aims(results: Results, own: Sequence[Own], model: Mapping[int, float | None]) -> list[Aim]:
    """Return the numbers to reach, with what was measured."""
    rate = next((load for load in results.loads() if load.rate), None)
    longest = results.spread(rate, OWN, lambda result: result.longest) if rate else None
    gap = results.spread(rate, OWN, lambda result: result.gap) if rate else None
    waits = f"longest time without a frame: {_milliseconds(gap.median)}" if gap else ""
    enter = Spread.of(percentile(one.enters) for one in own)
    key = Spread.of(percentile(one.keys) for one in own)
    return [
        _faster(results, 1_000, 2, 4),
        _faster(results, 10_000, 30, 100),
        _even(results, OWN),
        _even(results, OWN_ARTICLE),
        Aim(
            "longest task at 1,000 messages a second",
            longest and longest.median,
            50,
            30,
            "ms",
            note=f"{waits}; the browser reports tasks from 50 ms on" if waits else "",
        ),
        _memory(results, OWN, 40),
        _memory(results, OWN_ARTICLE, 80),
        Aim(
            f"Enter to the painted row, p95, with {LOADED:,} messages", enter and enter.median, 80, unit="ms"
        ),
        Aim(f"key to paint, p95, with {LOADED:,} messages", key and key.median, 50, unit="ms"),
        _model_ratio(model),
        Aim("100,000 messages in the model on CPython", model.get(100_000), 3, unit="s"),
    ]


def _faster(results: Results, count: int, bound: float, stretch: float) -> Aim:
    mine, other = results.at_least(Load(count), OWN), results.at_least(Load(count), OTHER)
    ratio = other / mine if mine and other else None
    stopped = [PAGES[page].name for page in (OWN, OTHER) if results.seconds(Load(count), page) is None]
    floor = results.seconds(Load(count), FLOOR)
    notes = [f"stopped: {', '.join(stopped)}"] if stopped else []
    notes += [f"{PAGES[FLOOR].name}: {other / floor:.3g}"] if floor and other else []
    note = ", ".join(notes) if ratio else ""
    what = f"{count:,} messages: times as fast as the article's page"
    return Aim(what, ratio, bound, stretch, more=True, note=note)


def _even(results: Results, page: str) -> Aim:
    times = [results.seconds(Load(count), page) for count in (1_000, 10_000, 100_000)]
    few, some, many = times
    ratio = ((many - some) / 90_000) / ((some - few) / 9_000) if few and some and many else None
    wire = f"the {PAGES[page].wire} wire"
    return Aim(f"{wire}: a message from 10,000 to 100,000, to one from 1,000 to 10,000", ratio, 1.2)


def _memory(results: Results, page: str, bound: float) -> Aim:
    def grown(result: Result) -> float | None:
        return (result.grown.heap + result.grown.wasm) / 1e6 if result.grown else None

    spread = results.spread(Load(100_000), page, grown)
    return Aim(
        f"the {PAGES[page].wire} wire: memory at 100,000 over idle",
        spread and spread.median,
        bound,
        unit="MB",
    )


def _model_ratio(model: Mapping[int, float | None]) -> Aim:
    few, many = model.get(10_000), model.get(100_000)
    ratio = many / few if few and many else None
    return Aim("the model on CPython: 100,000 messages to 10,000", ratio, 10)


def aim_table(aims: Iterable[Aim]) -> str:
    """Return the table of the numbers to reach, the stretch in brackets."""
    rows = []
    for aim in aims:
        stretch = f" ({aim.stretch:g})" if aim.stretch is not None else ""
        unit = f" {aim.unit}" if aim.unit else ""
        sign = "≥" if aim.more else "≤"
        measured, verdict = "", "not measured"
        if aim.value is not None:
            measured = f"{aim.value:.3g}{unit}" if aim.value else f"under 50{unit}"
            best = aim.stretch is not None and aim.value > 0 and aim.reaches(aim.stretch)
            verdict = (
                "stretch reached" if best else "reached" if aim.reaches(aim.bound) else "**not reached**"
            )
        rows.append([aim.what, f"{sign} {aim.bound:g}{stretch}{unit}", measured, verdict, aim.note])
    return table(["what", "to reach", "measured", "", "note"], rows, 1)


def alone(own: Sequence[Own]) -> str:
    """Return the table of what was measured of this page alone."""
    rows = [
        [f"key to paint, p95, {LOADED:,} messages loaded", _spread(percentile(one.keys) for one in own)],
        [
            f"Enter to the painted row, p95, {LOADED:,} messages loaded",
            _spread(percentile(one.enters) for one in own),
        ],
    ]
    names = dict.fromkeys(name for one in own for name in one.starts)
    rows += [[name, _spread(one.starts.get(name) for one in own)] for name in names]
    return table(["what", "time"], rows, 1)


def cost(own: Sequence[Own]) -> str:
    """Return the tables of parts and dearest files, in microseconds."""
    told = (
        f"Microseconds for each of {PROFILED:,} messages of a burst, in Pyodide in the page; the profiler divides "
        "Python's time, and a run without it says how much that is."
    )
    tables = []
    for heading, costs in (("part", [one.parts for one in own]), ("file", [one.files for one in own])):
        names = dict.fromkeys(name for cost in costs for name in cost)
        rows = [[name, _spread((cost.get(name) for cost in costs), "µs")] for name in names]
        tables.append(table([heading, "cost"], rows, 1))
    return "\n\n".join([told, *tables])


def where_the_time_goes(missed: Sequence[Aim], own: Sequence[Own]) -> str:
    """Return a sentence for the aims that were not reached."""
    lines = ["Not reached:", "", *(f"- {aim.what}" for aim in missed)]
    if parts := next((one.parts for one in own if one.parts), None):
        dearest = sorted(parts, key=lambda name: -parts[name])[:3]
        lines += ["", f"The dearest parts of a message are: {', '.join(dearest)}; see the tables above."]
    return "\n".join(lines)


def model_table(model: Mapping[int, float | None], limit: float) -> str:
    """Return the table of the model's seconds."""
    rows = []
    for count, seconds in model.items():
        known = [f"{seconds:.2f} s", f"{seconds / count * 1e6:.0f} µs"] if seconds else [f"> {limit:g} s", ""]
        rows.append([f"{count:,}", *known])
    return table(["messages", "time", "for each"], rows, 1)


def plot(results: Results) -> str:
    """Return the chart of the seconds until the last message is painted."""
    bursts = [load for load in results.loads() if load == Load(load.count)]
    lines = []
    for kind, page in PAGES.items():
        seen = [(load.count, results.seconds(load, kind)) for load in bursts]
        points = [(float(count), seconds) for count, seconds in seen if seconds]
        stopped = [load for load in bursts if results.of(load, kind) and not results.seconds(load, kind)]
        if points or stopped:
            beyond = (float(stopped[0].count), results.limit) if stopped else None
            lines.append(Line(page.name, page.colour, points, beyond))
    return line_chart("Until the last message of a burst is painted", "messages", "seconds", lines)


def _spread(values: Iterable[float | None], unit: str = "ms") -> str:
    spread = Spread.of(values)
    return spread.told(places=0, unit=f" {unit}") if spread else ""


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s"


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms"


def _megabytes(size: float) -> str:
    return f"{round(size / 1e6, 1) + 0.0:.1f} MB"  # never -0.0
