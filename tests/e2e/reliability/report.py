"""The results in docs/reliability.json, so that one engine or row can be measured anew, and their table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from tests.e2e.reliability.engines import ENGINES, Engine
from tests.e2e.reliability.measure import Result, missed_limits
from tests.e2e.reliability.scenarios import SCENARIOS, Scenario
from tests.support.server import ROOT
from tools.reports import documents

RESULTS = ROOT / "docs" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
COMMAND = "make reliability"
#: Seconds from which the report mentions that the browser delayed an attempt.
WORTH_TELLING = 0.3


@dataclass(frozen=True)
class EngineResults:
    """All results of one engine, and the versions that they were measured with."""

    version: str = ""
    pyodide: str = ""
    results: dict[str, Result] = field(default_factory=dict)


def load() -> dict[str, EngineResults]:
    """Return the saved results by engine."""
    return {name: _kept(**kept) for name, kept in json.loads(RESULTS.read_text(encoding="utf-8")).items()}


def _kept(version: str, pyodide: str, results: dict[str, Any]) -> EngineResults:
    for result in results.values():
        result["problems"] = tuple(result["problems"])
    return EngineResults(version, pyodide, {key: Result(**result) for key, result in results.items()})


def record(engine: str, version: str, scenario: str, result: Result) -> None:
    """Save one result and update the document at once, since a run of half an hour may be interrupted."""
    kept = load()
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    results = {**kept.get(engine, EngineResults()).results, scenario: result}
    kept[engine] = EngineResults(version, package["dependencies"]["pyodide"], results)
    text = json.dumps({name: asdict(known) for name, known in kept.items()}, indent=1)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(documents.rewritten(page, "reliability", table(kept)), encoding="utf-8")


def table(kept: Mapping[str, EngineResults]) -> str:
    """Return the table of all scenarios and engines, with remarks."""
    notes: dict[str, str] = {}  # remark -> its mark
    titles = [_title(engine, kept.get(key, EngineResults())) for key, engine in ENGINES.items()]
    headings = ["scenario", "limit", *titles]
    rows: list[Sequence[str]] = []
    for group, scenarios in groupby(SCENARIOS, key=lambda scenario: scenario.group):
        rows.append([f"**{group}**", *[""] * (1 + len(titles))])
        for scenario in scenarios:
            cells = [
                _cell(scenario, engine, kept.get(key, EngineResults()).results.get(scenario.key), notes)
                for key, engine in ENGINES.items()
            ]
            rows.append([scenario.name, _limit(scenario), *cells])
    remarks = [f"{number}. {remark}" for number, remark in enumerate(notes, 1)]
    lines = documents.table(headings, rows, len(headings))
    return "\n".join([lines, "", *remarks, "", origin(kept)])


def origin(kept: Mapping[str, EngineResults]) -> str:
    """Return the line that says what was measured with which versions, and when."""
    days = sorted({result.day for engine in kept.values() for result in engine.results.values()})
    when = " to ".join(dict.fromkeys([days[0], days[-1]])) if days else "never"
    browsers = ", ".join(_title(engine, kept[key]) for key, engine in ENGINES.items() if key in kept)
    pyodides = ", ".join(dict.fromkeys(engine.pyodide for engine in kept.values()))
    return f"`{COMMAND}`, {when}: {browsers}; Pyodide {pyodides}."


def _cell(scenario: Scenario, engine: Engine, result: Result | None, notes: dict[str, str]) -> str:
    why_not = scenario.gap(engine)
    if why_not is not None:
        return f"not shown{_mark(notes, why_not)}"
    if result is None:
        return "not measured"
    marks = "".join(
        _mark(notes, engine.remarks[need]) for need in sorted(scenario.needs) if need in engine.remarks
    )
    problems = (*result.problems, *missed_limits(scenario, result))
    if problems:
        return f"**failed**{marks}: {'; '.join(problems)}"
    if scenario.link_survives:
        return f"survives{marks}"
    if result.held >= WORTH_TELLING:
        marks += _mark(
            notes,
            f"The browser delayed the attempt by {result.held:.1f} s of this: it waits longer after each failed"
            " WebSocket.",
        )
    return f"{_seconds(result.given_up)} · {_seconds(result.connected)}{marks}"


def _mark(notes: dict[str, str], remark: str) -> str:
    return notes.setdefault(remark, f"<sup>{len(notes) + 1}</sup>")


def _limit(scenario: Scenario) -> str:
    limits = {"given up": scenario.noticed_limit, "back": scenario.back_limit}
    return ", ".join(f"{what} in {limit:.0f} s" for what, limit in limits.items() if limit is not None)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def _title(engine: Engine, kept: EngineResults) -> str:
    return f"{engine.name} {kept.version}".strip()
