"""A short plan of chaos: nothing is lost, doubled or out of order; without one of its protections the page fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.chaos.__main__ import FAULTS, PLAYERS, SHORT, SHOWN_BY, TRIES
from tests.e2e.chaos.plan import What, make_plan, same_for_all
from tests.e2e.chaos.run import Run
from tests.e2e.chaos.sabotage import Saboteur
from tests.e2e.conftest import will_keep
from tests.support.server import KizunaServer

#: Any other number is as good; a failure is seen again with the same.
SEED = 4711


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
    verdict = run.carry_out(make_plan(SEED, len(What), SHORT))
    assert verdict.holds, run.report()
    assert set(run.chronicle.counts) == set(What), run.report()


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_long_plan_is_survived(runs: Callable[..., Run]) -> None:
    run = runs(PLAYERS, SEED)
    verdict = run.carry_out(make_plan(SEED, FAULTS, PLAYERS))
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
