"""A browser that dies is the browser's fault once or twice, and the page's if it happens again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import ROOT

CONFTEST = """
import pytest
from tests.e2e import crashes

FAILED = pytest.StashKey()

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    crashes.run(item, nextitem, FAILED)
    return True

def pytest_terminal_summary(terminalreporter):
    crashes.sum_up(terminalreporter)
"""

CRASHING = """
import pytest

runs, torn_down = [], []

@pytest.fixture
def page():
    yield len(runs)
    torn_down.append(len(runs))

def test_it(page):
    assert torn_down == list(range(1, page + 1))
    runs.append(page)
    if len(runs) <= TIMES:
        raise RuntimeError("Locator.click: WORDS")
"""


@pytest.mark.parametrize(
    ("times", "words", "outcome", "named", "processes"),
    [
        (0, "Target crashed", "1 passed", False, 0),
        (1, "Target crashed", "1 passed", True, 0),
        (1, "Target crashed", "1 passed", True, 1),
        (1, "Page crashed", "1 passed", True, 0),
        (2, "Target crashed", "1 passed", True, 0),
        (3, "Target crashed", "1 failed", True, 0),
        (1, "Timeout 30000ms exceeded", "1 failed", False, 0),
    ],
)
def test_a_test_is_run_again_if_its_browser_crashed_and_for_no_other_reason(
    tmp_path: Path, times: int, words: str, outcome: str, named: bool, processes: int
) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(CRASHING.replace("TIMES", str(times)).replace("WORDS", words))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    options = ["-q", "-p", "no:cacheprovider", f"-n{processes}"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1].startswith(outcome), done.stdout
    assert ("the test was run again: test_it.py::test_it" in done.stdout) is named
