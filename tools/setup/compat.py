"""The versions of Pyodide and PyScript that the library is tried with, from npm.

`find()` is for the tests. `python -m tools.setup.compat` is for the Makefile: it fetches what is missing, and checks
each package against the hash in tests/e2e/compat/versions.toml. With `--quick` it fetches only what `make test` needs;
if it cannot, it prints that those tests will be skipped.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tools.package import ROOT
from tools.setup.step import run

VERSIONS = ROOT / "tests" / "e2e" / "compat" / "versions.toml"
FOLDER = ROOT / "dist" / "compat"

#: Of the packages, only what a browser loads.
_WANTED = (".js", ".mjs", ".css", ".wasm", ".zip", "pyodide-lock.json")


class NotFetched(Exception):
    """A version is not on this machine; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the table.

    ``release``: of Pyodide, or of PyScript, which has a ``core`` in npm. ``context``: page or worker. ``isolated``: the
    page must be served so that it may share memory with its worker.
    """

    release: str
    context: str
    pyodide: str
    core: str | None = None
    isolated: bool = False

    @property
    def name(self) -> str:
        """The name, as the list ``quick`` has it."""
        return f"{'pyscript' if self.core else 'pyodide'} {self.release} {self.context}"

    @property
    def packages(self) -> list[str]:
        """The packages of npm that it needs."""
        return [f"pyodide@{self.pyodide}", *([f"@pyscript/core@{self.core}"] if self.core else [])]


@dataclass(frozen=True, slots=True)
class Versions:
    """The list of versions.

    ``quick``: names of the cells that `make test` tries. ``micropython``: the packages of its page.
    ``jupyterlite``: the Pyodide that it starts. ``integrity``: the hash of each package, as npm writes it.
    """

    cells: tuple[Cell, ...]
    quick: frozenset[str]
    micropython: tuple[str, str]
    jupyterlite: str
    integrity: dict[str, str]

    def packages(self, *, quick: bool) -> list[str]:
        """Return all packages, or those that the quick tests need."""
        cells = [cell for cell in self.cells if not quick or cell.name in self.quick]
        needed = {*self.micropython, *(package for cell in cells for package in cell.packages)}
        return sorted(needed if quick else needed | {f"pyodide@{self.jupyterlite}"})


@cache
def read(path: Path = VERSIONS) -> Versions:
    """Return the list of versions."""
    with path.open("rb") as file:
        listed: dict[str, Any] = tomllib.load(file)
    releases = [(release, {"pyodide": release}) for release in listed["pyodide"]]
    releases += listed["pyscript"].items()
    cells = [_cell(release, context, **pins) for release, pins in releases for context in ("page", "worker")]
    micropython = listed["micropython"]
    return Versions(
        tuple(cells),
        frozenset(listed["quick"]),
        (
            f"@pyscript/core@{micropython['core']}",
            f"@micropython/micropython-webassembly-pyscript@{micropython['micropython']}",
        ),
        listed["jupyterlite"],
        listed["integrity"],
    )


def find(package: str, folder: Path = FOLDER) -> Path:
    """Return the folder of a package's files. Raises NotFetched."""
    found = folder / package.replace("/", "+")
    if not found.is_dir():
        raise NotFetched(f"{package} is missing (make compat fetches it)")
    return found


def fetch(packages: Iterable[str], integrity: dict[str, str], folder: Path = FOLDER) -> int:
    """Fetch what is missing, and return 0 or the exit code of the failed step."""
    missing = sorted(package for package in packages if not _is_here(package, folder))
    if not missing:
        return 0
    with tempfile.TemporaryDirectory() as name:
        packed = Path(name)
        npm = [str(Path(sys.prefix) / "bin" / "npm"), "--userconfig=/dev/null", f"--cache={packed / 'cache'}"]
        retries = ["--loglevel=error", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        command = [*npm, *retries, "pack", f"--pack-destination={packed}", *missing]
        if code := run(f"Fetching {len(missing)} versions of PyScript and Pyodide", command):
            return code
        for package in missing:
            archive = packed / f"{package.lstrip('@').replace('/', '-').replace('@', '-')}.tgz"
            if not _matches(archive, integrity[package]):
                print(f"make: {package} is not the package that {VERSIONS.name} names", file=sys.stderr)
                return 1
            _unpack(archive, folder / package.replace("/", "+"))
    return 0


def main(arguments: list[str], folder: Path = FOLDER, versions: Path = VERSIONS) -> int:
    """Fetch what is missing. With ``--quick`` it is no failure if it cannot."""
    listed = read(versions)
    quick = arguments == ["--quick"]
    code = fetch(listed.packages(quick=quick), listed.integrity, folder)
    if code and quick:
        print(
            "versions of PyScript and Pyodide are missing; the tests of the library with them will be skipped"
        )
        return 0
    return code


def _cell(
    release: str,
    context: str,
    pyodide: str,
    core: str | None = None,
    worker: str | None = None,
    *,
    isolated: bool = False,
) -> Cell:
    if context == "worker":
        pyodide = worker or pyodide
    return Cell(release, context, pyodide, core, isolated)


def _is_here(package: str, folder: Path) -> bool:
    try:
        find(package, folder)
    except NotFetched:
        return False
    return True


def _matches(archive: Path, integrity: str) -> bool:
    method, _, expected = integrity.partition("-")
    digest = hashlib.new(method, archive.read_bytes()).digest()
    return base64.b64encode(digest).decode() == expected


def _unpack(archive: Path, target: Path) -> None:
    """Lay the files of a package into a folder, which appears only when it is whole."""
    with tempfile.TemporaryDirectory(dir=_made(target.parent)) as name:
        beginning = Path(name) / "files"
        beginning.mkdir()
        with tarfile.open(archive) as packed:
            for member, path in _wanted(packed):
                content = packed.extractfile(member)
                assert content is not None
                (beginning / path).write_bytes(content.read())
        beginning.rename(target)


def _wanted(packed: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """Yield the files that a browser loads: all lie in package/ (Pyodide, MicroPython) or package/dist/ (PyScript)."""
    files = [member for member in packed.getmembers() if member.isfile() and member.name.endswith(_WANTED)]
    has_dist = any(member.name.startswith("package/dist/") for member in files)
    top = "package/dist/" if has_dist else "package/"
    for member in files:
        path = member.name.removeprefix(top)
        if path != member.name and "/" not in path:
            yield member, path


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
