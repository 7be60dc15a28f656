"""What tests/reports/bench/start.py writes into docs/benchmarks.md, and the picture beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from tests.reports.bench import bars
from tests.reports.bench.start_numbers import (
    MEASURES,
    PAINT,
    PHASES,
    SMALL_VISIT,
    TARGETS,
    Spread,
    Visits,
    balance,
    carried,
    phase_medians,
    verdict,
)
from tests.reports.bench.start_pages import NETWORKS, PAGES, STOCK
from tests.reports.bench.start_visits import COLD, KINDS, WARM

BEGIN, END = "<!-- start -->", "<!-- end of start -->"
PICTURE = "start.svg"
OURS = "own"


def report(visits: Visits, origin: str, repeated: Sequence[str]) -> str:
    """All that stands between the marks. ``origin``: command, day and versions; ``repeated``: visits that failed at
    first, and why."""
    engines = visits.keys("engine")
    others = [engine for engine in engines if engine != "Chromium"]
    parts = [origin]
    if "Chromium" in engines:
        parts += _of_chromium(visits)
    if others:
        parts += ["### Firefox and WebKit", times(visits, others)]
    if repeated:
        parts += [
            f"Visits that failed and were made again: {len(repeated)}.",
            "\n".join(f"- {line}" for line in repeated),
        ]
    return "\n\n".join(parts)


def _of_chromium(visits: Visits) -> list[str]:
    return [
        f"![How long each page takes, by network and visit]({PICTURE})",
        "### Chromium",
        times(visits, ["Chromium"]),
        "### To reach",
        targets(visits),
        "### Where the time goes",
        "Milliseconds, medians. A phase begins where the one before it ends; what overlaps counts where it ends.",
        breakdown(visits),
        "### What travels",
        "Bytes from the host, counted below HTTP: heads and the WebSocket are in it.",
        traffic(visits),
        "### Which way a first visit should take",
        policy(visits),
    ]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> str:
    """Markdown; the first columns hold ``words``, the others numbers."""
    marks = ["---"] * words + ["---:"] * (len(headings) - words)
    lines = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([f"| {' | '.join(headings)} |", f"|{'|'.join(marks)}|", *lines])


def seconds(spread: Spread | None) -> str:
    """1.44 s (1.38 to 1.52), of milliseconds."""
    if spread is None:
        return ""
    return f"{spread.median / 1000:.2f} s ({spread.least / 1000:.2f} to {spread.greatest / 1000:.2f})"


def ratio(spread: Spread | None) -> str:
    """0.31 (0.29 to 0.34)."""
    return f"{spread.median:.2f} ({spread.least:.2f} to {spread.greatest:.2f})" if spread else ""


def times(visits: Visits, engines: Sequence[str]) -> str:
    """Each measure of each page, and its ratio to stock PyScript."""
    rows = []
    for engine in engines:
        for network in visits.keys("network", engine=engine):
            for kind in KINDS:
                for page in visits.keys("page", engine=engine, network=network, kind=kind):
                    where = {"engine": engine, "network": network, "kind": kind, "page": page}
                    first = [engine] if len(engines) > 1 else []
                    measured = [seconds(visits.spread(measure, **where)) for measure in MEASURES]
                    ratios = [ratio(visits.ratio(measure, **where)) for measure in ("live", "connected")]
                    name = PAGES[page].name + _aside(visits, where)
                    rows.append([*first, NETWORKS[network].name, kind, name, *measured, *ratios])
    headings = ["network", "visit", "page", *MEASURES.values(), "live, to stock", "connected, to stock"]
    words = 3
    if len(engines) > 1:
        headings, words = ["engine", *headings], 4
    return table(headings, rows, words)


def _aside(visits: Visits, where: dict[str, str]) -> str:
    """What a reader would not expect of these visits: how Python was started, and by whose leave."""
    found = visits.of(**where)
    page = PAGES[where["page"]]
    told = sorted({visit.way for visit in found if visit.way and visit.way != page.way})
    if any(visit.controlled for visit in found):
        told.append("service worker")
    return f" ({', '.join(told)})" if told else ""


def targets(visits: Visits) -> str:
    """What was to be reached, and whether it was."""
    rows = []
    for target in TARGETS:
        where = {"engine": "Chromium", "network": target.network, "kind": target.kind, "page": OURS}
        what = f"{target.kind}, {NETWORKS[target.network].name}: Python live, to stock"
        rows += _target(visits, what, "live", STOCK, where, target.ratio, target.stretch)
    for network in visits.keys("network", engine="Chromium"):
        for kind in KINDS:
            where = {"engine": "Chromium", "network": network, "kind": kind, "page": OURS}
            what = f"{kind}, {NETWORKS[network].name}: first paint, to React's"
            rows += _target(visits, what, "painted", "react", where, PAINT, None)
    if size := carried(visits, "small"):
        told = [_megabytes(SMALL_VISIT), _megabytes(size), "", verdict(size, SMALL_VISIT)]
        rows.append(["first visit, bytes", PAGES["small"].name, *told])
    return table(
        ["what", "page", "to reach (stretch)", "measured", "of the least", "by the medians"], rows, 2
    )


def _target(
    visits: Visits,
    what: str,
    measure: str,
    base: str,
    where: dict[str, str],
    aim: float,
    stretch: float | None,
) -> list[list[str]]:
    found, least = visits.ratio(measure, base, **where), visits.ratio_of_least(measure, base, **where)
    if found is None or least is None:
        return []
    asked = f"{aim:.2f} ({stretch:.2f})" if stretch else f"{aim:.2f}"
    told = [asked, ratio(found), f"{least:.2f}", verdict(found.median, aim, stretch)]
    return [[what, PAGES[where["page"]].name, *told]]


def breakdown(visits: Visits) -> str:
    """Phases of every chat page in Chromium."""
    rows = []
    for network in visits.keys("network", engine="Chromium"):
        for kind in KINDS:
            for page in visits.keys("page", engine="Chromium", network=network, kind=kind):
                if PAGES[page].is_chat:
                    found = visits.of(engine="Chromium", network=network, kind=kind, page=page)
                    took = phase_medians(found)
                    rows.append(
                        [
                            NETWORKS[network].name,
                            kind,
                            PAGES[page].name,
                            *(f"{took[name]:.0f}" for name in PHASES),
                        ]
                    )
    return table(["network", "visit", "page", *PHASES], rows, 3)


def traffic(visits: Visits) -> str:
    """Bytes of each page, of the first visit and the second."""
    rows = []
    for page in visits.keys("page"):
        cells = [
            _megabytes(carried(visits, page, kind, later=later)) for kind in KINDS for later in (False, True)
        ]
        if any(cells):
            rows.append([PAGES[page].name, *cells])
    if not rows:
        return "Not counted: nothing but localhost was measured."
    until = "until connected"
    return table(["page", f"{COLD}, {until}", f"{COLD}, then", f"{WARM}, {until}", f"{WARM}, then"], rows, 1)


def _megabytes(size: float | None) -> str:
    return "" if size is None else f"{size / 1e6:.2f} MB"


def policy(visits: Visits) -> str:
    """Where the two ways take equally long, and what a browser tells of its connection."""
    networks = visits.keys("network", engine="Chromium", page="small")
    lines = ["\n".join(filter(None, (_quicker(visits, network) for network in networks)))]
    found = balance(visits)
    if found:
        where = f"at {found.even_at / 1e6:.0f} Mbit/s" if found.even_at else "nowhere"
        lines.append(
            f"The small way saves {_megabytes(found.fewer_bytes)}; "
            f"a straight line through these differences crosses zero {where}."
        )
    measured = [
        f"{NETWORKS[network].name} {speeds}"
        for network in visits.keys("network", engine="Chromium", page=OURS)
        if (speeds := _speeds(visits, network))
    ]
    if measured:
        lines.append(
            "The page measures the line while the WebAssembly arrives, which both ways need. In Mbit/s it found: "
            f"{'; '.join(measured)}. Other files share the line with it meanwhile, so it finds less than there is."
        )
    told = [
        f"{NETWORKS[network].name}: {', '.join(_told(visits, network, kind) for kind in KINDS)}"
        for network in visits.keys("network", engine="Chromium", page=STOCK)
    ]
    if told:
        lines.append(
            "`navigator.connection` exists in Chromium alone; as a page begins, it knows no more than what was seen "
            f"before, and so says nothing of a first visit. Its `downlink` then, median: {'; '.join(told)}."
        )
    return (
        "\n\n".join(filter(None, lines))
        or "Not told: it takes both ways, on localhost and on another network."
    )


def _quicker(visits: Visits, network: str) -> str:
    """Which way was the quicker one at a first visit, by medians."""
    where = {"engine": "Chromium", "network": network, "kind": COLD}
    fast, small = (visits.spread("live", **where, page=page) for page in ("fast", "small"))
    if fast is None or small is None:
        return ""
    name = "fast" if fast.median <= small.median else "small"
    told = f"fast {seconds(fast)}, small {seconds(small)}"
    return f"- {NETWORKS[network].name}: {told}: the {name} way was the quicker one."


def _speeds(visits: Visits, network: str) -> str:
    """What the page measured at first visits, and what it chose by that."""
    found = visits.of(engine="Chromium", network=network, page=OURS, kind=COLD)
    spread = Spread.of(visit.speed for visit in found if visit.speed is not None)
    if spread is None:
        return ""
    ways = " and ".join(sorted({visit.way for visit in found}))
    return f"{spread.median:.0f} ({spread.least:.0f} to {spread.greatest:.0f}), and started by {ways}"


def _told(visits: Visits, network: str, kind: str) -> str:
    known = [
        visit.told["downlink"]
        for visit in visits.of(engine="Chromium", network=network, page=STOCK, kind=kind)
        if visit.told
    ]
    return f"{kind} {median(known):.1f}" if known else f"{kind} nothing"


def picture(visits: Visits) -> str:
    """The same as a plot, of Chromium."""
    groups = []
    for kind in KINDS:
        for network in visits.keys("network", engine="Chromium"):
            rows = []
            for page in visits.keys("page", engine="Chromium", network=network, kind=kind):
                where = {"engine": "Chromium", "network": network, "kind": kind, "page": page}
                spreads = [visits.spread(measure, **where) for measure in MEASURES]
                ends = [spread.median / 1000 if spread else None for spread in spreads]
                rows.append(bars.Row(PAGES[page].name, ends))
            groups.append(bars.Group(f"{kind}, {NETWORKS[network].name}", rows))
    return bars.drawing("From navigation to a chat, in seconds", list(MEASURES.values()), groups)


def rewritten(page: str, text: str) -> str:
    """``page`` with ``text`` between the marks. Raises ValueError for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/benchmarks.md has no part for this: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
