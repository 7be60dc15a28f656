"""The tables of docs/reliability.md, made of what is kept in docs/reliability.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from tests.e2e.reliability.engines import ENGINES, Engine
from tests.e2e.reliability.measure import missed_limits
from tests.e2e.reliability.results import Kept, Result
from tests.e2e.reliability.scenarios import SCENARIOS, Scenario
from tests.support.server import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- reliability -->", "<!-- end of reliability -->"
COMMAND = "python -m tests.e2e.reliability --write"
#: Browsers hold an attempt back for some milliseconds always; from here on, seconds, it is told.
WORTH_TELLING = 0.3


class Footnotes:
    """Responsible for numbering remarks, each once."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        """The mark that leads to this remark."""
        if text not in self._texts:
            self._texts.append(text)
        return f"<sup>{self._texts.index(text) + 1}</sup>"

    def __str__(self) -> str:
        return "\n".join(f"{number}. {text}" for number, text in enumerate(self._texts, 1))


def tables(kept: Mapping[str, Kept]) -> str:
    """Everything between the marks."""
    return f"{overview(kept)}\n\n{origin(kept)}"


def overview(kept: Mapping[str, Kept]) -> str:
    """Engine by scenario, and why something is missing."""
    notes = Footnotes()
    titles = [_title(engine, kept.get(key, Kept())) for key, engine in ENGINES.items()]
    rows: list[Sequence[str]] = []
    for group, scenarios in groupby(SCENARIOS, key=lambda scenario: scenario.group):
        rows.append([f"**{group}**", "", *("" for _ in titles)])
        for scenario in scenarios:
            cells = [
                _cell(scenario, engine, kept.get(key, Kept()).results.get(scenario.key), notes)
                for key, engine in ENGINES.items()
            ]
            rows.append([scenario.name, _limit(scenario), *cells])
    return f"{_table(['scenario', 'limit', *titles], rows)}\n\n{notes}"


def origin(kept: Mapping[str, Kept]) -> str:
    """With what it was measured, and when."""
    days = sorted({result.day for engine in kept.values() for result in engine.results.values()})
    when = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "never"
    browsers = ", ".join(_title(engine, kept[key]) for key, engine in ENGINES.items() if key in kept)
    pyodides = ", ".join(dict.fromkeys(engine.pyodide for engine in kept.values()))
    return f"`{COMMAND}`, {when}: {browsers}; Pyodide {pyodides}."


def rewritten(page: str, text: str) -> str:
    """``page`` with ``text`` between the marks. Raises ValueError for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/reliability.md has no part for this: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def write(kept: Mapping[str, Kept]) -> None:
    """Bring the document up to what is kept."""
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), tables(kept)), encoding="utf-8")


def _cell(scenario: Scenario, engine: Engine, result: Result | None, notes: Footnotes) -> str:
    why_not = scenario.gap(engine)
    if why_not is not None:
        return f"not shown{notes.mark(why_not)}"
    if result is None:
        return "not measured"
    marks = "".join(
        notes.mark(engine.remarks[need]) for need in sorted(scenario.needs) if need in engine.remarks
    )
    problems = (*result.problems, *missed_limits(scenario, result))
    if problems:
        return f"**failed**{marks}: {'; '.join(problems)}"
    if scenario.carries:
        return f"stands{marks}"
    if result.held >= WORTH_TELLING:
        marks += notes.mark(
            f"Of this, the browser itself held the attempt back for {result.held:.1f} s: it waits longer after each"
            " WebSocket that failed."
        )
    return f"{_seconds(result.given_up)} · {_seconds(result.connected)}{marks}"


def _limit(scenario: Scenario) -> str:
    limits = []
    if scenario.noticed_limit is not None:
        limits.append(f"given up in {scenario.noticed_limit:.0f} s")
    if scenario.back_limit is not None:
        limits.append(f"back in {scenario.back_limit:.0f} s")
    return ", ".join(limits)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _title(engine: Engine, kept: Kept) -> str:
    return f"{engine.name} {kept.version}".strip()


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, ["---"] * len(headings), *rows])
