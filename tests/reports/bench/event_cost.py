"""The cost of one event in Connection.handle, and of one frame in the library, in Pyodide and on CPython.

python -m tests.reports.bench.event_cost            # prints the table
python -m tests.reports.bench.event_cost --write    # also puts it into docs/benchmarks.md

Aim: a median under 50 µs for each.
Pyodide is the one in static/vendor, run by the virtual environment's Node: the engine of Chromium, without its page.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.reports.bench import workloads
from tests.support.server import ROOT
from tools.reports.documents import publish, table

AIM = 50.0
HEADINGS = ("event", "Pyodide, min", "Pyodide, median", "CPython, min", "CPython, median")

#: Name -> the fewest microseconds that one event took, and the median.
Costs = Mapping[str, Sequence[float]]


def in_pyodide() -> tuple[Costs, str]:
    """Return the costs in the vendored Pyodide with the page's files, and its versions."""
    runner = Path(__file__).with_name("pyodide_runner.mjs")
    command = [Path(sys.executable).parent / "node", runner, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Pyodide did not run:\n{done.stderr[-2000:]}")
    answer = json.loads(done.stdout)
    runtime = f"Pyodide {answer['pyodide']} (Python {answer['python']}, Node {answer['node']})"
    return json.loads(answer["result"]), runtime


def report(pyodide: Costs, cpython: Costs, origin: str) -> str:
    """Return the table, the aim, and the versions."""
    rows = [[name, *(f"{cost:.1f} µs" for cost in (*pyodide[name], *cpython[name]))] for name in pyodide]
    dearest = max(pyodide, key=lambda name: pyodide[name][1])
    cost = pyodide[dearest][1]
    verdict = "met" if cost < AIM else "missed"
    aim = f"The aim, a median under {AIM:.0f} µs in Pyodide, is {verdict}: the dearest is “{dearest}”, {cost:.1f} µs."
    return "\n\n".join([table(HEADINGS, rows, 1), aim, origin])


def main() -> None:
    """The command line."""
    program = "python -m tests.reports.bench.event_cost"
    parser = argparse.ArgumentParser(prog=program, description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    args = parser.parse_args()
    pyodide, runtime = in_pyodide()
    cpython = json.loads(asyncio.run(workloads.summary()))
    origin = f"`{program}`, {datetime.now(UTC):%Y-%m-%d}, {runtime}; CPython {platform.python_version()}."
    publish("event-cost", report(pyodide, cpython, origin), write=args.write)


if __name__ == "__main__":
    main()
