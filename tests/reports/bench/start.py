"""The time that the page takes to start, compared with stock PyScript and the article's page in React.

python -m tests.reports.bench.start                      # prints the tables
python -m tests.reports.bench.start --write              # also into docs/benchmarks.md
python -m tests.reports.bench.start --rounds 1 --network localhost --page own --page stock --engine Chromium --quick
python -m tests.reports.bench.start --rounds 10 --returns 3 --network localhost --page own --before SITE  # another

The pages take turns within each round, so that other load slows all equally. The seconds depend on the
machine, the ratios hardly. docs/benchmarks.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

from tests.reports.bench import start_report
from tests.reports.bench.start_pages import NETWORKS, PAGES, lay_out, machine, serving, versions
from tests.reports.bench.start_visits import Visit, engines, visit_with_one_profile
from tools.reports.documents import publish
from tools.setup.browsers import find_browsers

PROGRAM = "python -m tests.reports.bench.start"
ENGINES = ("Chromium", "Firefox", "WebKit")
ELSEWHERE_PAGES = ("own", "stock")

#: An engine, a network and a page.
Stop = tuple[str, str, str]


def plan(
    engine_names: Sequence[str], networks: Sequence[str], pages: Sequence[str], number: int
) -> Iterator[Stop]:
    """What one round visits, in its order: every page everywhere in Chromium, two of them on localhost elsewhere. With
    each ``number`` another page is the first one, for which the engine's own files may have to come from the disk."""
    for engine, network in product(engine_names, networks):
        chosen = list(pages)
        if engine != "Chromium":
            chosen = [page for page in pages if network == "localhost" and page in ELSEWHERE_PAGES]
        turn = number % max(len(chosen), 1)
        yield from ((engine, network, page) for page in chosen[turn:] + chosen[:turn])


def measure(
    go: Callable[[str, str, str], list[Visit]], stops: Sequence[Stop]
) -> tuple[list[Visit], list[str], list[float]]:
    """The visits to make at each stop. Those that fail are made once more, and named in the second list. The third is
    the machine's load (of one minute) before each stop."""
    visits: list[Visit] = []
    repeated: list[str] = []
    loads: list[float] = []
    for number, stop in enumerate(stops, 1):
        loads.append(os.getloadavg()[0])
        try:
            seen = go(*stop)
        except (AssertionError, Error) as error:
            repeated.append(f"{', '.join(stop)}: {str(error).splitlines()[0]}")
            seen = go(*stop)
        visits += seen
        took = ", ".join(f"{visit.seen.get('live', visit.seen['painted']):.0f} ms" for visit in seen)
        print(f"{number}/{len(stops)} {', '.join(stop)}: {took}", file=sys.stderr, flush=True)
    return visits, repeated, loads


def origin(command: str, visits: Sequence[Visit], rounds: int, loads: Sequence[float]) -> str:
    """Return the line with command, day and versions."""
    told = dict.fromkeys(f"{visit.engine} {visit.version}".strip() for visit in visits)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"`{command}`, {day}, rounds: {rounds}. {', '.join(told)}; {versions()}. {machine(loads)}."


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description=__doc__.split("\n")[0])
    for option, choices in (("--network", NETWORKS), ("--page", PAGES), ("--engine", ENGINES)):
        parser.add_argument(option, choices=choices, action="append", help="once for each; without it: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--returns",
        type=int,
        default=1,
        metavar="N",
        help="warm visits after each cold one: more say it more exactly",
    )
    parser.add_argument(
        "--quick", action="store_true", help="compress less, in seconds: for trying things out"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    parser.add_argument(
        "--before", type=Path, metavar="SITE", help="a built site of another commit, to compare the page with"
    )
    args = parser.parse_args()
    chosen = [*(args.page or PAGES), *(["before"] if args.before else [])]
    pages = [page for page in PAGES if page in chosen and (page != "before" or args.before)]
    networks = [network for network in NETWORKS if network in (args.network or NETWORKS)]
    found = find_browsers()
    names = [name for name in engines(found) if name in (args.engine or ENGINES)]
    stops = [stop for number in range(args.rounds) for stop in plan(names, networks, pages, number)]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        folders = lay_out(Path(folder, "pages"), quick=args.quick, before=args.before)
        with serving(folders, Path(folder), networks) as hosts:
            go = partial(visit_with_one_profile, found, playwright, hosts, returns=args.returns)
            visits, repeated, loads = measure(go, stops)
    told = origin(" ".join([PROGRAM, *sys.argv[1:]]), visits, args.rounds, loads)
    publish("start", start_report.report(visits, told, repeated), write=args.write)


if __name__ == "__main__":
    main()
