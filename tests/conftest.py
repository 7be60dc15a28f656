"""Settings of every test, whatever folder it lies in."""

from __future__ import annotations

import signal
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

#: A test that uses one of these drives a browser, or takes the built page that browsers are served.
BROWSERS = {"chromium", "chromium_program", "playwright", "installed", "built_site"}
#: Whose tests count for coverage: what other tests happen to pass through says little, and counting takes time.
MEASURED = [Path(__file__).with_name(folder) for folder in ("kizuna", "chat")]
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

# What a shell starts in the background inherits an ignored SIGINT; the programs that tests start have to heed it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: Begin in this order, before all others with or without a browser: what takes longest first, else one process is busy
#: with it alone at the end; and what waits much beside what computes much.
LONGEST = (
    "checks chaos todo on_aws page_events built_page troubles service_worker article_server other_engines "
    "versions heartbeat storage exhausted leaving"
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what drives a browser, and run its files last: a broken unit shows in seconds, and no coroutine can run in
    a process in which Playwright does. Leave long forms out."""
    for item in items:
        if not BROWSERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)
    in_browser = {item.path for item in items if item.get_closest_marker("e2e")}
    rank = {f"test_{name}.py": place for place, name in enumerate(LONGEST.split())}
    items.sort(key=lambda item: (item.path in in_browser, rank.get(item.path.name, len(rank))))
    deep = {item for item in items if not DEEP and item.get_closest_marker("deep")}
    config.hook.pytest_deselected(items=list(deep))
    items[:] = [item for item in items if item not in deep]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let coverage see MEASURED alone. pytest-cov's own mark has no effect under xdist, where it begins twice."""
    counts = item.path.name not in REPETITIVE and any(map(item.path.is_relative_to, MEASURED))
    if counts or not item.config.pluginmanager.has_plugin("_cov"):
        return (yield)
    tracer, tracer_of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)
        threading.settrace(tracer_of_threads)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests did not run, and what runs them."""
    if not DEEP:
        terminalreporter.write_line("Long forms of these tests (marked deep): make test-deep")
