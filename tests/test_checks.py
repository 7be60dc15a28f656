"""Lint, formatting, imports and types hold for the whole tree, as `make check` says."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    "command",
    ["mypy", "ruff check --output-format concise", "ruff format --check", "lint-imports --no-cache"],
)
def test_the_tree_passes(command: str):
    name, *arguments = command.split()
    tool = [str(Path(sys.executable).with_name(name)), *arguments]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"
