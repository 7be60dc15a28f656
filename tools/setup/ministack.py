"""ministack, an emulator of AWS, for tests of the deployed backend.

`find()` is for the tests. `python -m tools.setup.ministack` is for the Makefile: it installs ministack by its hashes
into a separate virtual environment, since it needs another botocore. If it cannot, it prints that its tests will be
skipped.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tools.package import ROOT
from tools.setup.step import run

REQUIREMENTS = ROOT / "requirements" / "ministack.txt"
FOLDER = Path(sys.prefix) / "ministack"


class NotInstalled(Exception):
    """ministack cannot run here; the text says why, and what to do."""


def find(folder: Path = FOLDER, requirements: Path = REQUIREMENTS) -> Path:
    """Return the Python that has the pinned ministack. Raises NotInstalled."""
    stamp = _stamp(folder)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _digest(requirements):
        raise NotInstalled("ministack is missing (make ministack installs it)")
    return _python(folder)


def install(folder: Path = FOLDER, requirements: Path = REQUIREMENTS) -> int:
    """Create the virtual environment, and return 0 or the exit code of the failed step."""
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
    """Install what is missing, or print that tests will be skipped; never a failure."""
    try:
        find(folder, requirements)
    except NotInstalled:
        if install(folder, requirements):
            print("ministack is missing; the tests of the backend as it is deployed will be skipped")
    return 0


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _stamp(folder: Path) -> Path:
    """Return the file that is written last, so that an interrupted installation does not count."""
    return folder / ".installed"


def _digest(requirements: Path) -> str:
    return hashlib.sha256(requirements.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
