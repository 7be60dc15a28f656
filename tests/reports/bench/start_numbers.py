"""What many visits come to: medians, ratios to stock PyScript, and where the time of a visit went."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import linear_regression, median

from tests.reports.bench.start_pages import NETWORKS, STOCK
from tests.reports.bench.start_visits import COLD, WARM, Visit

#: What is measured -> its name. In this order.
MEASURES = {"painted": "first paint", "live": "Python live", "connected": "connected"}

#: Files that are large, of whichever way to start.
_LARGE = (".wasm", ".snapshot", "python_stdlib.zip")
_ORDINARY = ("library.", "program.")
#: The first thing that the program asks for, once it is imported.
CONFIG = "/static/config.json"


@dataclass(frozen=True)
class Target:
    """A ratio of Python live to stock PyScript's that is to be reached, and one beyond."""

    network: str
    kind: str
    ratio: float
    stretch: float


TARGETS = (
    Target("localhost", COLD, 0.35, 0.25),
    Target("50mbps", COLD, 0.45, 0.35),
    Target("9mbps", COLD, 0.70, 0.55),
    Target("localhost", WARM, 0.30, 0.20),
    Target("50mbps", WARM, 0.30, 0.20),
    Target("9mbps", WARM, 0.30, 0.20),
)
#: Bytes of a first visit by the small way.
SMALL_VISIT = 4_600_000
#: The first paint, as a ratio to the React page's.
PAINT = 1.2


@dataclass(frozen=True)
class Spread:
    """The median of some numbers, the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Spread | None:
        """None of no numbers."""
        known = sorted(numbers)
        return cls(median(known), known[0], known[-1]) if known else None


class Visits:
    """Responsible for finding visits among all of a run, in the order of its rounds."""

    def __init__(self, visits: Sequence[Visit]) -> None:
        self._visits = tuple(visits)

    def __iter__(self) -> Iterator[Visit]:
        return iter(self._visits)

    def of(self, **wanted: str) -> list[Visit]:
        """Those whose fields are these."""
        return [visit for visit in self._visits if all(getattr(visit, key) == wanted[key] for key in wanted)]

    def keys(self, field: str, **wanted: str) -> list[str]:
        """The values of a field, each once, in the order in which they were first seen."""
        return list(dict.fromkeys(getattr(visit, field) for visit in self.of(**wanted)))

    def spread(self, measure: str, **wanted: str) -> Spread | None:
        """Of one measure, in milliseconds."""
        return Spread.of(visit.seen[measure] for visit in self.of(**wanted) if measure in visit.seen)

    def ratio(self, measure: str, base: str = STOCK, **wanted: str) -> Spread | None:
        """The ratio of medians to another page's, on the same network and the same visit; the least and the greatest
        are of the ratios of single rounds. None where either has no such measure."""
        mine = [visit.seen.get(measure) for visit in self.of(**wanted)]
        theirs = [visit.seen.get(measure) for visit in self.of(**{**wanted, "page": base})]
        pairs = [(one, other) for one, other in zip(mine, theirs, strict=False) if one and other]
        if not pairs:
            return None
        rounds = sorted(one / other for one, other in pairs)
        return Spread(
            median(one for one, _ in pairs) / median(other for _, other in pairs), rounds[0], rounds[-1]
        )

    def ratio_of_least(self, measure: str, base: str = STOCK, **wanted: str) -> float | None:
        """The ratio of the least to another page's least: what other work on the machine disturbs less."""
        mine = self.spread(measure, **wanted)
        theirs = self.spread(measure, **{**wanted, "page": base})
        return mine.least / theirs.least if mine and theirs else None


def verdict(value: float, target: float, stretch: float | None = None) -> str:
    """Whether a target was reached: at most so much."""
    if stretch is not None and value <= stretch:
        return "reached, the stretch too"
    return "reached" if value <= target else "**not reached**"


# --- where the time went ---

#: A phase of a visit -> when it ends, in milliseconds; None: this visit cannot tell. A phase begins when the one
#: before it ends, and what overlaps counts where it ends.
PHASES: Mapping[str, Callable[[Visit], float | None]] = {
    "index.html": lambda visit: visit.files[0]["responseEnd"] if visit.files else None,
    "asked for the last large file": lambda visit: max(_large(visit, "startTime"), default=None),
    "large files here": lambda visit: max(_large(visit, "responseEnd"), default=None),
    "WebAssembly compiled": lambda visit: visit.seen.get("compiled"),
    "Python runs": lambda visit: visit.seen.get("python", visit.seen.get("Loaded interpreter")),
    "program given": lambda visit: visit.seen.get("ready"),
    "program imported": lambda visit: min(_moments(visit, (CONFIG,), "startTime"), default=None),
    "config.json here": lambda visit: max(_moments(visit, (CONFIG,), "responseEnd"), default=None),
    "live": lambda visit: visit.seen.get("live"),
    "connected": lambda visit: visit.seen.get("connected"),
}


def _large(visit: Visit, moment: str) -> list[float]:
    return _moments(visit, _LARGE if visit.way != "ordinary" else (*_LARGE, *_ORDINARY), moment)


def _moments(visit: Visit, names: Sequence[str], moment: str) -> list[float]:
    return [file[moment] for file in visit.files if any(name in file["name"] for name in names)]


def phases(visit: Visit) -> dict[str, float]:
    """How long each phase of a visit took, in milliseconds; together all of it. What cannot be told, or ended before
    the phase in front of it, took nothing."""
    took, now = {}, 0.0
    for name, end in PHASES.items():
        ended = max(now, end(visit) or now)
        took[name] = ended - now
        now = ended
    return took


def phase_medians(visits: Sequence[Visit]) -> dict[str, float]:
    """The median of each phase. They need not add up to the median of the whole."""
    every = [phases(visit) for visit in visits]
    return {name: median(took[name] for took in every) for name in PHASES}


# --- which way a first visit should take ---


@dataclass(frozen=True)
class Balance:
    """What the small way saves at a first visit, and where that pays."""

    fewer_bytes: float
    #: The bit/s at which both ways take equally long; below it the small way is the quicker one. None: it is so on any
    #: line, or on none.
    even_at: float | None


def balance(visits: Visits) -> Balance | None:
    """From the first visits in Chromium. None unless both ways were measured, on localhost and on another network.

    The seconds by which the fast way is the slower one are taken to grow evenly with the seconds that a bit needs.
    """
    fast_bytes, small_bytes = (carried(visits, page) for page in ("fast", "small"))
    costs, losses = [], []
    for network in visits.keys("network", engine="Chromium", page="small"):
        where = {"engine": "Chromium", "network": network, "kind": COLD}
        fast, small = (visits.spread("live", **where, page=page) for page in ("fast", "small"))
        if fast and small:
            rate = NETWORKS[network].rate
            costs.append(1 / (8 * rate) if rate else 0.0)
            losses.append((fast.median - small.median) / 1000)
    if fast_bytes is None or small_bytes is None or len(costs) < 2:
        return None
    slope, intercept = linear_regression(costs, losses)
    crosses = slope > 0 > intercept
    return Balance(fast_bytes - small_bytes, -slope / intercept if crosses else None)


def carried(visits: Visits, page: str, kind: str = COLD, *, later: bool = False) -> float | None:
    """The median of the bytes that came from the host until the page was connected (or, of a page that is no chat, had
    painted), or ``later``: after that. Counted below HTTP, its heads and the WebSocket included."""
    field = "carried_later" if later else "carried"
    known = [getattr(visit, field) for visit in visits.of(page=page, kind=kind)]
    spread = Spread.of(count for count in known if count is not None)
    return spread.median if spread else None
