"""Bring ministack, a stand-in for AWS, for tests of the whole backend as it is deployed.

`find()` is for the tests. `python -m tools.setup.ministack` is for the Makefile: it installs ministack by its hashes
into a virtual environment of its own, since it wants another botocore than ours. Where it cannot be had, it says in
one line that its tests will be skipped.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tools.package import ROOT
from tools.setup.step import run

REQUIREMENTS = ROOT / "requirements" / "ministack.txt"
FOLDER = Path(sys.prefix) / "ministack"


class Missing(Exception):
    """ministack cannot be run here; the text says in one line why, and what to do."""


def find(folder: Path = FOLDER, requirements: Path = REQUIREMENTS) -> Path:
    """The Python that has ministack, as it is pinned now. Raises Missing."""
    stamp = _stamp(folder)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _digest(requirements):
        raise Missing("ministack is missing (make ministack installs it)")
    return _python(folder)


def install(folder: Path = FOLDER, requirements: Path = REQUIREMENTS) -> int:
    """Make the virtual environment anew; the exit code of what failed, or 0."""
    environment = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if code := run("Making a virtual environment for ministack", environment):
        return code
    pip = [str(_python(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    packages = ["install", "--require-hashes", "--requirement", str(requirements)]
    if code := run("Installing ministack", [*pip, *packages]):
        return code
    _stamp(folder).write_text(_digest(requirements), encoding="utf-8")
    return 0


def main(folder: Path = FOLDER, requirements: Path = REQUIREMENTS) -> int:
    """Install what is missing, or say that tests are going to be skipped; never a failure."""
    try:
        find(folder, requirements)
    except Missing:
        if install(folder, requirements):
            print("ministack is missing; the tests of the backend as it is deployed will be skipped")
    return 0


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _stamp(folder: Path) -> Path:
    """Written last: an installation that was interrupted is none."""
    return folder / ".installed"


def _digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
