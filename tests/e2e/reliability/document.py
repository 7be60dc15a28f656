"""The tables of docs/reliability.md, made of what is kept in docs/reliability.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from tests.e2e.reliability.engines import ENGINES, Engine
from tests.e2e.reliability.habits import ATTEMPTS, WATCHED
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
    parts = [overview(kept)]
    for key, engine in ENGINES.items():
        results = kept.get(key, Kept())
        parts.append(f"### {_title(engine, results)}\n\n{details(engine, results.results)}")
    parts.append(f"### What the browsers add by themselves\n\n{habits(kept)}")
    parts.append(origin(kept))
    return "\n\n".join(parts)


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
    return f"{_table(['scenario', 'limit', *titles], rows, 'll' + 'l' * len(titles))}\n\n{notes}"


def details(engine: Engine, results: Mapping[str, Result]) -> str:
    """All times of one engine."""
    rows: list[Sequence[str]] = []
    for group, scenarios in groupby(SCENARIOS, key=lambda scenario: scenario.group):
        shown = [scenario for scenario in scenarios if gap(scenario, engine) is None]
        if shown:
            rows.append([f"**{group}**", *[""] * 6])
        rows += [[scenario.name, *_times(scenario, results.get(scenario.key))] for scenario in shown]
    headings = [
        "",
        "noticed",
        "given up",
        "CONNECTED",
        "caught up",
        "the words",
        "nothing lost, doubled or disordered",
    ]
    return _table(headings, rows, "lrrrrrl")


def habits(kept: Mapping[str, Kept]) -> str:
    """What plain WebSockets show, without the page's own waits and deadlines."""
    rows: list[Sequence[str]] = []
    for key, engine in ENGINES.items():
        shown = kept.get(key, Kept()).habits
        if shown is None:
            rows.append([engine.name, "not measured", ""])
            continue
        took = ", ".join(f"{milliseconds:.0f}" for milliseconds in shown.failing)
        gave_up = f"still waiting after {WATCHED:.0f} s"
        if shown.unanswered is not None:
            gave_up = f"{shown.unanswered:.1f} s"
        rows.append([engine.name, took, gave_up])
    headings = [
        "",
        f"{ATTEMPTS} WebSockets in a row, each answered by 503: ms each",
        "a handshake without an answer is given up after",
    ]
    return _table(headings, rows, "lll")


def gap(scenario: Scenario, engine: Engine) -> str | None:
    """Why this engine cannot show it, if so."""
    return next((engine.screen.lacks[need] for need in scenario.needs if need in engine.screen.lacks), None)


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
    why_not = gap(scenario, engine)
    if why_not is not None:
        return f"not shown{notes.mark(why_not)}"
    if result is None:
        return "not measured"
    marks = "".join(
        notes.mark(engine.screen.remarks[need])
        for need in sorted(scenario.needs)
        if need in engine.screen.remarks
    )
    if result.problems:
        return f"**failed**{marks}: {'; '.join(result.problems)}"
    if scenario.carries:
        return f"stands{marks}"
    if result.held >= WORTH_TELLING:
        marks += notes.mark(
            "The browser itself held the attempt back for a part of the time: it waits longer after each WebSocket that"
            " failed. The table of the engine tells how long."
        )
    return f"{_seconds(result.given_up)} · {_seconds(result.connected)}{marks}"


def _times(scenario: Scenario, result: Result | None) -> list[str]:
    if result is None:
        return ["not measured", *[""] * 5]
    held = f" (held back {result.held:.1f})" if result.held >= WORTH_TELLING else ""
    words = _seconds(result.words) + (
        " after they were said" if scenario.carries and result.words is not None else ""
    )
    return [
        _seconds(result.noticed),
        _seconds(result.given_up),
        _seconds(result.connected) + held,
        _seconds(result.caught_up),
        words,
        "; ".join(result.problems) or "yes",
    ]


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


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], columns: str) -> str:
    """A Markdown table; ``columns`` has an l or an r for each, the side that it is aligned to."""
    rule = ["---:" if column == "r" else "---" for column in columns]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, rule, *rows])
