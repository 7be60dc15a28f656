"""Chaos: three people on real pages type without pause while networks, server and tabs break; then the verdict.

python -m tests.e2e.chaos                               # ten minutes from a seed of its own, which it prints
python -m tests.e2e.chaos --seconds 60 --seed 4711      # the plan that failed, again
python -m tests.e2e.chaos --seconds 20 --without resend # with a protection switched off it must fail

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

from playwright.sync_api import Browser, Error, sync_playwright

from tests.e2e.chaos import plan
from tests.e2e.chaos.plan import Player, Step, What
from tests.e2e.chaos.report import keep, report
from tests.e2e.chaos.run import Run, carry_out
from tests.e2e.chaos.sabotage import SABOTAGES, SabotageFailed, Saboteur
from tests.support import browsers
from tests.support.server import KizunaServer
from tools.browsers import find_browsers

PLAYERS = (Player("Ada", ("Ada", "Ada 2")), Player("Ben", ("Ben",)), Player("Cleo", ("Cleo",)))
#: Enough for a protection that is switched off: somebody who types, and somebody who sees it.
FEW = (Player("Ada", ("Ada",)), Player("Ben", ("Ben",)))
#: The trouble that finds each of them.
DIRECTED = {"dedupe": plan.repeats, "resend": plan.losses, "catch-up": plan.absences}

#: What `--leave-out` takes.
SPARED = {"reloads": What.RELOAD, "crashes": What.CRASH, "closes": What.CLOSE, "kills": What.KILL}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once; returns the exit code."""
    options = _parser().parse_args(arguments)
    chromium = find_browsers().chromium
    if chromium is None:
        print("chaos: no Chromium here (on Debian: apt install chromium)", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _stop)  # so that the server and the browser are ended too
    name = f"chaos-{options.seed}" + (f"-without-{options.without}" if options.without else "")
    print(f"seed {options.seed}" + (f", without {options.without}" if options.without else ""), flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
        sync_playwright() as playwright,
        browsers.chromium(playwright, chromium) as browser,
    ):
        return _run(options, browser, server, name)


def _run(options: argparse.Namespace, browser: Browser, server: KizunaServer, name: str) -> int:
    players, steps = _plan(options)
    try:
        saboteur = Saboteur(options.without) if options.without else None
    except SabotageFailed as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 2
    run = Run(browser, server, players, options.seed, saboteur, tell=lambda words: print(words, flush=True))
    try:
        outcome = carry_out(run, steps, options.seconds)
        print(report(outcome, run.chronicle.counts))
        if not outcome.verdict.holds:
            print(f"kept: {keep(run, name)} and what is beside it")
        return 0 if outcome.verdict.holds else 1
    except (Error, AssertionError, OSError, SabotageFailed):
        traceback.print_exc()
        print(f"chaos: it could not run to its end; kept: {keep(run, name)}", file=sys.stderr)
        return 2
    finally:
        run.close()


def _plan(options: argparse.Namespace) -> tuple[tuple[Player, ...], tuple[Step, ...]]:
    if options.without:
        return FEW, DIRECTED[options.without](options.seconds, FEW)
    return PLAYERS, plan.make_plan(
        options.seed, options.seconds, PLAYERS, [SPARED[kind] for kind in options.leave_out]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.e2e.chaos", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="of chaos (default 600)")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000), help="of the plan")
    parser.add_argument(
        "--without", choices=sorted(SABOTAGES), help="serve pages that lack this: it must fail"
    )
    parser.add_argument(
        "--leave-out", nargs="+", choices=sorted(SPARED), default=[], help="upheavals that shall not happen"
    )
    return parser


def _stop(*_: object) -> Never:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
