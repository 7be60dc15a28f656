"""The part of the build that runs inside Pyodide, the page's Python.

tools/build/python.mjs runs this file's text and calls one of its functions. It does not import the project.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import io
import json
import linecache
import marshal
import random
import sys
import traceback
import types
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

HOME = Path("/home/pyodide")
#: PyScript's own modules. It writes their sources at every start; bytecode beside them saves half the import.
PYSCRIPT = "pyscript/"
LIBRARY = Path(f"/lib/python{sys.version_info.major}{sys.version_info.minor}.zip")
#: The earliest time in a zip, so that every build writes the same bytes.
DATE = (1980, 1, 1, 0, 0, 0)
#: The standard library without assertions and docstrings; the program keeps both.
WITHOUT_DOCSTRINGS = 2
#: The flags of a .pyc that is not compared with its source: PEP 552, "unchecked".
UNCHECKED = 0b01


def make_archives(modules: Iterable[str], also: Iterable[str], library: str, program: str) -> str:
    """Write two archives, and return the names of the modules in ``library``.

    ``library``: bytecode of the standard library, as far as ``modules`` and ``also`` load it. ``program``: all files in
    HOME, with bytecode beside the sources (PyScript's: bytecode alone).
    """
    files = {str(path.relative_to(HOME)): path.read_bytes() for path in HOME.rglob("*") if path.is_file()}
    for name in (*modules, *also):
        importlib.import_module(name)
    _stumble()
    needed = _write_library(Path(library))
    with zipfile.ZipFile(program, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            if not name.startswith(PYSCRIPT):
                _add(archive, name, content)
            if name.endswith(".py"):
                compiled = Path(importlib.util.cache_from_source(name))
                _add(archive, str(compiled), _compiled(content, str(HOME / name), -1))
    return json.dumps(needed)


def settle(modules: Iterable[str]) -> int:
    """Bring this interpreter into the state of the snapshot, and return the number of loaded modules.

    All ``modules`` are imported, tracebacks can show the program's text, other files are kept in the module
    ``kept_files``, since a snapshot has no file system, and random numbers are seeded.
    """
    for name in modules:
        importlib.import_module(name)
    _stumble()
    kept = types.ModuleType("kept_files", "The files that the page needs beside what is loaded.")
    files: dict[str, bytes] = {}
    kept.write = lambda: _write_files(files)  # type: ignore[attr-defined]
    for path in sorted(HOME.rglob("*")):
        name = str(path.relative_to(HOME))
        if path.is_dir() or path.suffix == ".pyc":
            continue
        if name.startswith(PYSCRIPT):
            compiled = importlib.util.cache_from_source(str(path))
            files[compiled] = _compiled(path.read_bytes(), str(path), WITHOUT_DOCSTRINGS)
        elif path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            # Without a modification time, linecache does not look for the file, which will be missing.
            linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
        else:
            files[str(path)] = path.read_bytes()
    sys.modules[kept.__name__] = kept
    random.seed(0)  # reproducible; the page seeds it anew (main.start)
    gc.collect()
    return len(sys.modules)


def _write_files(files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(content)


def _stumble() -> None:
    """Print an exception, to load the modules that this needs."""
    try:
        try:
            json.loads("{")
        except ValueError as error:
            raise LookupError("an exception with a cause") from error
    except LookupError as error:
        traceback.print_exception(error, file=io.StringIO())


def _write_library(target: Path) -> list[str]:
    needed = []
    with zipfile.ZipFile(LIBRARY) as whole, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as trimmed:
        for path, module in sorted(_paths_of(sys.modules, set(whole.namelist())).items()):
            _add(trimmed, f"{path}c", _compiled(whole.read(path), f"{LIBRARY}/{path}", WITHOUT_DOCSTRINGS))
            needed.append(module)
    return needed


def _paths_of(modules: Mapping[str, object], available: set[str]) -> dict[str, str]:
    """Return path in the standard library -> loaded module."""
    candidates = {
        f"{name.replace('.', '/')}{end}": name for name in modules for end in (".py", "/__init__.py")
    }
    return {path: name for path, name in candidates.items() if path in available}


def _compiled(source: bytes, path: str, optimize: int) -> bytes:
    """Return a .pyc that is loaded without a check of its source."""
    code = compile(source, path, "exec", dont_inherit=True, optimize=optimize)
    flags = UNCHECKED.to_bytes(4, "little")
    return importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source) + marshal.dumps(code)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, DATE)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
