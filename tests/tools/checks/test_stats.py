"""Lines are counted by folder, and tests apart from their harness."""

from pathlib import PurePosixPath

from tools.checks import stats


def test_lines_are_counted_by_folder_and_tests_apart():
    files = {"app/main.py": 5, "app/kizuna/core.py": 7, "tests/e2e/person.py": 3, "tests/e2e/a/test_b.py": 2}
    said = stats.table((PurePosixPath(path), lines) for path, lines in files.items())
    assert said.splitlines()[2:] == [
        "| app | 5 | 0 |",
        "| app/kizuna | 7 | 0 |",
        "| tests/e2e | 3 | 2 |",
        "| **all** | 15 | 2 |",
        "",
        "harness of the tests: 3 lines",
    ]
