"""Chromium's own crashes: its renderer dies now and then, on this version in perhaps one run of all tests in ten.

A test in which that happened says nothing about the page, so it is run again, twice at most; the summary names it. A
page that crashes each time fails its test each time.
"""

from __future__ import annotations

import re

import pytest
from _pytest.runner import runtestprotocol

#: A property of the reports of such a test: it travels from the process that runs the test to the one that sums up.
RUN_AGAIN = ("run again", "Chromium crashed")
#: How often it is run again.
MOST = 2
_WORDS = re.compile(r"(Target|Page) crashed")


def run(item: pytest.Item, nextitem: pytest.Item | None, forget: pytest.StashKey[bool]) -> None:
    """Run a test; again if its browser crashed, having forgotten that it failed."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for _ in range(MOST):
        if not any(report.failed and _WORDS.search(report.longreprtext) for report in reports):
            break
        item.stash[forget] = False
        item.user_properties.append(RUN_AGAIN)
        item._initrequest()  # type: ignore[attr-defined]
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def sum_up(reporter: pytest.TerminalReporter) -> None:
    """Print which tests were run again."""
    reports = [report for kind in ("passed", "failed", "error") for report in reporter.stats.get(kind, [])]
    for test in sorted(
        {
            report.nodeid
            for report in reports
            if RUN_AGAIN in map(tuple, getattr(report, "user_properties", ()))
        }
    ):
        reporter.write_line(f"Chromium crashed, and the test was run again: {test}")
