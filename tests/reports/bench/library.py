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
import platform
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
from tests.reports.bench.start_pages import versions
from tests.support import browsers
from tests.support.server import ROOT
from tools.reports.documents import publish, table
from tools.setup.browsers import find_browsers

PROGRAM = "python -m tests.reports.bench.library"
#: The commit before the library had ``connect()``.
BEFORE = "38fbb72"
NOW, BASE = "now", "js"
#: Way of library_page/program.py -> its name.
WAYS = {
    "on_message": "kizuna, `on_message`",
    "async for": "kizuna, `async for`",
    "js": "`js.WebSocket`",
    "pyscript": "`pyscript.WebSocket`",
}
#: What sends in another way than it receives is not measured twice.
SENDERS = ("on_message", "js", "pyscript")
#: To reach, and if possible.
RATIO_AIM, RATIO_STRETCH = 2.0, 1.5
IMPORT_AIM, MODULES_AIM, WHEEL_AIM = 0.5, 20, 100_000


class Plan(NamedTuple):
    """How much is measured."""

    counts: Sequence[int] = (2_000, 20_000)
    warm_up: int = 2_000  #: messages each way before the first of a page that are measured
    rounds: int = 7


QUICK = Plan((20, 40), 10, 1)

#: What is done, how many times, and in which way.
Task = tuple[str, int, str]


@dataclass
class Found:
    """One number for each round: of messages microseconds each, of imports milliseconds."""

    messages: dict[Task, list[Cost]] = field(default_factory=dict)
    imports: dict[str, list[float]] = field(default_factory=dict)  #: by version of the library
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
        browsers.chromium(playwright, chromium) as browser,
    ):
        lay_out(Path(name, NOW), ROOT / "app" / "kizuna")
        lay_out(Path(name, "before"), library_of(before, Path(name, "commit")))
        found.browser = browser.version
        for number in range(plan.rounds):
            found.loads.append(os.getloadavg()[0])
            for version in (NOW, "before") if number % 2 == 0 else ("before", NOW):
                with Visit(browser, f"{host}/{version}/index.html") as visit:
                    imported = visit.ask("import", server)
                    found.imports.setdefault(version, []).append(imported["milliseconds"])
                    found.modules[version] = imported["modules"]
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
        """Return the ratios of numbers that were measured in the same rounds."""
        rounds = [one / other for one, other in zip(mine, others, strict=True)]
        return cls(median(rounds), min(rounds), max(rounds))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"


def message_table(measured: Mapping[Task, Sequence[Cost]]) -> str:
    """Return what a message costs in each way, and the ratios to ``js.WebSocket``."""
    rows = []
    for (call, count, way), costs in sorted(measured.items(), key=_place):
        cells = [call, f"{count:,}", WAYS[way]]
        for mine, base in zip(zip(*costs), zip(*measured[call, count, BASE])):
            ratio = "" if way == BASE else str(Ratio.of(mine, base))
            cells += [f"{min(mine):.1f} µs", f"{median(mine):.1f} µs", ratio]
        rows.append(cells)
    times = [f"{what}{then}" for what in ("passed", "computed") for then in (", min", ", median", ", to `js.WebSocket`")]
    return table(["", "messages", "with", *times], rows, 3)


def _place(item: tuple[Task, object]) -> tuple[str, int, int]:
    call, count, way = item[0]
    return call, count, list(WAYS).index(way)


def import_table(found: Found, before: str) -> str:
    """Return what an import costs of both versions, and how many modules it loads."""
    rows = []
    for version, name in ((NOW, "this version"), ("before", f"`{before}`")):
        costs = found.imports[version]
        cells = [str(found.modules[version]), f"{min(costs):.0f} ms", f"{median(costs):.0f} ms"]
        ratio = str(Ratio.of(costs, found.imports["before"])) if version == NOW else ""
        rows.append([name, *cells, ratio])
    return table(["library", "modules", "import, min", "import, median", "to the other"], rows)


def aims(found: Found, wheel: int) -> str:
    """Return the table of aims, and whether they are reached."""
    rows = []
    for (call, count, way), costs in sorted(found.messages.items(), key=_place):
        if way in ("on_message", "async for"):
            for what, mine, base in zip(("passed", "computed"), zip(*costs), zip(*found.messages[call, count, BASE])):
                ratio = Ratio.of(mine, base)
                told = f"{call} {count:,} with {WAYS[way]}, to `js.WebSocket`: time {what}"
                aim = f"≤ {RATIO_AIM:g} ({RATIO_STRETCH:g})"
                rows.append([told, aim, str(ratio), _verdict(ratio.median <= RATIO_AIM)])
    ratio = Ratio.of(found.imports[NOW], found.imports["before"])
    modules = found.modules[NOW]
    rows += [
        ["import, to the other version", f"≤ {IMPORT_AIM:g}", str(ratio), _verdict(ratio.median <= IMPORT_AIM)],
        ["modules that `connect` loads", f"≤ {MODULES_AIM}", str(modules), _verdict(modules <= MODULES_AIM)],
        ["wheel", f"≤ {WHEEL_AIM // 1000} KB", f"{wheel / 1000:.1f} KB", _verdict(wheel <= WHEEL_AIM)],
    ]
    return table(["what", "to reach", "measured", ""], rows, 1)


def _verdict(is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


def report(found: Found, wheel: int, before: str, command: str) -> str:
    """Return all that stands between the marks."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    machine = f"{platform.system()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    load = f"its load meanwhile {median(found.loads):.1f} ({min(found.loads):.1f} to {max(found.loads):.1f})"
    rounds = len(found.loads)
    origin = (
        f"`{command}`, {day}, rounds: {rounds}. Chromium {found.browser}; {versions()}. {machine}; {load}."
    )
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
