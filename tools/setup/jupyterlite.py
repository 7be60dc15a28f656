"""JupyterLite, in which a deep test runs the library, and the wheels that its kernel loads into Pyodide.

`find()` is for the test. `python -m tools.setup.jupyterlite` is for the Makefile: it installs JupyterLite by its hashes
into a virtual environment of its own, since it brings half of Jupyter.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.package import ROOT
from tools.setup import compat
from tools.setup.compat import NotFetched
from tools.setup.step import run

#: What makes the site, and what its kernel loads.
LISTS = (ROOT / "requirements" / "jupyterlite.txt", ROOT / "requirements" / "notebook.txt")
FOLDER = compat.FOLDER / "jupyterlite"


@dataclass(frozen=True, slots=True)
class JupyterLite:
    """What is installed.

    ``python``: the interpreter that has JupyterLite. ``wheels``: the folder of the wheels for its kernel.
    """

    python: Path
    wheels: Path


def find(folder: Path = FOLDER, lists: tuple[Path, Path] = LISTS) -> JupyterLite:
    """Return the pinned JupyterLite. Raises NotFetched."""
    stamp = _stamp(folder)
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != _digest(lists):
        raise NotFetched("JupyterLite is missing (make compat fetches it)")
    return _installed(folder)


def install(folder: Path = FOLDER, lists: tuple[Path, Path] = LISTS) -> int:
    """Install what is missing, and return 0 or the exit code of the failed step."""
    try:
        find(folder, lists)
    except NotFetched:
        return _install(folder, *lists) or _mark(folder, lists)
    return 0


def _install(folder: Path, site: Path, notebook: Path) -> int:
    """Make the virtual environment, install into it, and download the wheels, which no Python here could run."""
    environment = [sys.executable, "-m", "venv", "--clear", str(folder)]
    if code := run("Making a virtual environment for JupyterLite", environment):
        return code
    here = _installed(folder)
    pip = [str(here.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--retries", "2"]
    install = ["install", "--no-compile", "--require-hashes", "--requirement", str(site)]
    if code := run("Installing JupyterLite", [*pip, *install]):
        return code
    download = ["download", "--no-deps", "--require-hashes", "--requirement", str(notebook)]
    pure = ["--only-binary", ":all:", "--python-version", "3.14", "--implementation", "py", "--abi", "none"]
    target = ["--platform", "any", "--dest", str(here.wheels)]
    return run("Fetching the wheels of its kernel", [*pip, *download, *pure, *target])


def _mark(folder: Path, lists: tuple[Path, Path]) -> int:
    """Write the stamp, last, so that an interrupted installation does not count."""
    _stamp(folder).write_text(_digest(lists), encoding="utf-8")
    return 0


def _installed(folder: Path) -> JupyterLite:
    return JupyterLite(folder / "bin" / "python", folder / "wheels")


def _stamp(folder: Path) -> Path:
    return folder / ".installed"


def _digest(lists: tuple[Path, Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in lists)).hexdigest()


if __name__ == "__main__":
    sys.exit(install())
