"""Runs an example: `make example NAME=todo`.

Its folder is copied into dist/examples, with the library's wheel and the runtime beside its page: the page finds all
that it needs at its own host, as a reader's copy would.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
COPIES = ROOT / "dist" / "examples"


def prepare(name: str, folder: Path) -> Path:
    """Copy an example into ``folder``, which is replaced, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3*"))
    page = folder / "page" if (folder / "page").is_dir() else folder
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(page)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    # Hard links, not a symbolic one: servers of files follow none that leads out of their folder.
    shutil.copytree(ROOT / "static" / "vendor", page / "vendor", copy_function=os.link)
    return folder


def commands(folder: Path, env: Mapping[str, str]) -> list[list[str]]:
    """Return what has to run: the example's server, and a server of files if it does not serve its page."""
    serve = [sys.executable, str(folder / "server.py")]
    if (folder / "page").is_dir():
        return [serve]
    host, port = env.get("HOST", "localhost"), env.get("PORT", "8000")
    return [serve, [sys.executable, "-m", "http.server", port, "--bind", host, "--directory", str(folder)]]


def main(arguments: list[str]) -> None:
    """Run an example until SIGINT or SIGTERM. HOST and PORT are its page's. Its data stays in dist/examples."""
    parser = argparse.ArgumentParser(prog="make example")
    parser.add_argument("name", choices=sorted(path.parent.name for path in EXAMPLES.glob("*/server.py")))
    name = parser.parse_args(arguments).name
    folder = prepare(name, COPIES / name)
    env = {**os.environ, "DATA": str(COPIES / f"{name}.sqlite3")}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    running = [subprocess.Popen(command, env=env) for command in commands(folder, env)]
    try:
        for process in running:
            process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        for process in running:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
