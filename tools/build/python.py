"""The files from which the built page starts Python: a small standard library, the program, and a snapshot of both.

All three are made by the vendored Pyodide in the virtual environment's Node. It has to be Node 20: a snapshot contains
its engine's table of functions, and one of a newer Node does not load in WebKit.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.build.errors import BuildError
from tools.build.page_files import demo_files, page_modules

INSIDE = Path(__file__).with_name("inside.py")
RUNNER = Path(__file__).with_name("python.mjs")
#: The folder of the program in Pyodide, as PyScript's `files` has it.
HOME = "/home/pyodide"
NODE_MAJOR = 20

#: Modules that the standard library imports late, and that the page may need.
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
    """The archives of the standard library, of the program and of the demo, and the snapshot."""

    library: Path
    program: Path
    snapshot: Path
    demo: Path
    version: str  #: Pyodide's


def make_python(root: Path, work: Path, node: Path) -> Python:
    """Make the files in the folder ``work``. Raises BuildError with the output of Python or Node."""
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
    # The snapshot has every module of the library loaded, so a start from it needs no library.
    everything = sorted({*modules, *also, *json.loads(needed["result"])})
    run.call(f"settle({everything!r})", library=str(library), snapshot=str(snapshot))
    demo = work / "demo.zip"
    demo.write_bytes(demo_archive(root))
    return Python(library, program, snapshot, demo, needed["version"])


def demo_archive(root: Path) -> bytes:
    """Return the archive of the demo, which the page unpacks beside its program (ui/kit/on_demand.py)."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for source, place in demo_files(root).items():
            archive.writestr(zipfile.ZipInfo(place), (root / source).read_bytes())
    return content.getvalue()


def program_files(root: Path) -> dict[str, str]:
    """Return path in Pyodide -> text: all modules of the page, and the page's texts."""
    modules = page_modules(root)
    words = {Path("i18n", path.name): path for path in (root / "static" / "i18n").glob("*.json")}
    return {
        f"{HOME}/{place.as_posix()}": path.read_text(encoding="utf-8")
        for place, path in sorted((modules | words).items())
    }


def modules_of(files: Iterable[str]) -> Iterator[str]:
    """Yield the module names of the program's files."""
    for path in files:
        if path.endswith(".py"):
            yield (
                path.removeprefix(f"{HOME}/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            )


def pyscript_files(folder: Path) -> dict[str, str]:
    """Return path in Pyodide -> text of PyScript's own Python, which is text in its JavaScript.

    Raises BuildError if there is none, as after a change of PyScript's format.
    """
    modules = [
        found
        for path in folder.glob("core-*.js")
        for found in re.findall(r'"(\w+\.py)":("(?:[^"\\]|\\.)*")', path.read_text(encoding="utf-8"))
    ]
    names = [name for name, _ in modules]
    if not names or len(set(names)) < len(names):  # none, or in several packages
        raise BuildError(f"{folder}: PyScript's own Python is not where the build looks for it")
    return {f"{HOME}/pyscript/{name}": json.loads(literal) for name, literal in modules}


def imports_of(sources: Iterable[str]) -> set[str]:
    """Return the modules of the standard library that these sources import."""
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
    """Runs a new Pyodide for each call, with the program's files."""

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
        """Evaluate an expression with the functions of tools/build/inside.py."""
        order = {
            "pyodide": str(self._pyodide),
            "library": library,
            "files": self._files,
            "program": f"{INSIDE.read_text(encoding='utf-8')}\n{expression}\n",
            "take": take or {},
            "snapshot": snapshot,
        }
        # Else the builder's time zone and locale would become part of the snapshot.
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
