"""What tests/reports/bench/start.py writes into docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import linear_regression, median

from tests.reports.bench.documents import table
from tests.reports.bench.start_numbers import MEASURES, Spread, Visits
from tests.reports.bench.start_pages import NETWORKS, PAGES
from tests.reports.bench.start_visits import COLD, KINDS, WARM

CHROMIUM = {"engine": "Chromium"}
#: The ratios of Python live to stock PyScript's that are to be reached.
LIVE_AIMS = {
    (COLD, "localhost"): 0.35,
    (COLD, "50mbps"): 0.45,
    (COLD, "9mbps"): 0.70,
    (WARM, "localhost"): 0.30,
    (WARM, "50mbps"): 0.30,
    (WARM, "9mbps"): 0.30,
}
#: The same of the first paint to the React page's, and of the bytes of a first visit by the small way.
PAINT_AIM = 1.2
BYTES_AIM = 4_600_000


def report(visits: Visits, origin: str, repeated: Sequence[str]) -> str:
    """All that stands between the marks. ``origin``: command, day and versions; ``repeated``: visits that failed at
    first, and why."""
    parts = [origin]
    if visits.of(**CHROMIUM):
        parts += [
            *("### Chromium", plot(visits), times(visits, ["Chromium"])),
            *("### To reach", aims(visits)),
            "### What travels",
            "Bytes from the host, counted below HTTP: heads and the WebSocket are in it.",
            traffic(visits),
            *("### Which way a first visit should take", policy(visits)),
        ]
    if others := [found["engine"] for found in visits.keys("engine") if found != CHROMIUM]:
        parts += [f"### {' and '.join(others)}", times(visits, others)]
    if repeated:
        parts.append(f"Visits that failed and were made again: {len(repeated)}.")
        parts.append("\n".join(f"- {line}" for line in repeated))
    return "\n\n".join(parts)


def plot(visits: Visits) -> str:
    """How long the built page and stock PyScript take until Python is live, as bars."""
    bars = {}
    for where in visits.keys("kind", "network", "page", **CHROMIUM):
        spread = visits.spread("live", **CHROMIUM, **where)
        if where["page"] in ("own", "stock") and spread:
            bars[", ".join([where["kind"], *_names(where)])] = round(spread.median / 1000, 2)
    return "\n".join(
        [
            "```mermaid",
            "xychart-beta horizontal",
            '    title "Until Python is live, in seconds"',
            f"    x-axis {json.dumps(list(bars))}",
            f"    bar {list(bars.values())}",
            "```",
        ]
    )


def times(visits: Visits, engines: Sequence[str]) -> str:
    """Each measure of each page, and its ratio to stock PyScript."""
    rows = []
    for where in visits.keys("engine", "network", "kind", "page"):
        if where["engine"] in engines:
            network, page = _names(where)
            spreads = [visits.spread(measure, **where) for measure in MEASURES]
            ratios = [visits.ratio(measure, "stock", **where) for measure in ("live", "connected")]
            cells = [where["engine"], network, where["kind"], page + _aside(visits, where)]
            cells += [_seconds(spread) for spread in spreads]
            rows.append([*cells, *(ratio.told() if ratio else "" for ratio in ratios)])
    headings = ["engine", "network", "visit", "page", *MEASURES.values()]
    return table([*headings, "live, to stock", "connected, to stock"], rows, 4)


def _names(where: Mapping[str, str]) -> tuple[str, str]:
    return NETWORKS[where["network"]].name, PAGES[where["page"]].name


def _seconds(spread: Spread | None) -> str:
    return spread.told(0.001, unit=" s") if spread else ""


def _aside(visits: Visits, where: Mapping[str, str]) -> str:
    """What a reader would not expect of these visits: how Python was started, and by whose leave."""
    found = visits.of(**where)
    told = sorted({visit.way for visit in found} - {"", PAGES[where["page"]].way})
    if any(visit.controlled for visit in found):
        told.append("service worker")
    return f" ({', '.join(told)})" if told else ""


def aims(visits: Visits) -> str:
    """What was to be reached, and whether it was, by the medians."""
    rows = []
    for measure, base, words in (
        ("live", "stock", "Python live, to stock"),
        ("painted", "react", "first paint, to React's"),
    ):
        for where in visits.keys("kind", "network", **CHROMIUM, page="own"):
            found = visits.ratio(measure, base, **CHROMIUM, page="own", **where)
            aim = PAINT_AIM if measure == "painted" else LIVE_AIMS[where["kind"], where["network"]]
            if found:
                what = f"{where['kind']}, {NETWORKS[where['network']].name}: {words}"
                rows.append([what, f"{aim:.2f}", found.told(), _verdict(found.median, aim)])
    if size := carried(visits, "small"):
        cells = [_megabytes(BYTES_AIM), _megabytes(size), _verdict(size, BYTES_AIM)]
        rows.append(["first visit by the small way, bytes", *cells])
    return table(["what", "to reach", "measured", ""], rows, 1)


def _verdict(value: float, aim: float) -> str:
    return "reached" if value <= aim else "**not reached**"


def carried(visits: Visits, page: str, kind: str = COLD, part: int = 0) -> float | None:
    """The median of the bytes that came from the host until the page was connected (or, of a page that is no chat, had
    painted); ``part`` 1: after that. Counted below HTTP, its heads and the WebSocket included."""
    known = [visit.carried[part] for visit in visits.of(page=page, kind=kind) if visit.carried]
    return median(known) if known else None


def traffic(visits: Visits) -> str:
    """Bytes of each page, of the first visit and the second."""
    rows = []
    for found in visits.keys("page"):
        page = found["page"]
        sizes = [carried(visits, page, kind, part) for kind in KINDS for part in (0, 1)]
        rows.append([PAGES[page].name, *map(_megabytes, sizes)])
    until = "until connected"
    return table(["page", f"{COLD}, {until}", f"{COLD}, then", f"{WARM}, {until}", f"{WARM}, then"], rows, 1)


def _megabytes(size: float | None) -> str:
    return "" if size is None else f"{size / 1e6:.2f} MB"


def policy(visits: Visits) -> str:
    """Which of the two ways was the quicker one at a first visit, where they would be even, and what the page found."""
    quicker, measured, costs, losses = [], [], [], []
    for where in visits.keys("network", "kind", **CHROMIUM, kind=COLD):
        network = NETWORKS[where["network"]]
        fast, small = (visits.spread("live", **CHROMIUM, **where, page=page) for page in ("fast", "small"))
        if fast and small:
            name = "fast" if fast.median <= small.median else "small"
            told = f"fast {_seconds(fast)}, small {_seconds(small)}"
            quicker.append(f"- {network.name}: {told}: the {name} way was the quicker one.")
            costs.append(1 / (8 * network.rate) if network.rate else 0.0)
            losses.append((fast.median - small.median) / 1000)
        own = visits.of(**CHROMIUM, **where, page="own")
        if speeds := Spread.of(visit.speed for visit in own if visit.speed is not None):
            ways = " and ".join(sorted({visit.way for visit in own}))
            measured.append(f"{network.name} {speeds.told(places=0)}, and started by {ways}")
    parts = ["\n".join(quicker)] if quicker else []
    if even := even_at(costs, losses):
        parts.append(f"A straight line through these differences crosses zero at {even / 1e6:.0f} Mbit/s.")
    if measured:
        parts.append(
            "The page measures the line while the WebAssembly arrives, which both ways need. In Mbit/s it found: "
            f"{'; '.join(measured)}. Other files share the line with it meanwhile, so it finds less than there is."
        )
    return "\n\n".join(parts)


def even_at(costs: Sequence[float], losses: Sequence[float]) -> float | None:
    """The bit/s at which both ways take equally long, if the seconds by which the fast way is the slower one
    (``losses``) grow evenly with the seconds that a bit needs (``costs``). None: nowhere, or too little is known."""
    if len(set(costs)) < 2:
        return None
    slope, intercept = linear_regression(costs, losses)
    return -slope / intercept if slope > 0 > intercept else None
