"""Lint, formatting and types hold for the whole tree: `make check`, beside the other tests instead of before them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "tool",
    [["mypy"], ["ruff", "check", "--output-format", "concise"], ["ruff", "format", "--check"]],
    ids=" ".join,
)
def test_the_tree_passes(tool: list[str]):
    done = subprocess.run(
        [sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"
