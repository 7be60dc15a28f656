"""Parts of the backend, ready to use, with clocks and identifiers that tests control."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.auth.tokens import Tokens
from backend.messaging.handlers import Backend
from backend.store.base import Store
from backend.store.dynamodb import DynamoStore, dynamodb_client
from backend.store.retry import Retry
from backend.store.sqlite import SqliteStore
from tests.backend.aws.aws_account import nobodys_account
from tests.backend.fakes import FakeClock, FakeGateway, Ids, Person
from tests.backend.store.dynamodb import DynamoDbLocalProcess, create_table
from tests.support.process import PATIENCE
from tests.support.server import KizunaServer
from tools.setup import dynamodb_local

SECRET = bytes(range(32))

#: Which stores a module's tests run over. Elsewhere SQLite stands for all of them: it is the quickest by far.
STORES = {
    "test_store": ("sqlite", "dynamodb", pytest.param("moto", marks=pytest.mark.deep)),
    **dict.fromkeys(("test_bans", "test_large_rooms"), ("sqlite", "dynamodb")),
    **dict.fromkeys(
        (
            "test_rooms",
            "test_moderation",
            "test_connections",
            "test_messages",
            "test_handlers",
            "test_tickets",
        ),
        ("sqlite", pytest.param("dynamodb", marks=pytest.mark.deep)),
    ),
}

_NO_THREADS = "moto has no locks: a condition and its write are two steps, and a transaction copies the table"
_HALF_READ = "AWS promises read-committed for a query: beside a running transaction it may see one half"
#: Where a stand-in, or DynamoDB itself, promises less than the contract's test asks for.
SKIPPED = {
    ("test_attribute_equals_does_not_take_true_for_one", "moto"): "moto takes True for 1, as Python does",
    ("test_of_many_threads_that_put_if_absent_one_wins_each_key", "moto"): _NO_THREADS,
    ("test_readers_never_see_half_of_a_transaction", "moto"): _NO_THREADS,
    ("test_readers_never_see_half_of_a_transaction", "dynamodb"): _HALF_READ,
    ("test_sixteen_threads_leave_a_dense_log_in_which_everything_is_once", "dynamodb"): (
        "sixteen processes at once may need more attempts than a send has; test_dynamodb has eight, with no limit"
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let a test that uses a store run once over each that its module is held to."""
    if "store" in metafunc.fixturenames:
        module = metafunc.module.__name__.rpartition(".")[2]
        metafunc.parametrize("store", STORES.get(module, ["sqlite"]), indirect=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def local_dynamodb() -> Iterator[Any]:
    """Return a client at DynamoDB Local, which starts with the first test that needs it and serves all of them."""
    try:
        process = DynamoDbLocalProcess(dynamodb_local.find())
    except dynamodb_local.NotInstalled as missing:
        pytest.skip(str(missing))
    with nobodys_account():
        client = dynamodb_client(endpoint_url=process.url, read_timeout=PATIENCE)
    yield client
    client.close()
    process.end()


@pytest.fixture
def dynamodb(local_dynamodb: Any, clock: FakeClock) -> Iterator[DynamoStore]:
    """Return a store over a new table in DynamoDB Local."""
    table = create_table(local_dynamodb)
    yield DynamoStore(local_dynamodb, table, clock=clock)
    local_dynamodb.delete_table(TableName=table)


@pytest.fixture
def moto(clock: FakeClock) -> Iterator[DynamoStore]:
    """Return a store over the only table in moto."""
    from moto import mock_aws

    with nobodys_account(), mock_aws():
        client = dynamodb_client()
        yield DynamoStore(client, create_table(client), clock=clock)


@pytest.fixture
def sqlite(tmp_path: Path, clock: FakeClock) -> Iterator[SqliteStore]:
    """Return a store over a new file."""
    store = SqliteStore(tmp_path / "store.sqlite3", clock=clock)
    yield store
    store.close()


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    """Return the store under test; STORES lists them."""
    if reason := SKIPPED.get((request.function.__name__, request.param)):
        pytest.skip(reason)
    made: Store = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def retry() -> Retry:
    """Return a retry that does not sleep."""
    return Retry(sleep=lambda seconds: None)


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def tokens(clock: FakeClock) -> Tokens:
    return Tokens(SECRET, clock=clock)


@pytest.fixture
def backend(store: Store, gateway: FakeGateway, clock: FakeClock, retry: Retry) -> Iterator[Backend]:
    made = Backend(store, gateway, clock=clock, new_id=Ids(), retry=retry)
    yield made
    made.close()


@pytest.fixture
def person(backend: Backend, gateway: FakeGateway, tokens: Tokens) -> Callable[..., Person]:
    """Return a function that connects people: ``person("Ann")`` says hello in room general, ``person("Ann", None)``
    says nothing."""

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
def server(tmp_path: Path) -> Iterator[KizunaServer]:
    """Return the real server, a process of its own on a free port, not started yet."""
    process = KizunaServer(tmp_path / "data" / "kizuna.sqlite3")
    yield process
    process.kill()
