"""Settings of every test, whatever folder it lies in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# One stack for the tests of the cloud and for those of the page on it.
from tests.cloud.deployed import deployed, package
from tests.cloud.ministack import ministack, template
from tests.support.depth import DEEP, examples

__all__ = ["deployed", "ministack", "package", "template"]

HERE = Path(__file__).parent
#: A test that uses one of these drives a browser.
BROWSERS = {"chromium", "chromium_program", "playwright", "installed"}
#: Whose tests count for coverage: what other tests happen to pass through says little, and counting takes time.
MEASURED = (HERE / "kizuna", HERE / "chat")
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

#: Takes a minute of one process, so it begins first.
FIRST = HERE / "test_checks.py"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what drives a browser and run it last, so that a broken unit shows in seconds; leave long forms out."""
    for item in items:
        if not BROWSERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)
        if not item.path.is_relative_to(MEASURED[0]) and not item.path.is_relative_to(MEASURED[1]):
            item.add_marker(pytest.mark.no_cover)
    items.sort(key=lambda item: (item.get_closest_marker("e2e") is not None, item.path != FIRST))
    deep = [] if DEEP else [item for item in items if item.get_closest_marker("deep")]
    if deep:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if not item.get_closest_marker("deep")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests did not run, and what runs them."""
    if not DEEP:
        terminalreporter.write_line("Long forms of these tests (marked deep): make test-deep")
