"""The pages of the benchmark of messages count what they receive, in Chromium."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reports.bench.messages_pages import PAGES, PROGRAMS
from tests.support.server import ROOT
from tests.support.site import shared_site
from tools.setup.browsers import find_browsers

#: The pages that esbuild bundles need packages that only the benchmark's own command fetches.
HERE = [page for page in PAGES if page not in PROGRAMS or (ROOT / "node_modules" / "react-virtuoso").exists()]


@pytest.fixture(scope="module")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_browsers().chromium is None:
        pytest.skip("Chromium is missing")
    return shared_site(tmp_path_factory)


def quick_run(site: Path, *options: str) -> str:
    program = [sys.executable, "-m", "tests.reports.bench.messages", "--quick", "--site", str(site)]
    done = subprocess.run([*program, *options], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "What failed" not in done.stdout
    return done.stdout


def test_each_page_knows_and_paints_a_burst_and_ignores_duplicates(built_site: Path):
    """A run fails by itself if a page's number of messages is not that of the sent ones."""
    told = quick_run(built_site, "--parts", "duplicates", "--pages", ",".join(HERE))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in told.splitlines()]
    seen = {row[1]: row for row in rows if row[:1] == ["40, 10 % twice"]}
    assert list(seen) == [PAGES[page].name for page in HERE]
    assert all(row[2].endswith(" s") and "(" in row[3] for row in seen.values())


@pytest.mark.deep
def test_everything_can_be_measured_in_its_smallest_form(built_site: Path):
    told = quick_run(built_site, "--pages", ",".join(HERE))
    for heading in (
        "Floods",
        "Numbers to reach",
        "This page alone",
        "Where the time of a message goes",
        "on CPython",
    ):
        assert heading in told
