"""What many visits come to: medians, and ratios to other pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from tests.reports.bench.start_visits import Visit

#: What is measured -> its name. In this order.
MEASURES = {"painted": "first paint", "live": "Python live", "connected": "connected"}


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

    def told(self, scale: float = 1.0, places: int = 2, unit: str = "") -> str:
        """1.44 s (1.38 to 1.52)."""
        middle, least, greatest = (
            f"{value * scale:.{places}f}" for value in (self.median, self.least, self.greatest)
        )
        return f"{middle}{unit} ({least} to {greatest})"


class Visits:
    """Responsible for finding visits among all of a run, in the order of its rounds. ``where``: fields of a Visit."""

    def __init__(self, visits: Sequence[Visit]) -> None:
        self._visits = tuple(visits)

    def of(self, **where: str) -> list[Visit]:
        """Those whose fields are these."""
        return [visit for visit in self._visits if all(getattr(visit, key) == where[key] for key in where)]

    def keys(self, *fields: str, **where: str) -> list[dict[str, str]]:
        """The values of some fields, each combination once, ordered by the first field, then by the next, and each of
        them as its values were first seen."""
        found = [tuple(getattr(visit, field) for field in fields) for visit in self.of(**where)]
        seen = [list(dict.fromkeys(values)) for values in zip(*found, strict=True)]
        ordered = sorted(
            set(found), key=lambda row: [known.index(value) for known, value in zip(seen, row, strict=True)]
        )
        return [dict(zip(fields, row, strict=True)) for row in ordered]

    def spread(self, measure: str, **where: str) -> Spread | None:
        """Of one measure, in milliseconds."""
        return Spread.of(visit.seen[measure] for visit in self.of(**where) if measure in visit.seen)

    def ratio(self, measure: str, base: str, **where: str) -> Spread | None:
        """The ratio of medians to another page's, on the same network and the same visit; the least and the greatest
        are of the ratios of single rounds. None where either has no such measure."""
        mine = [visit.seen.get(measure) for visit in self.of(**where)]
        theirs = [visit.seen.get(measure) for visit in self.of(**{**where, "page": base})]
        pairs = [(one, other) for one, other in zip(mine, theirs, strict=False) if one and other]
        if not pairs:
            return None
        rounds = [one / other for one, other in pairs]
        of_medians = median(one for one, _ in pairs) / median(other for _, other in pairs)
        return Spread(of_medians, min(rounds), max(rounds))
