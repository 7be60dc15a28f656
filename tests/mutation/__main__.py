"""Mutation testing of the pure core: are the tests good enough to notice every small mistake?

python -m tests.mutation                                        # all modules, all mutants (many minutes)
python -m tests.mutation --module backoff --module connection --sample 100 --seed 1

Own instead of mutmut: mutants stay in memory, so neither the editable install nor the tree is touched, each mutant
costs a fork instead of a start of Python, and only the module's own tests run. Exit code 1: a score under 90 %,
counting the survivors that survivors.toml does not explain.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.abc
import importlib.util
import io
import os
import random
import resource
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

import hypothesis
import pytest

from tests.mutation.mutants import Mutant, compiled, mutants

ROOT = Path(__file__).parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml")
TESTS = ROOT / "tests" / "kizuna"
MODULES = (
    "backoff",
    "heartbeat",
    "link",
    "close_codes",
    "farewell",
    "rollover",
    "sleep",
    "sequence",
    "outbox",
    "wire",
    "states",
    "frame_text",
    "connection",
)
#: Tests beside test_<module>*.py, the quickest first.
MORE_TESTS = {
    "connection": ("test_rollover.py", "test_states.py"),
    "states": (
        "test_connection.py",
        "test_connection_page.py",
        "test_connection_server.py",
        "test_rollover.py",
    ),
}
LEFT_OUT = {"test_connection_machine.py"}  # two thousand examples for each mutant are too many
AIM = 0.9
IMPORTED_EARLY = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
CPU_SECONDS = 20  # a mutant that takes longer runs for ever, and is noticed

Survivors = Mapping[tuple[str, str, str], str]


class MutantFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Responsible for giving the mutant to whoever imports its module."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name = name
        self._path = path
        self._code = code

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        """This loader, for the one module."""
        if fullname != self._name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the mutant's code."""
        exec(self._code, module.__dict__)  # noqa: S102 - compiled from our own source


def source_of(module: str) -> Path:
    """Where a module lies."""
    return ROOT / "app" / "kizuna" / f"{module}.py"


def files_for(module: str) -> list[str]:
    """The test files that answer for a module."""
    own = sorted(TESTS.glob(f"test_{module}*.py"))
    more = [TESTS / name for name in MORE_TESTS.get(module, ())]
    return [str(path) for path in [*own, *more] if path.name not in LEFT_OUT]


def accepted() -> Survivors:
    """The survivors that are explained, each with its reason."""
    listed = tomllib.loads(SURVIVORS.read_text(encoding="utf-8"))["survivor"]
    return {(item["module"], item["line"], item["mutation"]): item["reason"] for item in listed}


def forked(module: str, mutant: Mutant | None) -> int:
    """Begin the tests of ``module`` in a child, with the mutant in its place; returns the child's number."""
    if (child := os.fork()) > 0:
        return child
    code = 99
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        if mutant is not None:
            path = source_of(module)
            changed = compiled(path.read_text(encoding="utf-8"), mutant.number, str(path))
            sys.meta_path.insert(0, MutantFinder(f"kizuna.{module}", path, changed))
        code = _run_tests(files_for(module))
    finally:
        os._exit(code)


def _warm_up() -> None:
    """Load here, once, what every child needs: pytest with its plugins, but nothing of kizuna."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main([*IMPORTED_EARLY, "--version", "--version"])
    for name in ("hypothesis.stateful", "asyncio", "logging", "unittest.mock"):
        importlib.import_module(name)
    found_is_enough = [
        hypothesis.Phase.explicit,
        hypothesis.Phase.generate,
    ]  # nobody reads the shortest example
    hypothesis.settings.register_profile(
        "mutation", max_examples=25, phases=found_is_enough, derandomize=True, deadline=None, database=None
    )
    hypothesis.settings.load_profile("mutation")
    gc.freeze()


def _run_tests(files: Sequence[str]) -> int:
    quiet = [
        "-x",
        "-q",
        "--no-header",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-o",
        "timeout=20",
        *IMPORTED_EARLY,
    ]
    return int(pytest.main([*quiet, *files]))


def survivors(module: str, chosen: Sequence[Mutant], jobs: int) -> Iterator[Mutant]:
    """Those of ``chosen`` that no test notices. Raises SystemExit if the tests fail without any mutant."""
    _, status = os.waitpid(forked(module, None), 0)
    if status != 0:
        raise SystemExit(f"the tests of {module} fail as it is: {', '.join(files_for(module))}")
    waiting, running = list(reversed(chosen)), dict[int, Mutant]()
    while waiting or running:
        while waiting and len(running) < jobs:
            begun = waiting.pop()
            running[forked(module, begun)] = begun
        child, status = os.wait()
        mutant = running.pop(child)
        if status == 0:
            yield mutant


def judge(module: str, *, sample: int | None, seed: int, jobs: int, known: Survivors) -> tuple[int, int]:
    """Test one module and print what survived; returns how many mutants there were, and how many unexplained."""
    every = mutants(module, source_of(module).read_text(encoding="utf-8"))
    chosen = every
    if sample is not None and sample < len(every):
        picked = random.Random(seed).sample(every, sample)
        chosen = sorted(picked, key=lambda mutant: mutant.number)
    left = list(survivors(module, chosen, jobs))
    open_ones = [mutant for mutant in left if mutant.key not in known]
    of_all = "" if len(chosen) == len(every) else f" of {len(every)}, seed {seed}"
    print(
        f"{module}: {score(len(chosen), len(open_ones)):.1%}, {len(chosen)} mutants{of_all},"
        f" {len(left)} survived, {len(left) - len(open_ones)} of them explained",
        flush=True,
    )
    for mutant in sorted(open_ones, key=lambda mutant: mutant.number):
        print(f"  {mutant}", flush=True)
    return len(chosen), len(open_ones)


def score(total: int, unexplained: int) -> float:
    """The share of mutants that were noticed or explained."""
    return 1.0 if total == 0 else 1 - unexplained / total


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.split("\n")[0])
    parser.add_argument("--module", action="append", choices=MODULES, help="only this one; may be repeated")
    parser.add_argument("--sample", type=int, help="at most so many mutants of each module")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args(arguments)
    os.nice(19)
    _warm_up()
    known = accepted()
    counts = [
        judge(module, sample=args.sample, seed=args.seed, jobs=args.jobs, known=known)
        for module in args.module or MODULES
    ]
    total, unexplained = (sum(column) for column in zip(*counts, strict=True))
    reached = score(total, unexplained)
    print(f"all: {reached:.1%} of {total} mutants noticed or explained, the aim is {AIM:.0%}")
    return 0 if reached >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
