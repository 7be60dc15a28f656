"""Chaos: people on real pages type without pause while networks, server and tabs break; then the verdict.

Nothing is lost, doubled or out of order; without one of its protections the page fails. `make chaos` plays the long
plan: FAULTS=40 makes it shorter, SEED=4711 is the same plan again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import pytest
from playwright.sync_api import Browser

from tests.e2e.chaos.plan import FEW, PLAYERS, What, make_plan, same_for_all
from tests.e2e.chaos.run import Run
from tests.e2e.chaos.sabotage import Saboteur
from tests.e2e.conftest import will_keep
from tests.support.server import KizunaServer

#: Any other number is as good; a failure is seen again with the same.
SEED = 4711

#: Enough for a short plan.
SHORT = PLAYERS[:2]
#: Who shows that each protection is switched off, and by which fault: who types sees own words lost or doubled; what
#: was missed, somebody else must have said.
SHOWN_BY = {"dedupe": (FEW[:1], What.REPEAT), "resend": (FEW[:1], What.LOSS), "catch-up": (FEW, What.DOWN)}
#: How often it is tried.
TRIES = 20
#: Ten minutes of them.
FAULTS = 400


@pytest.fixture
def runs(
    request: pytest.FixtureRequest, chromium: Browser, server: KizunaServer, room: str
) -> Iterator[Callable[..., Run]]:
    """Makes a run with these players, which leaves a folder when the test fails."""
    made: list[Run] = []

    def make(*arguments: object, saboteur: Saboteur | None = None) -> Run:
        made.append(Run(chromium, server, *arguments, saboteur=saboteur, room=room))  # type: ignore[arg-type]
        will_keep(request, made[-1].keep)
        return made[-1]

    yield make
    for run in made:
        run.close()


def test_plan_of_every_fault_is_survived(runs: Callable[..., Run]) -> None:
    run = runs(SHORT, SEED)
    plan = make_plan(SEED, len(What), SHORT)
    verdict = run.carry_out([replace(fault, seconds=fault.seconds / 2) for fault in plan])
    assert verdict.holds, run.report()
    assert set(run.chronicle.counts) == set(What), run.report()


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_long_plan_is_survived(runs: Callable[..., Run]) -> None:
    seed = int(os.environ.get("SEED") or SystemRandom().randrange(1_000_000))
    print(f"the same again: SEED={seed}", flush=True)
    run = runs(PLAYERS, seed)
    verdict = run.carry_out(make_plan(seed, int(os.environ.get("FAULTS") or FAULTS), PLAYERS))
    print(run.report())
    assert verdict.holds, run.report()


@pytest.mark.parametrize(
    ("protection", "kind"), [("dedupe", "duplicated"), ("resend", "lost"), ("catch-up", "lost")]
)
def test_page_without_a_protection_is_found(
    runs: Callable[..., Run], site: Path, protection: str, kind: str
) -> None:
    players, fault = SHOWN_BY[protection]
    run = runs(players, SEED, saboteur=Saboteur(protection, site))
    verdict = run.carry_out(same_for_all(fault, TRIES, players))
    assert getattr(verdict, kind), run.report()
