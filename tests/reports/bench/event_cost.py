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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.reports.bench import workloads

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- event-cost -->", "<!-- end of event-cost -->"
AIM = 50.0
HEADINGS = ("event", "Pyodide, min", "Pyodide, median", "CPython, min", "CPython, median")

#: Name -> the fewest microseconds that one event took, and the median.
Costs = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Measured:
    """What one Python took, and which Python that was."""

    runtime: str
    costs: Costs


def on_cpython(repeats: int, seconds: float) -> Measured:
    """Measure in this process."""
    costs = json.loads(workloads.summary(repeats, seconds))
    return Measured(f"CPython {platform.python_version()}", costs)


def in_pyodide(repeats: int, seconds: float) -> Measured:
    """Measure in the vendored Pyodide, with the library's files as the page has them."""
    sources = sorted((ROOT / "app" / "kizuna").glob("*.py"))
    files = {f"/lib/measured/kizuna/{path.name}": path.read_text(encoding="utf-8") for path in sources}
    files["/lib/measured/workloads.py"] = Path(str(workloads.__file__)).read_text(encoding="utf-8")
    program = (
        "import sys\n"
        f"sys.path[:0] = ['/lib/measured']\n"
        f"import workloads\nworkloads.summary({repeats}, {seconds})"
    )
    order = {
        "pyodide": str(ROOT / "static" / "vendor" / "pyodide"),
        "files": files,
        "program": program,
    }
    node = Path(sys.executable).parent / "node"
    runner = Path(__file__).with_name("pyodide_runner.mjs")
    done = subprocess.run(
        [node, runner], input=json.dumps(order), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"Pyodide did not run:\n{done.stderr[-2000:]}")
    answer = json.loads(done.stdout)
    runtime = f"Pyodide {answer['pyodide']} (Python {answer['python']}, Node {answer['node']})"
    return Measured(runtime, json.loads(answer["result"]))


def table(pyodide: Costs, cpython: Costs) -> str:
    """Microseconds per event, as Markdown."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|---|---:|---:|---:|---:|"]
    for name in pyodide:
        numbers = (f"{cost:.1f} µs" for cost in (*pyodide[name], *cpython[name]))
        lines.append(f"| {name} | {' | '.join(numbers)} |")
    return "\n".join(lines)


def report(pyodide: Measured, cpython: Measured, day: str, command: str) -> str:
    """The table, what was aimed at, and what it was measured with."""
    worst = max(pyodide.costs, key=lambda name: pyodide.costs[name][1])
    cost = pyodide.costs[worst][1]
    verdict = "met" if cost < AIM else "missed"
    aim = f"The aim, a median under {AIM:.0f} µs in Pyodide, is {verdict}: the dearest is “{worst}”, {cost:.1f} µs."
    origin = f"`{command}`, {day}, {pyodide.runtime}; {cpython.runtime}."
    return "\n\n".join([table(pyodide.costs, cpython.costs), aim, origin])


def rewritten(page: str, text: str) -> str:
    """``page`` with ``text`` between the marks. Raises ValueError for a page without them."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"docs/benchmarks.md has no part for this: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.reports.bench.event_cost", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.1, help="how long one repeat lasts, about")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    args = parser.parse_args(arguments)
    command = f"python -m tests.reports.bench.event_cost --repeats {args.repeats} --seconds {args.seconds:g}"
    pyodide = in_pyodide(args.repeats, args.seconds)
    cpython = on_cpython(args.repeats, args.seconds)
    text = report(pyodide, cpython, f"{datetime.now(UTC):%Y-%m-%d}", command)
    print(text)
    if args.write:
        PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
