"""Runs an example: `make example NAME=todo`.

Its folder is copied into dist/examples, with the library's wheel and the runtime beside its page: the page finds all
that it needs at its own host, as a reader's copy would.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
COPIES = ROOT / "dist" / "examples"


def prepare(name: str, folder: Path) -> Path:
    """Copy an example into ``folder``, which is replaced, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3*"))
    page = folder / "page"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(page)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    # Hard links, not a symbolic one: servers of files follow none that leads out of their folder.
    shutil.copytree(ROOT / "static" / "vendor", page / "vendor", copy_function=os.link)
    return folder


def main(arguments: list[str]) -> None:
    """Become the server of an example, which listens where HOST and PORT say. Its data stays in dist/examples."""
    parser = argparse.ArgumentParser(prog="make example")
    parser.add_argument("name", choices=sorted(path.parent.name for path in EXAMPLES.glob("*/server.py")))
    name = parser.parse_args(arguments).name
    server = prepare(name, COPIES / name) / "server.py"
    env = {**os.environ, "DATA": str(COPIES / f"{name}.sqlite3")}
    os.execve(sys.executable, [sys.executable, str(server)], env)  # noqa: S606 - signals are for the server


if __name__ == "__main__":
    main(sys.argv[1:])
