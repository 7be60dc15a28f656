"""What the built page starts Python from: a small standard library, the program, and a snapshot of both at work.

All three come out of the vendored Pyodide, run by the virtual environment's Node. That has to be Node 20: a snapshot
holds the table of functions that its engine offered, and one of a newer Node does not load in WebKit.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.build.errors import BuildError

INSIDE = Path(__file__).with_name("inside.py")
RUNNER = Path(__file__).with_name("python.mjs")
#: Where PyScript's own `files` puts the program, and where Python looks first.
HOME = "/home/pyodide"
NODE_MAJOR = 20

#: What the standard library imports only when it is needed, and the page may come to need.
LATE = (
    "_colorize",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_8_sig",
    "shutil",
    "zipfile",
)


@dataclass(frozen=True, slots=True)
class Python:
    """Three files: the standard library and the program as archives, and the snapshot."""

    library: Path
    program: Path
    snapshot: Path
    version: str  #: Pyodide's


def make_python(root: Path, work: Path, node: Path) -> Python:
    """Make all three in the folder ``work``. Raises BuildError with what Python or Node said."""
    _check(node)
    vendor = root / "static" / "vendor"
    files = program_files(root)
    modules = sorted(modules_of(files))
    pyscript = pyscript_files(vendor / "pyscript")
    also = sorted({*LATE, *imports_of(pyscript.values())})
    library, program, snapshot = (work / name for name in ("library.zip", "program.zip", "start.snapshot"))
    run = _Runner(node, vendor / "pyodide", files | pyscript)
    needed = run.call(
        f"make_archives({modules!r}, {also!r}, '/library.zip', '/program.zip')",
        take={"/library.zip": str(library), "/program.zip": str(program)},
    )
    # Every module of the library is loaded in the snapshot: who starts from that needs no library.
    everything = sorted({*modules, *also, *json.loads(needed["result"])})
    run.call(f"settle({everything!r})", library=str(library), snapshot=str(snapshot))
    return Python(library, program, snapshot, needed["version"])


def program_files(root: Path) -> dict[str, str]:
    """Path in Pyodide -> text: all modules of app/, and the words of the page."""
    modules = {path.relative_to(root / "app"): path for path in (root / "app").rglob("*.py")}
    words = {Path("i18n", path.name): path for path in (root / "static" / "i18n").glob("*.json")}
    return {
        f"{HOME}/{place.as_posix()}": path.read_text(encoding="utf-8")
        for place, path in sorted((modules | words).items())
    }


def modules_of(files: Iterable[str]) -> Iterator[str]:
    """The names under which the program's files are imported."""
    for path in files:
        if path.endswith(".py"):
            yield (
                path.removeprefix(f"{HOME}/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            )


def pyscript_files(folder: Path) -> dict[str, str]:
    """Path in Pyodide -> text: PyScript's own Python, which stands as text in its JavaScript.

    Raises BuildError if there is none: then it is kept in another way, and this function has to learn it.
    """
    modules = [
        found
        for path in folder.glob("core-*.js")
        for found in re.findall(r'"(\w+\.py)":("(?:[^"\\]|\\.)*")', path.read_text(encoding="utf-8"))
    ]
    names = [name for name, _ in modules]
    if not names or len(set(names)) < len(names):  # or in several packages
        raise BuildError(f"{folder}: PyScript's own Python is not where the build looks for it")
    return {f"{HOME}/pyscript/{name}": json.loads(literal) for name, literal in modules}


def imports_of(sources: Iterable[str]) -> set[str]:
    """Modules of the standard library that these import."""
    found = {name for source in sources for name in _imports(source)}
    return {name for name in found if name.partition(".")[0] in sys.stdlib_module_names}


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _check(node: Path) -> None:
    if not node.exists():
        raise BuildError(f"{node} is missing: run make setup")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if not version.startswith(f"v{NODE_MAJOR}."):
        raise BuildError(
            f"Node is {version}, but only a snapshot of Node {NODE_MAJOR} loads in every browser: run make setup"
        )


class _Runner:
    """Responsible for one Pyodide per call, with the program's files in it."""

    def __init__(self, node: Path, pyodide: Path, files: Mapping[str, str]) -> None:
        self._node = node
        self._pyodide = pyodide
        self._files = files

    def call(
        self,
        expression: str,
        *,
        library: str | None = None,
        take: Mapping[str, str] | None = None,
        snapshot: str | None = None,
    ) -> dict[str, Any]:
        """Evaluate an expression over tools/build/inside.py."""
        order = {
            "pyodide": str(self._pyodide),
            "library": library,
            "files": self._files,
            "program": f"{INSIDE.read_text(encoding='utf-8')}\n{expression}\n",
            "take": take or {},
            "snapshot": snapshot,
        }
        # The time zone and the words of whoever builds would be frozen into the snapshot.
        neutral = {**os.environ, "TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [self._node, RUNNER],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            check=False,
            env=neutral,
        )
        if done.returncode:
            raise BuildError(f"Python did not run in Node:\n{done.stderr[-3000:]}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
