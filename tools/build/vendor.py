"""The page's runtime, copied from node_modules/ into static/vendor/.

The page depends on no content delivery network: browsers get the files that npm fetched and checked.
"""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: The files of Pyodide that a browser loads; the package also has consoles, types and a build for old bundlers.
PYODIDE_FILES = (
    "pyodide.mjs",
    "pyodide.asm.mjs",
    "pyodide.asm.wasm",
    "python_stdlib.zip",
    "pyodide-lock.json",
)


def vendor(modules: Path, target: Path) -> None:
    """Replace `target` by files of the npm packages in `modules`."""
    shutil.rmtree(target, ignore_errors=True)
    core = modules / "@pyscript" / "core"
    shutil.copytree(core / "dist", target / "pyscript", ignore=shutil.ignore_patterns("*.map"))
    shutil.copy2(core / "LICENSE", target / "pyscript")
    (target / "pyodide").mkdir()
    for name in PYODIDE_FILES:
        shutil.copy2(modules / "pyodide" / name, target / "pyodide")


if __name__ == "__main__":
    vendor(ROOT / "node_modules", ROOT / "static" / "vendor")
