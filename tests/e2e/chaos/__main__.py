"""Chaos: three people on real pages type without pause while networks, server and tabs break; then the verdict.

python -m tests.e2e.chaos                               # ten minutes from a seed of its own, which it prints
python -m tests.e2e.chaos --faults 40 --seed 4711       # the plan that failed, again
python -m tests.e2e.chaos --without resend              # with a protection switched off it must fail

Exit code 0: every message exactly once, in order, on every screen. 1: not so. 2: it could not run.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import SystemRandom
from typing import Never

from playwright.sync_api import Error, expect, sync_playwright

from tests.e2e.chaos.plan import Fault, Player, What, make_plan, same_for_all
from tests.e2e.chaos.run import Run
from tests.e2e.chaos.sabotage import SABOTAGES, SabotageFailed, Saboteur
from tests.support import browsers
from tests.support.server import KizunaServer
from tests.support.site import build_site
from tests.support.waiting import PATIENCE
from tools.browsers import find_browsers

PLAYERS = (Player("Ada", ("Ada", "Ada 2")), Player("Ben", ("Ben",)), Player("Cleo", ("Cleo",)))
#: Enough for a short plan.
SHORT = PLAYERS[:2]
#: Who shows that each protection is switched off, and by which fault: who types sees own words lost or doubled; what
#: was missed, somebody else must have said.
ALONE, FEW = (Player("Ada", ("Ada",)),), (Player("Ada", ("Ada",)), Player("Ben", ("Ben",)))
SHOWN_BY = {"dedupe": (ALONE, What.REPEAT), "resend": (ALONE, What.LOSS), "catch-up": (FEW, What.DOWN)}
#: How often it is tried.
TRIES = 20
#: Ten minutes of them.
FAULTS = 400


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once; returns the exit code."""
    options = _parser().parse_args(arguments)
    chromium = find_browsers().chromium
    if chromium is None:
        print("chaos: no Chromium here (on Debian: apt install chromium)", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)  # so that the server and the browser are ended too
    expect.set_options(timeout=PATIENCE * 1000)
    print(f"seed {options.seed}" + (f", without {options.without}" if options.without else ""), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        site = build_site(Path(folder) / "site")
        with (
            KizunaServer(Path(folder) / "kizuna.sqlite3", ROOT=str(site), RATE_LIMIT="0") as server,
            sync_playwright() as playwright,
            browsers.chromium(playwright, chromium) as browser,
        ):
            saboteur = Saboteur(options.without, site) if options.without else None
            players, plan = _plan(options)
            run = Run(browser, server, players, options.seed, saboteur=saboteur, tell=_tell)
            return _run(run, plan, f"chaos-{options.seed}")


def _run(run: Run, plan: Sequence[Fault], name: str) -> int:
    try:
        verdict = run.carry_out(plan)
        print(run.report())
        if not verdict.holds:
            print(f"kept: {run.keep(name)}")
        return 0 if verdict.holds else 1
    except (Error, AssertionError, OSError, SabotageFailed):
        traceback.print_exc()
        print(f"chaos: it could not run to its end; kept: {run.keep(name)}", file=sys.stderr)
        return 2
    finally:
        run.close()


def _plan(options: argparse.Namespace) -> tuple[tuple[Player, ...], tuple[Fault, ...]]:
    if options.without:
        players, what = SHOWN_BY[options.without]
        return players, same_for_all(what, TRIES, players)
    return PLAYERS, make_plan(options.seed, options.faults, PLAYERS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.e2e.chaos", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--faults", type=int, default=FAULTS, help="of the plan (default 400)")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000), help="of the plan")
    parser.add_argument(
        "--without", choices=sorted(SABOTAGES), help="serve pages that lack this: it must fail"
    )
    return parser


def _tell(words: str) -> None:
    print(words, flush=True)


def _stop(*_: object) -> Never:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
