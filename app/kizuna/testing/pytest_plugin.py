"""Fixtures for pytest: ``-p kizuna.testing.pytest_plugin``, in its ``addopts`` or on the command line.

There is no entry point: by one, pytest would import the library in every run. Tests with another wire or codec define
``kizuna_server`` in their ``conftest.py``; ``kizuna_platform`` takes it.

For a server of wire KIZUNA, one test is run for each check of :mod:`kizuna.testing.conformance`:

def test_the_server_conforms(kizuna_conformance):
    kizuna_conformance()

The server is named by options, or by the ini keys ``kizuna_url``, ``kizuna_token`` and so on (see ``pytest --help``);
or by a fixture ``kizuna_target`` of one's own, which may start it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kizuna.testing import FakePlatform, FakeServer
from kizuna.testing.conformance import CHECKS, NotPossible, Target, command, run_check

#: The names of the settings, and how their text is read.
SETTINGS: dict[str, Callable[[str], Any]] = {
    "url": str,
    "token": str,
    "payload": json.loads,
    "channel": str,
    "restart": command,
    "replace": command,
    "within": float,
}


@pytest.fixture
def kizuna_server() -> FakeServer:
    """Return a server that takes every frame, and answers none unless the test sets ``answer``."""
    return FakeServer()


@pytest.fixture
def kizuna_platform(kizuna_server: FakeServer) -> Iterator[FakePlatform]:
    """Return a platform whose sockets reach ``kizuna_server``. An error in ``answer`` fails the test."""
    yield FakePlatform(kizuna_server)
    kizuna_server.raise_error()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and ini keys."""
    group = parser.getgroup("kizuna", "conformance of a server of wire KIZUNA")
    for name in SETTINGS:
        words = f"as the command `python -m kizuna.testing.conformance` takes {name}"
        group.addoption(f"--kizuna-{name}", help=words)
        parser.addini(f"kizuna_{name}", words)


@pytest.fixture
def kizuna_target(pytestconfig: pytest.Config) -> Target:
    """Return the server that the settings name; the test is skipped if they name none."""
    given: dict[str, Any] = {}
    for name, read in SETTINGS.items():
        text = pytestconfig.getoption(f"--kizuna-{name}") or pytestconfig.getini(f"kizuna_{name}")
        if text:
            given[name] = read(text)
    if "url" not in given:
        pytest.skip("needs --kizuna-url, or kizuna_url in the ini file")
    return Target(**given)


@pytest.fixture(params=CHECKS)
def kizuna_conformance(request: pytest.FixtureRequest, kizuna_target: Target) -> Callable[[], None]:
    """Return a function that runs one check, and raises NotConforming; or skips what needs more than is given."""

    def check() -> None:
        try:
            asyncio.run(run_check(request.param, kizuna_target))
        except NotPossible as error:
            pytest.skip(str(error))

    return check
