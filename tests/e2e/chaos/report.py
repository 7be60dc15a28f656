"""What a run tells at its end, and what it keeps when something was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.e2e.chaos.plan import FAULTS, What
from tests.e2e.chaos.run import Outcome, Run
from tests.support.artifacts import ARTIFACTS, keep_picture


def report(outcome: Outcome, counts: Mapping[str, int]) -> str:
    """The numbers and the verdict, for a person."""
    faults = [f"{what.value} {counts[what.value]}" for what in FAULTS if counts[what.value]]
    upheavals = [
        f"{what.value} {counts[what.value]}" for what in (What.KILL, What.RELOAD, What.CRASH, What.CLOSE)
    ]
    settled = "never settled" if outcome.settled_in is None else f"settled in {outcome.settled_in:.1f} s"
    return "\n".join(
        [
            f"{outcome.seconds:.0f} s, then {settled}",
            f"messages: {outcome.typed} typed, {outcome.left} left their composer, {outcome.logged} in the log",
            f"faults: {sum(counts[what.value] for what in FAULTS)}: {', '.join(faults) or 'none'}",
            f"upheavals: {', '.join(upheavals)}",
            f"links: {outcome.links} for {outcome.lives} page lives: {outcome.links - outcome.lives} reconnects",
            f"verdict {outcome.verdict}",
        ]
    )


def keep(run: Run, name: str) -> Path:
    """Pictures of all pages, every event and frame with its second, and what the server printed."""
    ARTIFACTS.mkdir(exist_ok=True)
    for tab in run.tabs:
        if tab.person is not None:
            keep_picture(tab.person, f"{name}-{tab.name}")
    (ARTIFACTS / f"{name}-server.txt").write_text(run.server.output)
    events = ARTIFACTS / f"{name}-events.txt"
    events.write_text(f"{run.outcome.verdict}\n\n{run.chronicle}\n")
    return events
