"""A check of this machine before `make` fetches anything, which prints one line about what is missing.

It runs on the system's Python, which may be old: standard library only, no syntax newer than Python 3.6.
"""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

MIN_PYTHON = (3, 11)


def complaint(
    version: "tuple[int, ...]", has_module: "Callable[[str], bool]", made_for: "str | None", root: str
) -> "str | None":
    """Return what is wrong and what to do about it, or None.

    `made_for`: the folder in which an existing virtual environment was made, or None. Its scripts name that folder, so
    a moved one runs the wrong code.
    """
    if version < MIN_PYTHON:
        return "Python {}.{} or newer is needed, this is {}.{}: make PYTHON=/path/to/newer/python3".format(
            *MIN_PYTHON, *version
        )
    if not (has_module("venv") and has_module("ensurepip")):
        return "this Python cannot make virtual environments (on Debian: apt install python3-venv)"
    if made_for is not None and made_for != root:
        return f"this folder was moved here from {made_for}: run `make clean`, then try again"
    return None


def main() -> None:
    """Check this machine; exit 1 with the complaint if there is one."""
    root = Path(__file__).resolve().parents[2]
    stamp = root / ".venv" / ".made-for"
    made_for = stamp.read_text(encoding="utf-8").strip() if stamp.exists() else None
    found = complaint(sys.version_info[:2], _has_module, made_for, str(root))
    if found:
        sys.exit("make: " + found)


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


if __name__ == "__main__":
    main()
