"""Settings of every test, whatever folder it lies in."""

from collections import Counter

import pytest

# One stack for the tests of the cloud and for those of the page on it.
from tests.cloud.stack import deployed, ministack, package, template
from tests.support.depth import DEEP

__all__ = ["deployed", "ministack", "package", "template"]

#: A test that uses one of these drives a browser.
BROWSERS = {"chromium", "chromium_program", "playwright", "installed"}
LEFT_TO_DEEP = pytest.StashKey[Counter[str]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that drive a browser, and run them last: a broken unit shows in seconds, not after minutes. Leave
    the long forms (`deep`) to `make test-deep`."""
    for item in items:
        if not BROWSERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)
    deep = [item for item in items if item.get_closest_marker("deep")]
    if deep and not DEEP:
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if not item.get_closest_marker("deep")]
        config.stash[LEFT_TO_DEEP] = Counter(item.nodeid.partition("::")[0] for item in deep)
