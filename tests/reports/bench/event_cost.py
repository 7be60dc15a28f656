"""What one event through Connection.handle costs: in Pyodide, as in the page, and on CPython. Aim: under 50 µs.

python -m tests.reports.bench.event_cost            # prints the table
python -m tests.reports.bench.event_cost --write    # also puts it into docs/benchmarks.md

Pyodide is the one in static/vendor, run by the virtual environment's Node: the engine of Chromium, without its page.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.reports.bench import workloads
from tests.reports.bench.documents import publish, table
from tests.support.server import ROOT

AIM = 50.0
HEADINGS = ("event", "Pyodide, min", "Pyodide, median", "CPython, min", "CPython, median")

#: Name -> the fewest microseconds that one event took, and the median.
Costs = Mapping[str, Sequence[float]]


def in_pyodide(repeats: int, rounds: int) -> tuple[Costs, str]:
    """Measured in the vendored Pyodide, with the library's files as the page has them; and its versions."""
    sources = sorted((ROOT / "app" / "kizuna").glob("*.py"))
    files = {f"/lib/measured/kizuna/{path.name}": path.read_text(encoding="utf-8") for path in sources}
    files["/lib/measured/workloads.py"] = Path(str(workloads.__file__)).read_text(encoding="utf-8")
    order = {
        "pyodide": str(ROOT / "static" / "vendor" / "pyodide"),
        "files": files,
        "program": "import sys\nsys.path[:0] = ['/lib/measured']\n"
        f"import workloads\nworkloads.summary({repeats}, {rounds})",
    }
    node = Path(sys.executable).parent / "node"
    command = [node, Path(__file__).with_name("pyodide_runner.mjs")]
    done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Pyodide did not run:\n{done.stderr[-2000:]}")
    answer = json.loads(done.stdout)
    runtime = f"Pyodide {answer['pyodide']} (Python {answer['python']}, Node {answer['node']})"
    return json.loads(answer["result"]), runtime


def report(pyodide: Costs, cpython: Costs, origin: str) -> str:
    """The table, what was aimed at, and what it was measured with."""
    rows = [[name, *(f"{cost:.1f} µs" for cost in (*pyodide[name], *cpython[name]))] for name in pyodide]
    dearest = max(pyodide, key=lambda name: pyodide[name][1])
    cost = pyodide[dearest][1]
    verdict = "met" if cost < AIM else "missed"
    aim = f"The aim, a median under {AIM:.0f} µs in Pyodide, is {verdict}: the dearest is “{dearest}”, {cost:.1f} µs."
    return "\n\n".join([table(HEADINGS, rows, 1), aim, origin])


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    program = "python -m tests.reports.bench.event_cost"
    parser = argparse.ArgumentParser(prog=program, description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument(
        "--rounds", type=int, default=1000, help="in one repeat, of one or several events each"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    args = parser.parse_args(arguments)
    pyodide, runtime = in_pyodide(args.repeats, args.rounds)
    cpython = json.loads(workloads.summary(args.repeats, args.rounds))
    command = f"{program} --repeats {args.repeats} --rounds {args.rounds}"
    origin = f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {runtime}; CPython {platform.python_version()}."
    publish("event-cost", report(pyodide, cpython, origin), write=args.write)


if __name__ == "__main__":
    main()
