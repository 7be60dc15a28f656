"""How long the page takes to start, beside stock PyScript and beside the article's page in React, all in one run.

python -m tests.reports.bench.start                      # prints the tables
python -m tests.reports.bench.start --write              # also into docs/benchmarks.md, with the plot beside it
python -m tests.reports.bench.start --rounds 1 --network localhost --page own --page stock --engine Chromium --quick

The pages take turns within each round, so that whatever else the machine does slows all alike. The machine decides the
seconds; the ratios are what counts. docs/benchmarks.md says what is measured and how.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from playwright.sync_api import Error, sync_playwright

from tests.reports.bench import start_report
from tests.reports.bench.start_numbers import Visits
from tests.reports.bench.start_pages import (
    NETWORKS,
    PAGES,
    STOCK,
    Hosts,
    Network,
    PageKind,
    lay_out,
    versions,
)
from tests.reports.bench.start_visits import Engine, Visit, engines, visit_twice
from tests.support.server import ROOT
from tools.browsers import find_browsers

DOCUMENT = ROOT / "docs" / "benchmarks.md"
ROUNDS = 5
#: A run alone on a machine loads it by less than this for each processor.
CROWDED = 2.0
WARNING = "**Other work shared the machine: measure again on a quiet one before judging by these numbers.**"
ENGINES = ("Chromium", "Firefox", "WebKit")
#: What is compared in every run, unless told otherwise, and what of it where on localhost only.
USUAL_PAGES = ("own", "fast", "small", "stock", "react")
ELSEWHERE_PAGES = ("own", "stock")


def plan(
    engine_names: Sequence[str], networks: Sequence[str], pages: Sequence[str], number: int
) -> Iterator[tuple[str, Network, PageKind]]:
    """What one round visits, in its order: every page everywhere in Chromium, two of them on localhost elsewhere. With
    each ``number`` another page is the first one, for which the engine's own files may have to come from the disk."""
    for engine in engine_names:
        for network in networks:
            if engine == "Chromium":
                chosen = list(pages)
            else:
                chosen = [page for page in pages if network == "localhost" and page in ELSEWHERE_PAGES]
            turn = number % max(len(chosen), 1)
            for page in chosen[turn:] + chosen[:turn]:
                yield engine, NETWORKS[network], PAGES[page]


def measure(
    chosen: dict[str, Engine], hosts: Hosts, rounds: Sequence[Sequence[tuple[str, Network, PageKind]]]
) -> tuple[list[Visit], list[str], list[float]]:
    """Go through the plans of all rounds. A visit that fails is made once more, and named in the second list. The third
    is the machine's load (of one minute) before each pair of visits."""
    visits: list[Visit] = []
    loads: list[float] = []
    repeated: list[str] = []
    for number, order in enumerate(rounds, 1):
        for name, network, page in order:
            began = time.monotonic()
            loads.append(os.getloadavg()[0])
            try:
                visits += visit_twice(name, chosen[name], hosts, network, page)
            except (AssertionError, Error) as error:
                repeated.append(f"{name}, {network.name}, {page.name}: {str(error).splitlines()[0]}")
                visits += visit_twice(name, chosen[name], hosts, network, page)
            took = ", ".join(
                f"{visit.seen.get('live', visit.seen['painted']):.0f} ms" for visit in visits[-2:]
            )
            told = f"{number}/{len(rounds)} {name}, {network.name}, {page.name}: {took}"
            print(f"{told} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    return visits, repeated, loads


def origin(command: str, visits: Sequence[Visit], rounds: int, loads: Sequence[float]) -> str:
    """What was measured when, by which command, with what."""
    told = dict.fromkeys(f"{visit.engine} {visit.version}".strip() for visit in visits)
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    machine = f"{platform.system()}, {os.cpu_count()} processors, Python {platform.python_version()}"
    crowded = median(loads) > CROWDED * (os.cpu_count() or 1)
    load = f"its load meanwhile {median(loads):.1f} ({min(loads):.1f} to {max(loads):.1f})"
    text = f"`{command}`, {day}, rounds: {rounds}. {', '.join(told)}; {versions()}. {machine}; {load}."
    return f"{text}\n\n{WARNING}" if crowded else text


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.reports.bench.start", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--network", action="append", choices=NETWORKS, help="once for each; without it: all")
    parser.add_argument(
        "--page", action="append", choices=PAGES, help=f"without it: {', '.join(USUAL_PAGES)}"
    )
    parser.add_argument(
        "--engine", action="append", choices=ENGINES, help="without it: all that are installed"
    )
    parser.add_argument(
        "--quick", action="store_true", help="compress less, in seconds: for trying things out"
    )
    parser.add_argument("--write", action="store_true", help="put the tables and the plot into docs/")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    args = options().parse_args(given)
    pages = [page for page in PAGES if page in (args.page or USUAL_PAGES)]
    if STOCK not in pages:
        print("Without stock PyScript there are no ratios.", file=sys.stderr)
    networks = [network for network in NETWORKS if network in (args.network or NETWORKS)]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        installed = engines(find_browsers(), playwright)
        names = [name for name in installed if name in (args.engine or ENGINES)]
        rounds = [list(plan(names, networks, pages, number)) for number in range(args.rounds)]
        folders = lay_out(Path(folder, "pages"), args.quick)
        with Hosts(folders, Path(folder), [NETWORKS[network] for network in networks]) as hosts:
            visits, repeated, loads = measure(installed, hosts, rounds)
    command = " ".join(["python -m tests.reports.bench.start", *given])
    told = Visits(visits)
    text = start_report.report(told, origin(command, visits, args.rounds, loads), repeated)
    print(text)
    if args.write:
        page = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(start_report.rewritten(page, text), encoding="utf-8")
        (DOCUMENT.parent / start_report.PICTURE).write_text(start_report.picture(told), encoding="utf-8")


if __name__ == "__main__":
    main()
