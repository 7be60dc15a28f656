"""Lines of Python by folder, tests and harness apart. `make stats` prints them."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

#: Folders that are shown by their subfolders.
SPLIT = ("app", "tests")


def folder_of(path: PurePosixPath) -> str:
    """Return the row of a file."""
    return "/".join(path.parts[:2] if path.parts[0] in SPLIT and len(path.parts) > 2 else path.parts[:1])


def table(files: Iterable[tuple[PurePosixPath, int]]) -> str:
    """Return a Markdown table of (path, lines), a row for each folder, with tests (`test_*.py`) apart."""
    tests, other = Counter[str](), Counter[str]()
    for path, lines in files:
        (tests if path.name.startswith("test_") else other)[folder_of(path)] += lines
    folders = sorted(tests | other)
    rows = [("folder", "code or harness", "tests"), ("---", "---:", "---:")]
    rows += [(folder, f"{other[folder]:,}", f"{tests[folder]:,}") for folder in folders]
    harness = sum(lines for folder, lines in other.items() if folder.startswith("tests"))
    rows.append(("**all**", f"{other.total():,}", f"{tests.total():,}"))
    return (
        "\n".join(f"| {' | '.join(row)} |" for row in rows) + f"\n\nharness of the tests: {harness:,} lines"
    )


def main() -> None:
    """Print the table of this checkout."""
    listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True).stdout
    present = [Path(line) for line in listed.splitlines() if Path(line).exists()]
    print(
        table((PurePosixPath(path), len(path.read_text(encoding="utf-8").splitlines())) for path in present)
    )


if __name__ == "__main__":
    main()
