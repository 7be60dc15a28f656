"""What was measured, kept beside the document so that one engine, or one row, can be measured anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.server import ROOT

KEPT = ROOT / "docs" / "reliability.json"


@dataclass(frozen=True)
class Result:
    """What one scenario showed in one engine. Seconds; None where the link was never given up."""

    day: str
    noticed: float | None = None  #: until the status left CONNECTED
    given_up: float | None = None  #: until it was neither CONNECTED nor SUSPECT
    connected: float | None = None  #: from the mending to CONNECTED
    caught_up: float | None = None
    words: float | None = (
        None  #: until what was missed stood on the screen; where the link stands, from its being said
    )
    held: float = 0.0  #: how much of this the browser held the last attempt back
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kept:
    """All results of one engine, and what they were measured with."""

    version: str = ""
    pyodide: str = ""
    results: Mapping[str, Result] = field(default_factory=dict)

    def with_result(self, key: str, result: Result) -> Kept:
        """One result is new."""
        return replace(self, results={**self.results, key: result})


def load(path: Path = KEPT) -> dict[str, Kept]:
    """What is kept, by engine; nothing if there is no such file."""
    if not path.exists():
        return {}
    engines = json.loads(path.read_text(encoding="utf-8"))
    return {engine: _kept(kept) for engine, kept in engines.items()}


def _kept(kept: Mapping[str, Any]) -> Kept:
    results = {
        key: Result(**{**result, "problems": tuple(result["problems"])})
        for key, result in kept["results"].items()
    }
    return Kept(kept["version"], kept["pyodide"], results)


def save(engines: Mapping[str, Kept], path: Path = KEPT) -> None:
    """Keep it."""
    text = json.dumps({engine: asdict(kept) for engine, kept in engines.items()}, indent=1)
    path.write_text(f"{text}\n", encoding="utf-8")
