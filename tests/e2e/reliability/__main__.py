"""Each fault in each engine: when it is noticed, when it has healed, and that nothing was lost on the way.

python -m tests.e2e.reliability                                  # prints what it measures, half an hour
python -m tests.e2e.reliability --write                          # and writes docs/reliability.json and .md
python -m tests.e2e.reliability --engine chromium --only reset   # one row of one engine; the others are kept
python -m tests.e2e.reliability --tables                         # measures nothing: the document from what is kept

The pages have their own connection numbers. Exit code 0: all is well. 1: something was lost, doubled, out of order or
never healed, or a limit was missed. 2: it could not run.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from typing import Never

from playwright.sync_api import Playwright, sync_playwright

from tests.e2e.reliability import report
from tests.e2e.reliability.engines import ENGINES
from tests.e2e.reliability.measure import Result, missed_limits, play
from tests.e2e.reliability.scenarios import SCENARIOS, Scenario
from tests.support.server import ROOT
from tools.browsers import Browsers, find_browsers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; see the top of this file."""
    options = _parser().parse_args(arguments)
    if options.tables:
        report.save(report.load())
        return 0
    signal.signal(signal.SIGTERM, _stop)  # so that the server and the browser are ended too
    installed = find_browsers()
    missing = [
        engine.name
        for key, engine in ENGINES.items()
        if key in options.engine and not engine.is_here(installed)
    ]
    if missing:
        print(f"not here: {', '.join(missing)} (make browsers)", file=sys.stderr)
        return 2
    with sync_playwright() as playwright:
        return 1 if sum(_measure(playwright, installed, key, options) for key in options.engine) else 0


def _measure(playwright: Playwright, installed: Browsers, key: str, options: argparse.Namespace) -> int:
    """One engine; how many problems it had."""
    engine, problems = ENGINES[key], 0
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    kept = report.load()
    chosen = [one for one in SCENARIOS if one.key in options.only and one.gap(engine) is None]
    for version, scenario, result in play(engine, playwright, installed, chosen):
        wrong = (*result.problems, *missed_limits(scenario, result))
        problems += len(wrong)
        print(_line(engine.name, scenario, result, wrong), flush=True)
        before = kept.get(key, report.Kept()).results
        kept[key] = report.Kept(version, package["dependencies"]["pyodide"], {**before, scenario.key: result})
        if options.write:  # after each: half an hour is long enough to be interrupted
            report.save(kept)
    return problems


def _line(engine: str, scenario: Scenario, result: Result, wrong: Sequence[str]) -> str:
    def seconds(value: float | None) -> str:
        return "   -  " if value is None else f"{value:6.2f}"

    times = (result.noticed, result.given_up, result.connected, result.caught_up, result.words, result.held)
    clock = time.strftime("%H:%M:%S")
    return f"{clock} {engine:9} {scenario.key:16} {' '.join(map(seconds, times))}  {'; '.join(wrong) or 'ok'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.e2e.reliability", description=(__doc__ or "").partition("\n")[0]
    )
    keys = [scenario.key for scenario in SCENARIOS]
    parser.add_argument("--engine", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--only", nargs="+", choices=keys, default=keys, help="of the rows")
    parser.add_argument("--write", action="store_true", help="keep the results, and write the document")
    parser.add_argument(
        "--tables", action="store_true", help="measure nothing, write the document from what is kept"
    )
    return parser


def _stop(*_: object) -> Never:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
