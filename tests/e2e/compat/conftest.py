"""Fixtures of the tests of versions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.wheel import build_wheel


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of its own browser context."""
    with contextlib.closing(chromium.new_context()) as incognito:
        yield incognito.new_page()
