"""Medians of many visits and ratios to other pages, for docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from statistics import linear_regression, median
from typing import NamedTuple

from tests.reports.bench.start_pages import NETWORKS, PAGES
from tests.reports.bench.start_visits import COLD, KINDS, WARM, Visit
from tools.reports.documents import chart, table

#: Measure -> its name, in this order.
MEASURES = {"painted": "first paint", "live": "Python live", "connected": "connected"}
LIVE_AIMS = {
    (COLD, "localhost"): 0.35,
    (COLD, "50mbps"): 0.45,
    (COLD, "9mbps"): 0.70,
    (WARM, "localhost"): 0.30,
    (WARM, "50mbps"): 0.30,
    (WARM, "9mbps"): 0.30,
}
#: Comparison -> the measure, the other page, and the ratio to reach at each visit.
AIMS = {
    "Python live, to stock": ("live", "stock", LIVE_AIMS),
    "first paint, to React's": ("painted", "react", dict.fromkeys(LIVE_AIMS, 1.2)),
    "connected, to another build's": ("connected", "before", dict.fromkeys(LIVE_AIMS, 1.05)),
}
#: Of a first visit by the small way.
BYTES_AIM = 4_600_000


class Spread(NamedTuple):
    """The median of some numbers, the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, numbers: Iterable[float | None]) -> Spread | None:
        """Return the spread of the known numbers; None if there are none."""
        known = sorted(number for number in numbers if number is not None)
        return cls(median(known), known[0], known[-1]) if known else None

    def told(self, scale: float = 1.0, places: int = 2, unit: str = "") -> str:
        """1.44 s (1.38 to 1.52)."""
        middle, least, greatest = (f"{value * scale:.{places}f}" for value in self)
        return f"{middle}{unit} ({least} to {greatest})"


def of(visits: Iterable[Visit], **where: str) -> list[Visit]:
    """Return the visits with these fields."""
    return [visit for visit in visits if where.items() <= vars(visit).items()]


def spread(visits: Iterable[Visit], measure: str) -> Spread | None:
    """Return the spread of one measure, in milliseconds."""
    return Spread.of(visit.seen.get(measure) for visit in visits)


def ratio(visits: Iterable[Visit], base: Iterable[Visit], measure: str) -> Spread | None:
    """The ratio of medians to another page's, visited in the same rounds; the least and the greatest are of the ratios
    of single rounds. None where either has no such measure."""
    seen = (
        (mine.seen.get(measure), other.seen.get(measure)) for mine, other in zip(visits, base, strict=False)
    )
    pairs = [(mine, other) for mine, other in seen if mine and other]
    if not pairs:
        return None
    mine, others = zip(*pairs, strict=True)
    rounds = [one / other for one, other in pairs]
    return Spread(median(mine) / median(others), min(rounds), max(rounds))


def report(visits: Sequence[Visit], origin: str, repeated: Sequence[str]) -> str:
    """All that stands between the marks. ``origin``: command, day and versions; ``repeated``: visits that failed at
    first, and why."""
    parts = [origin]
    if chromium := of(visits, engine="Chromium"):
        parts += [
            *("### Chromium", plot(chromium), times(chromium)),
            *("### To reach", aims(chromium)),
            "### What travels",
            "Bytes from the host, counted below HTTP: heads and the WebSocket are in it.",
            traffic(chromium),
            *("### Which way a first visit should take", policy(chromium)),
        ]
    if others := [visit for visit in visits if visit.engine != "Chromium"]:
        engines = dict.fromkeys(visit.engine for visit in others)
        parts += [f"### {' and '.join(engines)}", times(others)]
    if repeated:
        parts.append(f"Visits that failed and were made again: {len(repeated)}.")
        parts.append("\n".join(f"- {line}" for line in repeated))
    return "\n\n".join(parts)


def plot(visits: Sequence[Visit]) -> str:
    """Return a chart of the time until Python is live, of the built page and stock PyScript."""
    bars = {}
    for kind, network, page in product(KINDS, NETWORKS, ("own", "stock")):
        if live := spread(of(visits, network=network, kind=kind, page=page), "live"):
            bars[f"{kind}, {NETWORKS[network].name}, {PAGES[page].name}"] = round(live.median / 1000, 2)
    return chart("Until Python is live, in seconds", bars)


def times(visits: Sequence[Visit]) -> str:
    """Return the table of each measure of each page, and its ratio to stock PyScript."""
    rows = []
    engines = dict.fromkeys(visit.engine for visit in visits)
    for engine, network, kind, page in product(engines, NETWORKS, KINDS, PAGES):
        those = of(visits, engine=engine, network=network, kind=kind)
        if found := of(those, page=page):
            ratios = [ratio(found, of(those, page="stock"), measure) for measure in ("live", "connected")]
            cells = [engine, NETWORKS[network].name, kind, PAGES[page].name + _aside(found)]
            cells += [_seconds(spread(found, measure)) for measure in MEASURES]
            rows.append([*cells, *(ratio.told() if ratio else "" for ratio in ratios)])
    headings = ["engine", "network", "visit", "page", *MEASURES.values()]
    return table([*headings, "live, to stock", "connected, to stock"], rows, 4)


def _seconds(spread: Spread | None) -> str:
    return spread.told(0.001, unit=" s") if spread else ""


def _aside(visits: Sequence[Visit]) -> str:
    """Return a note about how Python was started, if it is unexpected."""
    told = sorted({visit.way for visit in visits} - {"", PAGES[visits[0].page].way})
    if any(visit.controlled for visit in visits):
        told.append("service worker")
    return f" ({', '.join(told)})" if told else ""


def aims(visits: Sequence[Visit]) -> str:
    """Return the table of aims, and whether the medians reach them."""
    rows = []
    for words, (measure, base, numbers) in AIMS.items():
        for (kind, network), aim in numbers.items():
            those = of(visits, network=network, kind=kind)
            if found := ratio(of(those, page="own"), of(those, page=base), measure):
                what = f"{kind}, {NETWORKS[network].name}: {words}"
                rows.append([what, f"{aim:.2f}", found.told(), _verdict(found.median, aim)])
    if size := carried(visits, "small", COLD, 0):
        cells = [_megabytes(BYTES_AIM), _megabytes(size), _verdict(size, BYTES_AIM)]
        rows.append(["first visit by the small way, bytes", *cells])
    return table(["what", "to reach", "measured", ""], rows, 1)


def _verdict(value: float, aim: float) -> str:
    return "reached" if value <= aim else "**not reached**"


def carried(visits: Sequence[Visit], page: str, kind: str, part: int) -> float | None:
    """The median of the bytes that came from the host until the page was connected (or, of a page that is no chat, had
    painted); ``part`` 1: after that. Counted below HTTP, its heads and the WebSocket included."""
    known = [visit.carried[part] for visit in of(visits, page=page, kind=kind) if visit.carried]
    return median(known) if known else None


def traffic(visits: Sequence[Visit]) -> str:
    """Return the table of each page's bytes, at the first visit and the second."""
    rows = [
        [
            PAGES[page].name,
            *(_megabytes(carried(visits, page, kind, part)) for kind in KINDS for part in (0, 1)),
        ]
        for page in PAGES
        if of(visits, page=page)
    ]
    moments = [f"{kind}, {moment}" for kind in KINDS for moment in ("until connected", "then")]
    return table(["page", *moments], rows, 1)


def _megabytes(size: float | None) -> str:
    return "" if size is None else f"{size / 1e6:.2f} MB"


def policy(visits: Sequence[Visit]) -> str:
    """Return which way was faster at a first visit, and at which bandwidth both are equal."""
    quicker, costs, losses = [], [], []
    for key, (network, rate, _) in NETWORKS.items():
        those = of(visits, network=key, kind=COLD)
        fast, small = (of(those, page=page) for page in ("fast", "small"))
        if (quick := spread(fast, "live")) and (slow := spread(small, "live")):
            told = f"fast {_seconds(quick)}, small {_seconds(slow)}"
            name = "fast" if quick.median <= slow.median else "small"
            quicker.append(f"- {network}: {told}: the {name} way was the quicker one.")
            costs.append(1 / (8 * rate) if rate else 0.0)
            losses.append((quick.median - slow.median) / 1000)
    even = even_at(costs, losses)
    parts = [
        "\n".join(quicker),
        even and f"A straight line through these differences crosses zero at {even / 1e6:.0f} Mbit/s.",
    ]
    return "\n\n".join(part for part in parts if part)


def even_at(costs: Sequence[float], losses: Sequence[float]) -> float | None:
    """The bit/s at which both ways take equally long, if the seconds by which the fast way is the slower one
    (``losses``) grow evenly with the seconds that a bit needs (``costs``). None: nowhere, or too little is known."""
    if len(costs) < 2:
        return None
    slope, intercept = linear_regression(costs, losses)
    return -slope / intercept if slope > 0 > intercept else None
