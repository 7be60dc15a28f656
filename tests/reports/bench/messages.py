"""What a flood of messages does to the page, side by side with other pages, in Chromium.

python -m tests.reports.bench.messages                      # an hour at most: prints the tables
python -m tests.reports.bench.messages --write              # also into docs/benchmarks.md, with a picture
python -m tests.reports.bench.messages --counts 100,1000 --pages kizuna,react --parts bursts --rounds 1
python -m tests.reports.bench.messages --quick              # everything in its smallest form, to try the benchmark

The pages take turns within each round, so that other load slows all equally. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from playwright.async_api import Error, Playwright, async_playwright

from tests.reports.bench.messages_own import Own, measure_own
from tests.reports.bench.messages_pages import PAGES, lay_out
from tests.reports.bench.messages_report import PICTURE, Results, plot, report
from tests.reports.bench.messages_server import BenchServer, bench_server, page_host
from tests.reports.bench.messages_visits import Load, Result, Visit, first_line, measured, visiting
from tests.reports.bench.start_pages import DIST, machine, versions
from tests.reports.bench.start_visits import MEASURE
from tests.support.site import build_site
from tools.reports.documents import BENCHMARKS, publish
from tools.setup.browsers import find_browsers

PROGRAM = "python -m tests.reports.bench.messages"
BURSTS, DUPLICATES, RATE, OWN, MODEL = PARTS = ("bursts", "duplicates", "rate", "own", "model")

#: Opens a page in a new browser.
Opened = Callable[[str], AbstractAsyncContextManager[Visit]]


class Amount(NamedTuple):
    """How much is measured. ``limit``: seconds."""

    counts: Sequence[int] = (100, 1_000, 10_000, 100_000)
    duplicates: int = 10_000
    rate: int = 1_000
    seconds: int = 60
    keys: int = 200
    outbox: int = 500
    model: Sequence[int] = (10_000, 100_000)
    rounds: int = 2
    limit: float = 300.0


QUICK = Amount((20, 40), 40, 200, 1, 16, 8, (100, 200), 1, 60.0)


class Bench:
    """One run: which parts and pages, and what was found."""

    def __init__(self, amount: Amount, parts: Sequence[str], pages: Sequence[str]) -> None:
        self.amount = amount
        self.parts = parts
        self.pages = pages
        self.results: list[Result] = []
        self.own: list[Own] = []
        self.notes: list[str] = []
        self.machine_loads: list[float] = []
        self.version = ""  #: of Chromium

    def loads(self) -> list[Load]:
        """Return the loads, the smallest first."""
        amount = self.amount
        bursts = [Load(count) for count in amount.counts] if BURSTS in self.parts else []
        duplicates = [Load(amount.duplicates, duplicates=True)] if DUPLICATES in self.parts else []
        rate = [Load(amount.rate * amount.seconds, amount.rate)] if RATE in self.parts else []
        return sorted(bursts + duplicates + rate, key=lambda load: load.count)

    async def run(self, site: Path) -> None:
        """Measure everything in each round. ``site``: this project's built page."""
        chromium = find_browsers().chromium
        if chromium is None:
            raise SystemExit("Chromium is missing: run make browsers")
        with tempfile.TemporaryDirectory(dir=site.parent) as name:
            folder = Path(name)
            async with bench_server() as server, async_playwright() as playwright:
                lay_out(folder, server, self.pages, site)
                with page_host(folder) as host:
                    for number in range(self.amount.rounds):
                        await self._round(number, playwright, chromium, host, server)

    async def _round(
        self, number: int, playwright: Playwright, chromium: Path, host: str, server: BenchServer
    ) -> None:
        """Visit all pages with each load. In each round another page is the first one."""
        opened = partial(visiting, playwright, chromium, host, server)
        turn = number % len(self.pages)
        for load in self.loads():
            for page in [*self.pages[turn:], *self.pages[:turn]]:
                self.machine_loads.append(os.getloadavg()[0])
                if self.was_stopped(page, load):
                    result = Result(page, load)
                else:
                    result = await self._visit(opened, page, load, server)
                self.results.append(result)
                took = f"{result.painted:.0f} ms" if result.painted else f"> {self.amount.limit:g} s"
                _say(f"round {number + 1}, {load.name}, {PAGES[page].name}: {took}")
        if OWN in self.parts and "kizuna" in self.pages:
            amount = self.amount
            own = partial(opened, "kizuna", MEASURE)
            self.own.append(
                await measure_own(own, server, keys=amount.keys, outbox=amount.outbox, limit=amount.limit)
            )
            self.notes += self.own[-1].failures
            _say(f"round {number + 1}, this page alone")

    def was_stopped(self, page: str, load: Load) -> bool:
        """Return whether this page was stopped by the same load, or by a burst of so many or fewer."""
        mine = [result for result in self.results if result.page == page]
        stopped = [result.load for result in mine if result.painted is None and not result.failure]
        return any(
            other == load or (not other.rate and load.rate == 0 and other.count <= load.count)
            for other in stopped
        )

    async def _visit(self, opened: Opened, page: str, load: Load, server: BenchServer) -> Result:
        """Return the result of one visit, tried once more if it fails."""
        failure = ""
        for _ in range(2):
            try:
                return await self._once(opened, page, load, server)
            except (AssertionError, Error, TimeoutError) as error:
                failure = first_line(error)
                self.notes.append(f"{load.name}, {PAGES[page].name}: {failure}")
                _say(self.notes[-1])
        return Result(page, load, failure=failure)

    async def _once(self, opened: Opened, page: str, load: Load, server: BenchServer) -> Result:
        async with opened(page) as visit:
            browser = visit.page.context.browser
            self.version = browser.version if browser else ""
            await visit.join(server)
            return await measured(visit, page, load, server, self.amount.limit)


def model_seconds(counts: Sequence[int], limit: float) -> dict[int, float | None]:
    """Return messages -> seconds of the model on CPython; None if it takes longer than ``limit``."""
    found: dict[int, float | None] = {}
    for count in counts:
        command = [sys.executable, "-m", "tests.reports.bench.messages_model", str(count)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit)
        except subprocess.TimeoutExpired:
            found[count] = None
        else:
            found[count] = float(done.stdout.splitlines()[-1].split("|")[2])
        _say(f"the model on CPython, {count:,}: {found[count]} s")
    return found


def origin(command: str, bench: Bench) -> str:
    """Return the line with command, day and versions."""
    amount = bench.amount
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    used = f"Chromium {bench.version}; {versions()}. {machine(bench.machine_loads or [0.0])}"
    return f"`{command}`, {day}, rounds: {amount.rounds}. {used}."


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _names(known: Sequence[str], text: str) -> list[str]:
    """Return the names in a text with commas, in their known order."""
    asked = text.split(",")
    if unknown := set(asked) - set(known):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    return [name for name in known if name in asked]


def _numbers(text: str) -> list[int]:
    return sorted(int(number) for number in text.split(","))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.split("\n")[0])
    parser.add_argument(
        "--pages", type=partial(_names, list(PAGES)), default=list(PAGES), help=", ".join(PAGES)
    )
    parser.add_argument("--parts", type=partial(_names, PARTS), default=list(PARTS), help=", ".join(PARTS))
    parser.add_argument("--counts", type=_numbers, help="messages of the bursts")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--limit", type=float, help="seconds after which a page is stopped")
    parser.add_argument("--quick", action="store_true", help="everything in its smallest form")
    parser.add_argument("--site", type=Path, help="this project's built page, instead of building it")
    parser.add_argument("--write", action="store_true", help="put tables and picture into docs/")
    return parser.parse_args()


def main() -> None:
    """The command line."""
    args = _options()
    asked = {name: getattr(args, name) for name in ("counts", "rounds", "limit") if getattr(args, name)}
    bench = Bench((QUICK if args.quick else Amount())._replace(**asked), args.parts, args.pages)
    site = args.site.resolve() if args.site else build_site(DIST / "bench-messages")
    asyncio.run(bench.run(site))
    model = model_seconds(bench.amount.model, bench.amount.limit) if MODEL in args.parts else {}
    results = Results(bench.results, bench.amount.limit)
    told = origin(" ".join([PROGRAM, *sys.argv[1:]]), bench)
    publish("messages", report(results, bench.own, model, told, bench.notes), write=args.write)
    if args.write and results.loads():
        BENCHMARKS.with_name(PICTURE).write_text(plot(results), encoding="utf-8")


if __name__ == "__main__":
    main()
