"""Settings of every test, whatever folder it lies in."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# One stack for the tests of the cloud and for those of the page on it.
from tests.cloud.deployed import deployed, package
from tests.cloud.ministack import ministack, template
from tests.support.depth import DEEP, examples

__all__ = ["deployed", "ministack", "package", "template"]

HERE = Path(__file__).parent
#: A test that uses one of these drives a browser, or takes the built page that browsers are served.
BROWSERS = {"chromium", "chromium_program", "playwright", "installed", "built_site"}
#: Whose tests count for coverage: what other tests happen to pass through says little, and counting takes time.
MEASURED = (HERE / "kizuna", HERE / "chat")
#: Go the same ways thousands of times, which the others there go once.
REPETITIVE = {"test_connection_machine.py", "test_service_hygiene.py", "test_states.py"}
# The same draws in each run of make test; others in each of make test-deep. No example is ever too slow.
settings.register_profile(
    "kizuna",
    max_examples=examples(quick=40, deep=1000),
    derandomize=not DEEP,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("kizuna")

#: Begin in this order, before all others with or without a browser: what takes longest first, else one process is busy
#: with it alone at the end; and what waits much beside what computes much.
LONGEST = [
    "test_checks.py",
    "test_chaos.py",
    "test_on_aws.py",
    "test_page_events.py",
    "test_built_page.py",
    "test_troubles.py",
    "test_service_worker.py",
    "test_article_server.py",
    "test_other_engines.py",
    "test_heartbeat.py",
    "test_storage.py",
    "test_exhausted.py",
    "test_leaving.py",
]


@pytest.hookimpl(optionalhook=True)  # not there with -p no:xdist
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: tests in browsers wait a third of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what drives a browser, and run its files last: a broken unit shows in seconds, and no coroutine can run in
    a process in which Playwright does. Leave long forms out."""
    for item in items:
        if not BROWSERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)
    in_browser = {item.path for item in items if item.get_closest_marker("e2e")}
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (item.path in in_browser, rank.get(item.path.name, len(rank))))
    deep = [] if DEEP else [item for item in items if item.get_closest_marker("deep")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if not item.get_closest_marker("deep")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let coverage see the tests of MEASURED alone. pytest-cov's own marker does nothing in processes of xdist: there
    it has measured twice, and stops once."""
    if not item.config.pluginmanager.has_plugin("_cov") or is_measured(item):
        return (yield)
    tracer, tracer_of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
        threading.settrace(tracer_of_threads)


def is_measured(item: pytest.Item) -> bool:
    """Whether what this test reaches counts."""
    return item.path.name not in REPETITIVE and any(item.path.is_relative_to(folder) for folder in MEASURED)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests did not run, and what runs them."""
    if not DEEP:
        terminalreporter.write_line("Long forms of these tests (marked deep): make test-deep")
