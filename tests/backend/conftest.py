"""Parts of the backend, ready to use, with clocks and identifiers that tests control."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.handlers import Backend
from backend.retry import Retry
from backend.store.base import Store
from backend.store.sqlite import SqliteStore
from backend.tokens import Tokens
from tests.backend.fakes import FakeClock, FakeGateway, Ids
from tests.backend.person import Person
from tests.backend.process import ServerProcess

SECRET = bytes(range(32))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    """Every kind of store that the contract holds for; DynamoDB joins this list."""
    assert request.param == "sqlite"
    sqlite = SqliteStore(tmp_path / "store.sqlite3", clock=clock)
    yield sqlite
    sqlite.close()


@pytest.fixture
def retry() -> Retry:
    """Tries again without sleeping."""
    return Retry(sleep=lambda seconds: None)


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def tokens(clock: FakeClock) -> Tokens:
    return Tokens(SECRET, clock=clock)


@pytest.fixture
def backend(
    store: Store, gateway: FakeGateway, tokens: Tokens, clock: FakeClock, retry: Retry
) -> Iterator[Backend]:
    made = Backend(store, gateway, tokens, clock=clock, new_id=Ids(), retry=retry)
    yield made
    made.close()


@pytest.fixture
def person(backend: Backend, gateway: FakeGateway, tokens: Tokens) -> Callable[..., Person]:
    """Somebody who connects: ``person("Ann")`` says hello in room general, ``person("Ann", None)`` says nothing."""

    def connect(name: str, room: str | None = "general", connection_id: str | None = None) -> Person:
        someone = Person(backend, gateway, tokens, name, connection_id)
        someone.connect()
        if room is not None:
            someone.hello(room)
        return someone

    return connect


@pytest.fixture
def ann(person: Callable[..., Person]) -> Person:
    return person("Ann")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """The real server, a process of its own on a free port, not started yet."""
    process = ServerProcess(tmp_path / "data" / "kizuna.sqlite3")
    yield process
    process.kill()
