"""Branch coverage of each library module by its own tests. `make own-coverage` calls it.

A module's own tests are `test_<module>*.py`, or those listed below.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

LIBRARY = Path("app/kizuna")
TESTS = Path("tests/kizuna")
#: Covered by tests with fakes of a browser, under other names.
BROWSER = LIBRARY / "browser"
#: Module -> its tests, where they have another name.
OTHER_TESTS = {
    "connection": ("test_connection*.py", "test_rollover.py"),
    "state": ("test_connection.py",),
    "rollover": ("test_rollover.py",),
    "transport": ("test_service*.py", "test_public_face.py"),
    "service": ("test_service*.py", "test_rollover.py", "test_frame_stream.py", "test_statistics.py"),
    "commands": ("test_service_token.py", "test_connection.py"),
    "events": ("test_connection.py", "test_journal.py"),
    "errors": ("test_service.py", "test_service_frames.py", "test_options.py"),
    "platform": ("test_service_page.py",),
    "__init__": ("test_public_face.py",),
}


def own_tests(module: str) -> list[str]:
    """Return the test files of a module."""
    patterns = OTHER_TESTS.get(module, (f"test_{module}*.py",))
    return sorted({str(path) for pattern in patterns for path in TESTS.rglob(pattern)})


def missed(source: Path, data: Path) -> str:
    """Return what a module's own tests do not cover, as coverage reports it; empty if they cover all."""
    tests = own_tests(source.stem)
    if not tests:
        return "no tests of its own"
    coverage = [sys.executable, "-m", "coverage"]
    run = [*coverage, "run", "--branch", f"--data-file={data}", f"--include={source}", "-m", "pytest", "-q"]
    tested = subprocess.run([*run, *tests], capture_output=True, text=True, check=False)
    if tested.returncode:
        return f"its tests fail: {tested.stdout.splitlines()[-1]}"
    report = [
        *coverage,
        "report",
        f"--data-file={data}",
        "--show-missing",
        "--skip-empty",
        f"--include={source}",
    ]
    lines = subprocess.run(report, capture_output=True, text=True, check=False).stdout.splitlines()
    found = next((line for line in lines if line.startswith(str(source))), "")
    return (
        ""
        if not found or "100%" in found
        else found.split("%", 1)[0].split()[-1] + "%" + found.split("%", 1)[1]
    )


def main() -> int:
    """Print a line for each module, and return 1 if one is not covered by its own tests."""
    incomplete = 0
    with tempfile.TemporaryDirectory() as folder:
        for source in sorted(path for path in LIBRARY.rglob("*.py") if BROWSER not in path.parents):
            gap = missed(source, Path(folder) / source.stem)
            incomplete += bool(gap)
            print(f"{source.stem:18} {gap or '100%'}", flush=True)
    return 1 if incomplete else 0


if __name__ == "__main__":
    raise SystemExit(main())
