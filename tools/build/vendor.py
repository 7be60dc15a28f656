"""Copy the runtime that the page loads from node_modules/ into static/vendor/, for any static host to serve.

The page must not depend on a content delivery network: what npm fetched and checked is what a browser gets.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What a browser loads of Pyodide; the package also holds consoles, types and a build for old bundlers.
PYODIDE_FILES = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)


def vendor(modules: Path, target: Path) -> None:
    """Lay `target` out anew from the npm packages in `modules`: nothing of an earlier version stays."""
    shutil.rmtree(target, ignore_errors=True)
    core = modules / "@pyscript" / "core"
    shutil.copytree(core / "dist", target / "pyscript", ignore=shutil.ignore_patterns("*.map"))
    shutil.copy2(core / "LICENSE", target / "pyscript")
    (target / "pyodide").mkdir()
    for name in PYODIDE_FILES:
        shutil.copy2(modules / "pyodide" / name, target / "pyodide")


if __name__ == "__main__":
    vendor(ROOT / "node_modules", ROOT / "static" / "vendor")
