"""Fixtures for pytest: ``-p kizuna.testing.pytest_plugin``, in its ``addopts`` or on the command line.

There is no entry point: by one, pytest would import the library in every run. Tests with another wire or codec define
``kizuna_server`` in their ``conftest.py``; ``kizuna_platform`` takes it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kizuna.testing import FakePlatform, FakeServer


@pytest.fixture
def kizuna_server() -> FakeServer:
    """Return a server that takes every frame, and answers none unless the test sets ``answer``."""
    return FakeServer()


@pytest.fixture
def kizuna_platform(kizuna_server: FakeServer) -> Iterator[FakePlatform]:
    """Return a platform whose sockets reach ``kizuna_server``. An error in ``answer`` fails the test."""
    yield FakePlatform(kizuna_server)
    kizuna_server.raise_error()
