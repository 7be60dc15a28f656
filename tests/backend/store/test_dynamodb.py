"""The particulars of DynamoDB: its calls, lost answers, and readable errors."""

import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import (  # type: ignore[import-untyped]
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.httpsession import URLLib3Session  # type: ignore[import-untyped]

from backend.messaging.message_log import Rooms, Sender
from backend.store import retry
from backend.store.base import (
    AttributeEquals,
    Check,
    ConditionFailed,
    Conflict,
    Delete,
    Exists,
    Key,
    NotExists,
    Put,
    StoreUnavailable,
)
from backend.store.dynamodb import MAX_ITEMS, DynamoStore, dynamodb_client
from backend.store.retry import ATTEMPTS, Retry
from chat.protocol import SendMessage
from tests.backend.aws.aws_account import REGION, nobodys_account
from tests.backend.fakes import FakeClock, Ids
from tests.backend.store.dynamodb import create_table
from tests.support.process import PATIENCE
from tests.support.waiting import eventually

ANN = Sender("ann", "Ann")
FIRST, SECOND, THIRD = Key("p", "1"), Key("p", "2"), Key("q", "3")
THREE = [Put({"pk": "p", "sk": "1"}), Delete("p", "2"), Check("q", "3", Exists())]


class Scripted:
    """A client with given answers, one a call; an exception is raised. Remembers its calls."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.asked.append((operation, arguments))
            answer = self._answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def scripted(*answers, waiting=None):
    client = Scripted(*answers)
    return client, DynamoStore(client, "table", clock=FakeClock(), retry=waiting)


def refusal(code, message="because", operation="PutItem", **more):
    return ClientError({"Error": {"Code": code, "Message": message}, **more}, operation)


def cancelled(*codes, message="because"):
    reasons = [{"Code": "None"} if code is None else {"Code": code, "Message": message} for code in codes]
    return refusal(
        "TransactionCanceledException", operation="TransactWriteItems", CancellationReasons=reasons
    )


def records(*sort_keys, **attributes):
    return [{"pk": {"S": "p"}, "sk": {"S": sk}, **attributes} for sk in sort_keys]


# --- the client ---


def test_boto3_is_imported_by_who_makes_a_client_and_by_nobody_else():
    script = (
        "import sys, backend.store.dynamodb as module\nassert not {'boto3', 'botocore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_client_times_out_within_seconds_and_has_enough_connections():
    with nobodys_account():
        client: Any = dynamodb_client(threads=7)
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (1.0, 2.0, 7)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert client.meta.region_name == REGION


def test_no_log_line_holds_what_was_written(dynamodb, caplog):
    with caplog.at_level(logging.DEBUG):
        dynamodb.put({"pk": "p", "sk": "s", "content": "a secret"})
        assert dynamodb.get("p", "s") is not None
    assert "a secret" not in caplog.text
    assert "POST" in caplog.text  # lines there are


def test_no_region_is_one_clear_error(monkeypatch):
    with nobodys_account():
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        monkeypatch.delenv("AWS_REGION", raising=False)
        with pytest.raises(StoreUnavailable, match="no client for DynamoDB: You must specify a region"):
            dynamodb_client()


def test_a_database_that_nobody_reaches_is_one_clear_error(unused_tcp_port):
    with nobodys_account():
        client = dynamodb_client(endpoint_url=f"http://127.0.0.1:{unused_tcp_port}")
    store = DynamoStore(client, "table")
    with pytest.raises(StoreUnavailable, match="DynamoDB table table cannot be reached: Could not connect"):
        store.get("p", "s")
    store.close()


# --- requests ---


def test_every_read_is_consistent():
    client, store = scripted({}, {"Responses": {"table": []}}, {"Items": []})
    store.get("p", "s")
    store.get_many([FIRST])
    store.query("p")
    (_, get), (_, many), (_, query) = client.asked
    assert (
        get["ConsistentRead"]
        is many["RequestItems"]["table"]["ConsistentRead"]
        is query["ConsistentRead"]
        is True
    )


def test_reading_nothing_asks_nothing_and_a_key_named_twice_is_read_once():
    client, store = scripted({"Responses": {"table": records("1")}})
    assert store.get_many([]) == {}
    assert client.asked == []
    assert store.get_many([FIRST, FIRST]) == {FIRST: {"pk": "p", "sk": "1"}}
    ((_, arguments),) = client.asked
    assert arguments["RequestItems"]["table"]["Keys"] == [{"pk": {"S": "p"}, "sk": {"S": "1"}}]


def test_what_a_batch_left_out_is_asked_for_again_and_nothing_else():
    first, second = records("1", "2")
    rest = {"Keys": [second], "ConsistentRead": True}
    client, store = scripted(
        {"Responses": {"table": [first]}, "UnprocessedKeys": {"table": rest}},
        {"Responses": {}, "UnprocessedKeys": {"table": rest}},
        {"Responses": {"table": [second]}, "UnprocessedKeys": {}},
        waiting=Retry(sleep=lambda seconds: None),
    )
    assert sorted(store.get_many([FIRST, SECOND])) == [FIRST, SECOND]
    assert [arguments["RequestItems"]["table"] for _, arguments in client.asked[1:]] == [rest, rest]


def test_a_batch_that_stays_in_part_is_an_error_after_a_while():
    waits: list[float] = []
    left = {"Responses": {}, "UnprocessedKeys": {"table": {"Keys": records("1")}}}
    client, store = scripted(*[left] * ATTEMPTS, waiting=Retry(sleep=waits.append))
    with pytest.raises(StoreUnavailable, match="DynamoDB table table answers only in part"):
        store.get_many([FIRST])
    assert len(client.asked) == ATTEMPTS == len(waits) + 1


def test_query_reads_on_until_it_has_enough_live_items():
    expired = {"expiresAt": {"N": "1"}}
    pages: list[dict[str, Any]] = [
        {"Items": records("1", "2", **expired), "LastEvaluatedKey": {"sk": "2"}},
        {"Items": [*records("3", **expired), *records("4")], "LastEvaluatedKey": {"sk": "4"}},
        {"Items": [], "LastEvaluatedKey": {"sk": "5"}},  # DynamoDB may do so
        {"Items": records("6", "7"), "LastEvaluatedKey": {"sk": "7"}},
    ]
    client, store = scripted(*pages)
    assert [item["sk"] for item in store.query("p", limit=2)] == ["4", "6"]
    asked = [(arguments["Limit"], arguments.get("ExclusiveStartKey")) for _, arguments in client.asked]
    assert asked == [(2, None), (4, {"sk": "2"}), (8, {"sk": "4"}), (16, {"sk": "5"})]


def test_a_query_asks_for_no_more_at_once_than_dynamodb_takes():
    asked: list[int] = []

    class Expired:
        def query(self, **arguments: Any) -> Any:
            asked.append(arguments["Limit"])
            return {"Items": [], "LastEvaluatedKey": {}} if len(asked) < 40 else {"Items": []}

    client: Any = Expired()
    assert DynamoStore(client, "t").query("p", limit=1) == []
    assert max(asked) == MAX_ITEMS


def test_a_query_that_has_enough_asks_no_more():
    more = {"LastEvaluatedKey": {"sk": "2"}}
    client, store = scripted({"Items": records("1", "2"), **more}, {"Items": records("1", "2", "3"), **more})
    assert [item["sk"] for item in store.query("p", limit=2)] == ["1", "2"]
    assert [item["sk"] for item in store.query("p", after="1", before="3", limit=1)] == ["2"]
    assert len(client.asked) == 2


def test_a_query_without_a_limit_reads_to_the_end():
    client, store = scripted(
        {"Items": records("1"), "LastEvaluatedKey": {"sk": "1"}}, {"Items": records("2")}
    )
    assert [item["sk"] for item in store.query("p")] == ["1", "2"]
    assert "Limit" not in client.asked[0][1]


def test_bounds_with_nothing_between_them_ask_nothing():
    client, store = scripted()
    assert store.query("p", after="b", before="a") == store.query("p", after="a", before="a") == []
    assert store.query("p", before="") == []
    assert client.asked == []


# --- answers that get lost ---


@pytest.fixture
def losing(local_dynamodb):
    """Return a store at DynamoDB Local whose first answer to each kind of call gets lost on the way."""
    with nobodys_account():
        client: Any = dynamodb_client(endpoint_url=local_dynamodb.meta.endpoint_url, read_timeout=PATIENCE)
    network = URLLib3Session()
    lost: set[str] = set()

    def lose(request: Any, event_name: str, **_: Any) -> None:
        if event_name not in lost:
            lost.add(event_name)
            assert network.send(request).status_code == 200
            raise ReadTimeoutError(endpoint_url=request.url)

    for operation in ("TransactWriteItems", "PutItem"):
        client.meta.events.register(f"before-send.dynamodb.{operation}", lose)
    yield DynamoStore(client, create_table(client))
    client.close()
    network.close()


def test_a_transaction_whose_answer_was_lost_is_done_once(losing):
    losing.transact([Put({"pk": "p", "sk": "1"}, NotExists())])
    assert losing.get("p", "1") is not None


def test_conditional_put_with_a_lost_answer_may_fail_on_retry(losing):
    with pytest.raises(ConditionFailed):
        losing.put({"pk": "p", "sk": "1"}, NotExists())
    assert losing.get("p", "1") is not None


# --- errors ---


@pytest.mark.parametrize(
    ("reasons", "failed"),
    [
        (["ConditionalCheckFailed", None, None], (FIRST,)),
        ([None, "ConditionalCheckFailed", "ConditionalCheckFailed"], (SECOND, THIRD)),
        (["TransactionConflict", None, "ConditionalCheckFailed"], (THIRD,)),
    ],
)
def test_a_cancelled_transaction_names_exactly_the_keys_whose_conditions_failed(reasons, failed):
    _, store = scripted(cancelled(*reasons))
    with pytest.raises(ConditionFailed) as caught:
        store.transact(THREE)
    assert caught.value.failed == failed


@pytest.mark.parametrize(
    "reason",
    ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"],
)
def test_a_transaction_cancelled_by_others_or_by_load_is_a_conflict(reason):
    _, store = scripted(cancelled(None, reason, None))
    with pytest.raises(Conflict, match="DynamoDB table table is busy: because"):
        store.transact(THREE)


def test_a_write_beside_a_running_transaction_is_a_conflict():
    _, store = scripted(*[refusal("TransactionConflictException")] * 2)
    with pytest.raises(Conflict):
        store.put({"pk": "p", "sk": "1"})
    with pytest.raises(Conflict):
        store.delete("p", "1")


def test_a_single_write_names_its_key_when_its_condition_failed():
    _, store = scripted(refusal("ConditionalCheckFailedException"))
    with pytest.raises(ConditionFailed) as caught:
        store.delete("q", "3", Exists())
    assert caught.value.failed == (THIRD,)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (refusal("ResourceNotFoundException"), "table table, PutItem: ResourceNotFoundException: because"),
        (refusal("AccessDeniedException"), "table table, PutItem: AccessDeniedException: because"),
        (refusal("ExpiredTokenException"), "ExpiredTokenException"),
        (refusal("InternalServerError"), "InternalServerError"),
        # What botocore has tried three times already is not tried twelve times more.
        (refusal("ThrottlingException"), "ThrottlingException"),
        # Whether it was done is not known, and a Conflict would say that it was not.
        (refusal("TransactionInProgressException"), "TransactionInProgressException"),
        (cancelled("ItemCollectionSizeLimitExceeded"), "TransactWriteItems: TransactionCanceledException"),
        (NoCredentialsError(), "table table cannot be reached: Unable to locate credentials"),
        (EndpointConnectionError(endpoint_url="x"), "cannot be reached: Could not connect"),
        (ReadTimeoutError(endpoint_url="x"), "cannot be reached: Read timeout"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_clear_error(error, line):
    _, store = scripted(error)
    with pytest.raises(StoreUnavailable, match=line) as caught:
        store.put({"pk": "p", "sk": "1", "content": "a secret"})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        refusal("ValidationException"),
        refusal("IdempotentParameterMismatchException"),
        cancelled("ValidationError"),
        ParamValidationError(report="what"),
    ],
)
def test_a_malformed_request_is_not_hidden(error):
    _, store = scripted(error)
    with pytest.raises(type(error)) as caught:
        store.put({"pk": "p", "sk": "1"})
    assert caught.value is error


def test_an_item_of_over_400_kilobytes_is_one_clear_error(dynamodb):
    item = {"pk": "p", "sk": "s", "text": ""}
    item["text"] = "x" * (400 * 1024 - sum(map(len, [*item, *item.values()])))
    dynamodb.put(item)
    item["text"] += "x"
    with pytest.raises(ValueError, match="an item takes at most 400 KB: p/s"):
        dynamodb.put(item)
    with pytest.raises(ValueError, match="an item takes at most 400 KB: .*p/s"):
        dynamodb.transact([Put({"pk": "q", "sk": "1"}), Put(item)])
    _, store = scripted(cancelled(None, "ValidationError", message="Item size to update has exceeded"))
    with pytest.raises(ValueError, match="an item takes at most 400 KB: p/1, p/2"):
        store.transact([Delete("p", "1"), Put({"pk": "p", "sk": "2"})])


def test_a_table_that_is_not_there_is_one_clear_error(dynamodb, local_dynamodb):
    with pytest.raises(StoreUnavailable, match="DynamoDB table nowhere, Query: ResourceNotFoundException"):
        DynamoStore(local_dynamodb, "nowhere").query("p")


# --- what DynamoDB itself does ---


@pytest.mark.parametrize("name", ["state", "name", "a.b", "a[0]", "#", "絆"])
def test_a_condition_takes_any_attributes_name(dynamodb, name):
    dynamodb.put({"pk": "p", "sk": "s", name: "old"})
    dynamodb.put({"pk": "p", "sk": "s", name: "new"}, AttributeEquals(name, "old"))
    with pytest.raises(ConditionFailed):
        dynamodb.delete("p", "s", AttributeEquals(name, "old"))


def test_expiry_attribute_is_valid_for_ttl(local_dynamodb):
    store = DynamoStore(local_dynamodb, create_table(local_dynamodb, ttl=True), clock=FakeClock(0))
    store.put({"pk": "p", "sk": "s", "expiresAt": int(time.time()) - 1})
    eventually(lambda: store.get("p", "s") is None, PATIENCE, what="the end of an item that has expired")


@pytest.mark.deep
def test_a_batch_of_over_16_megabytes_is_read_in_several_and_whole(dynamodb):
    keys = [Key("p", str(number)) for number in range(44)]
    for key in keys:
        dynamodb.put({**key._asdict(), "text": "x" * 390_000})
    assert sorted(dynamodb.get_many(keys)) == sorted(keys)


@pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.deep), 8])
def test_eight_threads_leave_a_dense_log_in_which_everything_is_once(dynamodb, clock, monkeypatch, processes):
    # How many attempts are enough depends on the machine. Here they must only come to an end.
    monkeypatch.setattr(retry, "ATTEMPTS", 200)
    have_read = threading.Barrier(processes)
    outrun: list[ConditionFailed] = []

    class SimultaneousStart:
        """Lets every process read the room's head before any of them writes for the first time."""

        def __init__(self) -> None:
            self._first = True

        def __getattr__(self, name: str) -> Any:
            return getattr(dynamodb, name)

        def transact(self, actions: Any) -> None:
            if self._first:
                self._first = False
                have_read.wait(PATIENCE)
            try:
                dynamodb.transact(actions)
            except ConditionFailed as error:
                outrun.append(error)
                raise

    lives = [Rooms(SimultaneousStart(), clock=clock, new_id=Ids(f"{number}-")) for number in range(processes)]

    def send(thread: int) -> list[int]:
        frames = [
            SendMessage(client_message_id=f"c-{thread}-{count}", room_id="general", content="hi")
            for count in range(4)
        ]
        return [lives[thread % processes].append(ANN, frame).ack.seq for frame in frames]

    with ThreadPoolExecutor(8) as pool:
        taken = sorted(seq for seqs in pool.map(send, range(8)) for seq in seqs)
    batch = lives[0].read_after("general", 0, None)
    assert taken == [message.seq for message in batch.messages] == list(range(1, 33))
    assert len({message.client_message_id for message in batch.messages}) == 32
    assert len(outrun) >= processes - 1
