"""What holds for every test, whatever folder it lies in."""

from pathlib import Path

import pytest

# One stack for the tests of the cloud and for those of the page on it.
from tests.cloud.stack import deployed, ministack, package, template

__all__ = ["deployed", "ministack", "package", "template"]

E2E = Path(__file__).parent / "e2e"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser, and run it last: a broken unit shows in seconds, not after minutes."""
    for item in items:
        if E2E in item.path.parents:
            item.add_marker(pytest.mark.e2e)
    items.sort(key=lambda item: item.get_closest_marker("e2e") is not None)
