"""What the library costs a page beside sockets written by hand, and its import beside that of another commit.

python -m tests.reports.bench.library                    # prints the tables, in some minutes
python -m tests.reports.bench.library --write            # also into docs/benchmarks.md
python -m tests.reports.bench.library --before 38fbb72   # a commit, or a folder with another version of the library
python -m tests.reports.bench.library --quick            # few messages, to try the benchmark

Everything is measured in one run in bare PyScript in Chromium, and takes turns within each round, so that other load
slows all equally. The times depend on the machine, the ratios hardly. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from playwright.sync_api import sync_playwright

from tests.reports.bench.library_visits import Cost, Visit, lay_out, library_of, message_server, wheel_bytes
from tests.reports.bench.messages_server import page_host
from tests.reports.bench.start_pages import machine, versions
from tests.support import browsers
from tests.support.server import ROOT
from tools.reports.documents import publish, table
from tools.setup.browsers import find_browsers

PROGRAM = "python -m tests.reports.bench.library"
#: The commit before the library had ``connect()``.
BEFORE = "38fbb72"
NOW, THEN = VERSIONS = ("now", "before")
#: Way of library_page/program.py -> its name.
WAYS = {
    "on_message": "kizuna, `on_message`",
    "async for": "kizuna, `async for`",
    "js": "`js.WebSocket`",
    "pyscript": "`pyscript.WebSocket`",
}
#: What the others are compared with, and the ways of the library.
BASE, OWN_WAYS = "js", ("on_message", "async for")
#: Both ways of the library to receive send alike.
SENDERS = ("on_message", "js", "pyscript")
#: Of the time that passed, and of that which the page's main thread computed in it.
HEADINGS = [f"{time}, {number}" for time in ("passed", "computed") for number in ("min", "median", "ratio")]
#: To reach, and if possible.
RATIO_AIM, RATIO_STRETCH = 2.0, 1.5
IMPORT_AIM, MODULES_AIM, WHEEL_AIM = 0.5, 20, 100_000


class Plan(NamedTuple):
    """How much is measured."""

    counts: Sequence[int] = (2_000, 20_000)
    warm_up: int = 2_000  #: messages each way before the first of a page that are measured
    rounds: int = 7
    flags: Sequence[str] = ()  #: of Chromium


QUICK = Plan((20, 40), 10, 1, [browsers.COMPILE_ONCE])

#: What is done, how many times, and in which way.
Task = tuple[str, int, str]


@dataclass
class Found:
    """One cost for each round: of each message in microseconds, of imports in milliseconds."""

    messages: dict[Task, list[Cost]] = field(default_factory=dict)
    imports: dict[str, list[Cost]] = field(default_factory=dict)  #: by version of the library
    modules: dict[str, int] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)  #: the machine's, of one minute
    browser: str = ""


def tasks(plan: Plan, number: int) -> list[Task]:
    """Return what one round does, in its order. In each round another way is the first one."""
    found: list[Task] = []
    for count in plan.counts:
        for call, ways in (("receive", tuple(WAYS)), ("send", SENDERS)):
            turn = number % len(ways)
            found += [(call, count, way) for way in ways[turn:] + ways[:turn]]
    return found


def measure(plan: Plan, before: str) -> Found:
    """Visit the page anew for each version of the library in each round, and measure."""
    chromium = find_browsers().chromium
    if chromium is None:
        raise SystemExit("Chromium is missing: run make browsers")
    found = Found()
    with (
        tempfile.TemporaryDirectory() as name,
        message_server() as server,
        page_host(Path(name)) as host,
        sync_playwright() as playwright,
        browsers.chromium(playwright, chromium, *plan.flags) as browser,
    ):
        lay_out(Path(name, NOW), ROOT / "app" / "kizuna")
        lay_out(Path(name, THEN), library_of(before, Path(name, "commit")))
        found.browser = browser.version
        for number in range(plan.rounds):
            found.loads.append(os.getloadavg()[0])
            for version in VERSIONS if number % 2 == 0 else VERSIONS[::-1]:
                with Visit(browser, f"{host}/{version}/index.html") as visit:
                    cost, found.modules[version] = visit.import_library(server)
                    found.imports.setdefault(version, []).append(cost)
                    if version == NOW:
                        _exchange(visit, plan, number, server, found)
            _say(f"round {number + 1} of {plan.rounds}")
    return found


def _exchange(visit: Visit, plan: Plan, number: int, server: str, found: Found) -> None:
    for task in tasks(plan._replace(counts=[plan.warm_up]), number):
        visit.exchange(*task, server)
    for task in tasks(plan, number):
        found.messages.setdefault(task, []).append(visit.exchange(*task, server))


# --- the report ---


class Ratio(NamedTuple):
    """The median of the rounds' ratios, the least and the greatest."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, mine: Sequence[float], others: Sequence[float]) -> Ratio:
        """Return the ratio of numbers that were measured in the same rounds."""
        rounds = [one / other for one, other in zip(mine, others, strict=True)]
        return cls(median(rounds), min(rounds), max(rounds))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"


def ratios(costs: Sequence[Cost], others: Sequence[Cost]) -> tuple[Ratio, Ratio]:
    """Return the ratios of the time that passed, and of that which the page computed."""
    passed = Ratio.of([cost.passed for cost in costs], [cost.passed for cost in others])
    computed = Ratio.of([cost.computed for cost in costs], [cost.computed for cost in others])
    return passed, computed


def message_table(measured: Mapping[Task, Sequence[Cost]]) -> str:
    """Return what a message costs in each way, and the ratios to ``js.WebSocket``."""
    rows = []
    for (call, count, way), costs in sorted(measured.items(), key=_place):
        cells = [call, f"{count:,}", WAYS[way]]
        for times, ratio in zip(
            zip(*costs, strict=True), ratios(costs, measured[call, count, BASE]), strict=True
        ):
            cells += [f"{min(times):.1f} µs", f"{median(times):.1f} µs", "" if way == BASE else str(ratio)]
        rows.append(cells)
    return table(["", "messages", "with", *HEADINGS], rows, 3)


def _place(item: tuple[Task, object]) -> tuple[str, int, int]:
    call, count, way = item[0]
    return call, count, list(WAYS).index(way)


def import_table(found: Found, before: str) -> str:
    """Return what an import costs of both versions, and how many modules it loads."""
    rows = []
    for version, name in ((NOW, "this version"), (THEN, f"`{before}`")):
        costs = found.imports[version]
        cells = [name, str(found.modules[version])]
        for times, ratio in zip(zip(*costs, strict=True), ratios(costs, found.imports[THEN]), strict=True):
            cells += [
                f"{min(times):.0f} ms",
                f"{median(times):.0f} ms",
                "" if version == THEN else str(ratio),
            ]
        rows.append(cells)
    return table(["import", "modules", *HEADINGS], rows)


def aims(found: Found, wheel: int) -> str:
    """Return the table of aims, and whether they are reached."""
    rows = []
    for (call, count, way), costs in sorted(found.messages.items(), key=_place):
        if way in OWN_WAYS:
            both = ratios(costs, found.messages[call, count, BASE])
            aim = f"≤ {RATIO_AIM:g} ({RATIO_STRETCH:g})"
            reached = _verdict(all(ratio.median <= RATIO_AIM for ratio in both))
            rows.append([f"{call} {count:,}, {WAYS[way]}", aim, " and ".join(map(str, both)), reached])
    both, modules = ratios(found.imports[NOW], found.imports[THEN]), found.modules[NOW]
    reached = _verdict(all(ratio.median <= IMPORT_AIM for ratio in both))
    rows += [
        ["import", f"≤ {IMPORT_AIM:g}", " and ".join(map(str, both)), reached],
        ["modules that `connect` loads", f"≤ {MODULES_AIM}", str(modules), _verdict(modules <= MODULES_AIM)],
        ["wheel", f"≤ {WHEEL_AIM // 1000} KB", f"{wheel / 1000:.1f} KB", _verdict(wheel <= WHEEL_AIM)],
    ]
    return table(["what", "to reach", "measured", ""], rows)


def _verdict(is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


def report(found: Found, wheel: int, before: str, command: str) -> str:
    """Return all that stands between the marks."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    used = f"Chromium {found.browser}; {versions()}. {machine(found.loads)}"
    origin = f"`{command}`, {day}, rounds: {len(found.loads)}. {used}."
    return "\n\n".join(
        [origin, message_table(found.messages), import_table(found, before), aims(found, wheel)]
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.split("\n")[0])
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT_OR_FOLDER", help=f"without it: {BEFORE}")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--quick", action="store_true", help="few messages, to see that it works")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    args = parser.parse_args(arguments)
    plan = QUICK if args.quick else Plan()
    found = measure(plan._replace(rounds=args.rounds or plan.rounds), args.before)
    command = " ".join([PROGRAM, *(sys.argv[1:] if arguments is None else arguments)])
    publish("library", report(found, wheel_bytes(), args.before, command), write=args.write)


if __name__ == "__main__":
    main()
