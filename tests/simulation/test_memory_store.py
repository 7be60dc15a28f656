"""The store in memory keeps the contract of every store, so what holds above it holds above the others."""

from __future__ import annotations

import pytest

from tests.backend import test_store as contract
from tests.backend.fakes import FakeClock
from tests.simulation.memory_store import MemoryStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock)


globals().update({name: test for name, test in vars(contract).items() if name.startswith("test_")})
