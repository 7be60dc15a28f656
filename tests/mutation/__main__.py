"""Mutation testing of the pure core: small mistakes in the code that some test must notice.

python -m tests.mutation                                # all modules, all mutants (many minutes)
python -m tests.mutation --changed                      # what changed since the last tag, or in twenty commits
python -m tests.mutation --changed main --sample 50     # since a revision of git, at most 50 mutants of each module
python -m tests.mutation --module timing --module core --sample 100

No library does it: mutmut 3.8.1 changes nothing outside functions and cosmic-ray 8.7.0 removes no row of a table, so of
the 126 mutants of states.py they make 6 and 3.

Here a mutant costs a fork, and stays in memory. Exit code 1: a score under 90 %, where survivors that survivors.toml
does not explain count.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import random
import resource
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.machinery import SourceFileLoader
from itertools import compress, repeat
from multiprocessing import get_context
from pathlib import Path
from types import CodeType
from unittest import mock

import hypothesis
import hypothesis.stateful  # loaded here, and not in each child
import pytest

from tests.mutation.mutants import Mutant, compiled, mutants

ROOT = Path(__file__).parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml")
TESTS = ROOT / "tests" / "kizuna"
MODULES = [
    "actions",
    "codec",
    "core",
    "links",
    "outbox",
    "sequence",
    "states",
    "timing",
    "wire",
]
#: Module -> tests beside test_<module>*.py.
_CONNECTION = [
    *(f"test_connection{part}.py" for part in ("", "_delay", "_life", "_page", "_server")),
    "test_rollover.py",
]
MORE_TESTS = {
    "actions": [*_CONNECTION, "test_states.py"],
    "codec": ["test_json_frames.py"],
    "core": [*_CONNECTION, "test_states.py"],
    "links": ["test_close_codes.py", "test_heartbeat.py", "test_link.py", "test_server_close.py"],
    "states": [*(f"test_connection{part}.py" for part in ("", "_page", "_server")), "test_rollover.py"],
    "timing": [
        *_CONNECTION,
        *(f"test_{part}.py" for part in ("attempt_limits", "backoff", "context", "sleep")),
    ],
    "wire": ["test_options.py"],
}
EXCLUDED_TESTS = "test_connection_machine"  # too many examples for each mutant
AIM = 0.9
IMPORTED_EARLY = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
PYTEST = ("-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=60", *IMPORTED_EARLY)
CPU_SECONDS = 20  # a mutant that takes longer is in an endless loop, and is noticed


def source_of(module: str) -> Path:
    """Return the path of a module."""
    library = ROOT / "app" / "kizuna"
    (path,) = (*library.rglob(f"{module}.py"), *library.rglob(f"{module}/__init__.py"))
    return path


def files_for(module: str) -> list[Path]:
    """Return the test files of a module."""
    own = [
        path for path in sorted(TESTS.rglob(f"test_{module}*.py")) if not path.name.startswith(EXCLUDED_TESTS)
    ]
    return [*own, *(path for name in MORE_TESTS.get(module, ()) for path in TESTS.rglob(name))]


def accepted() -> dict[tuple[str, str, str], str]:
    """Return the explained survivors, each with its reason."""
    listed = tomllib.loads(SURVIVORS.read_text(encoding="utf-8"))["survivor"]
    return {(item["module"], item["line"], item["mutation"]): item["reason"] for item in listed}


def git(*arguments: str) -> str | None:
    """Return git's output; None if it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def changed_since(base: str) -> list[str]:
    """Return the modules that differ from a revision ("": the last tag, or twenty commits ago), or whose tests do."""
    base = base or git("describe", "--tags", "--abbrev=0") or "HEAD~20"
    names = git("diff", "--name-only", "--relative", base, "--", "app/kizuna", "tests/kizuna")
    if names is None:
        raise SystemExit(f"git cannot tell what has changed since {base}: name another revision")
    changed = {ROOT / name for name in names.splitlines()}
    return [module for module in MODULES if not changed.isdisjoint([source_of(module), *files_for(module)])]


def passes(module: str, mutant: Mutant | None = None) -> bool:
    """Return whether the tests of ``module`` pass in a child process, with the mutant in the module's place."""
    if child := os.fork():
        return os.waitpid(child, 0)[1] == 0
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        if mutant is not None:
            put_in_place(mutant)
        os._exit(pytest.main([*PYTEST, *map(str, files_for(module))]))
    finally:
        os._exit(99)


def put_in_place(mutant: Mutant) -> None:
    """Let every later import of the module get the mutant."""
    path = source_of(mutant.module)
    code = compiled(path.read_text(encoding="utf-8"), mutant.number, str(path))
    full_name = ".".join(path.relative_to(ROOT / "app").with_suffix("").parts)
    ordinary = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, name: str) -> CodeType | None:
        return code if name == full_name else ordinary(loader, name)

    mock.patch.object(SourceFileLoader, "get_code", get_code).start()


def warm_up() -> None:
    """Load what every child needs: pytest with its plugins, but nothing of kizuna."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main([*IMPORTED_EARLY, "--version", "--version"])
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]  # without shrinking
    hypothesis.settings.register_profile(
        "mutation", max_examples=25, phases=phases, derandomize=True, deadline=None, database=None
    )
    hypothesis.settings.load_profile("mutation")
    gc.freeze()


def survivors(module: str, chosen: Sequence[Mutant]) -> list[Mutant]:
    """Return the mutants that no test notices. Raises SystemExit if the tests fail without a mutant."""
    if not passes(module):
        named = ", ".join(path.name for path in files_for(module))
        raise SystemExit(f"the tests of {module} fail without a mutant: {named}")
    with ProcessPoolExecutor(mp_context=get_context("fork")) as processes:
        return list(compress(chosen, processes.map(passes, repeat(module), chosen)))


def report_on(module: str, sample: int | None) -> tuple[int, int]:
    """Test one module, print the survivors, and return the numbers of mutants and of unexplained survivors."""
    every = mutants(module, source_of(module).read_text(encoding="utf-8"))
    chosen = every
    if sample is not None and sample < len(every):
        chosen = random.Random(1).sample(every, sample)
    left = survivors(module, chosen)
    unexplained = [mutant for mutant in left if mutant.key not in accepted()]
    of_all = "" if len(chosen) == len(every) else f" of {len(every)}"
    print(
        f"{module}: {score(len(chosen), len(unexplained)):.1%}, {len(chosen)} mutants{of_all},"
        f" {len(left)} survived, {len(left) - len(unexplained)} of them explained"
    )
    for mutant in unexplained:
        print(f"  {mutant}", flush=True)
    return len(chosen), len(unexplained)


def score(total: int, unexplained: int) -> float:
    """Return the share of mutants that were noticed or explained."""
    return 1.0 if total == 0 else 1 - unexplained / total


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.split("\n")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--module", action="append", choices=MODULES, help="only this one; may be repeated")
    which.add_argument(
        "--changed", nargs="?", const="", metavar="BASE", help="only what differs from a revision"
    )
    parser.add_argument("--sample", type=int, help="at most this many mutants of each module")
    args = parser.parse_args(arguments)
    chosen = args.module or MODULES
    if args.changed is not None:
        chosen = changed_since(args.changed)
    os.nice(19)
    warm_up()
    counts = [report_on(module, args.sample) for module in chosen]
    total, unexplained = (sum(count[place] for count in counts) for place in (0, 1))
    reached = score(total, unexplained)
    print(f"all: {reached:.1%} of {total} mutants noticed or explained, the aim is {AIM:.0%}")
    return 0 if reached >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
