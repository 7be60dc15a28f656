"""The Store on one DynamoDB table, for AWS.

The table has the text keys ``pk`` (partition) and ``sk`` (sort), no index, and TTL on ``expiresAt``. DynamoDB sorts
text by its UTF-8 bytes and deletes expired items within days, so both reads and conditions judge ``expiresAt``
themselves. Every read is consistent; nothing scans.

Differences from SQLite:

- A transaction that botocore sends again, because an answer was lost, is done once: botocore gives each call of
  ``transact_write_items`` a ClientRequestToken, and AWS remembers it for ten minutes. ``put_item`` and
  ``delete_item`` have none, so a conditional ``put`` or ``delete`` whose answer was lost may fail at its own
  success. Where that matters, use ``transact``, which costs twice.
- While a transaction is being applied, a query may see one half of it (AWS calls that read-committed). Reads after
  ``transact`` has returned see all of it.
- A write to an item that is part of a running transaction is a Conflict, where SQLite would wait.

IAM knows no action for transactions: the calls made here need GetItem, BatchGetItem, Query, PutItem, DeleteItem and
ConditionCheckItem on the table.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from backend.store.base import (
    Action,
    AttributeEquals,
    Condition,
    ConditionFailed,
    Conflict,
    Delete,
    Exists,
    Item,
    Key,
    NotExists,
    Put,
    StoreUnavailable,
    check_actions,
    check_keys,
    check_query,
)
from backend.store.retry import Retry

PARTITION_KEY = "pk"
SORT_KEY = "sk"
TTL_ATTRIBUTE = "expiresAt"

# DynamoDB is in the same region and answers within some 10 ms: an answer that takes so much longer is lost. With three
# attempts and the pauses between them a call has failed after 9 to 12 s, below any sensible Lambda timeout.
CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 2.0
ATTEMPTS = 3
# More than the handler's own thread and the 16 that remove connections that are gone. A connection opens when used.
THREADS = 32

# Items that a page of a query is asked for at most; 1 MB holds fewer or more, and DynamoDB decides.
MAX_ITEMS = 1000

# "Absent" and "there" as conditions see them. An expired item that TTL has not deleted yet counts as absent.
_ABSENT = f"attribute_not_exists({PARTITION_KEY}) OR {TTL_ATTRIBUTE} <= :now"
_ALIVE = f"(attribute_not_exists({TTL_ATTRIBUTE}) OR {TTL_ATTRIBUTE} > :now)"
_THERE = f"attribute_exists({PARTITION_KEY}) AND {_ALIVE}"
_EQUAL = f"#name = :value AND {_ALIVE}"

# Why DynamoDB cancels a transaction of which nothing was written and which may succeed as it is.
_PASSING_REASONS = {
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
}
# The caller's mistakes, which a retry would only hide.
_MISTAKES = {"ValidationException", "SerializationException", "IdempotentParameterMismatchException"}
_TOO_LARGE = "Item size"

Attribute = dict[str, Any]
Record = dict[str, Attribute]


class DynamoDbClient(Protocol):
    """The calls of boto3's ``dynamodb`` client that are used here; the one place without types."""

    def get_item(self, **arguments: Any) -> Any:
        """Return one item."""

    def batch_get_item(self, **arguments: Any) -> Any:
        """Return up to 100 items; those that did not fit or were throttled come back as UnprocessedKeys."""

    def query(self, **arguments: Any) -> Any:
        """Return one page, at most 1 MB, of a partition."""

    def put_item(self, **arguments: Any) -> Any:
        """Write one item."""

    def delete_item(self, **arguments: Any) -> Any:
        """Remove one item."""

    def transact_write_items(self, **arguments: Any) -> Any:
        """Do up to 100 writes and checks, all or none."""

    def close(self) -> None:
        """Close the pooled connections."""


def dynamodb_client(
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    threads: int = THREADS,
    read_timeout: float = READ_TIMEOUT_SECONDS,
) -> DynamoDbClient:
    """Return a client for :class:`DynamoStore`: make one per process, any thread may use it.

    Region and credentials come from where boto3 looks for them, on Lambda from its environment. ``threads`` calls
    have a connection each. ``read_timeout``: seconds. Raises StoreUnavailable if no region is set.
    """
    # Importing boto3 takes longer than all the rest of the backend: only users of a table need it.
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=threads,
    )
    # At DEBUG botocore logs every request whole, with what people wrote in it.
    logging.getLogger("botocore").setLevel(logging.INFO)
    try:
        client: DynamoDbClient = boto3.client(
            "dynamodb", region_name=region, endpoint_url=endpoint_url, config=config
        )
    except BotoCoreError as error:
        raise StoreUnavailable(f"no client for DynamoDB: {error}") from error
    return client


class DynamoStore:
    """The items in one DynamoDB table, which must exist.

    ``clock`` gives epoch seconds and decides what is expired. ``retry`` waits before it asks for the rest of a batch
    again. Raises StoreUnavailable, in words that name the table, when the network, the credentials or DynamoDB fail;
    whether a write was done is then unknown. botocore's own errors come through for requests that are malformed.
    """

    def __init__(
        self,
        client: DynamoDbClient,
        table: str,
        *,
        clock: Callable[[], float] = time.time,
        retry: Retry | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._clock = clock
        self._retry = retry or Retry()

    # --- reading ---

    def get(self, pk: str, sk: str) -> Item | None:
        """Return the item at a key, or None."""
        key = Key(pk, sk)
        check_keys([key])
        response = self._call(
            self._client.get_item, TableName=self._table, Key=_record_key(key), ConsistentRead=True
        )
        return next(_unexpired([response["Item"]], self._now()), None) if "Item" in response else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Return the existing ones of at most 100 items."""
        wanted = list(keys)
        check_keys(wanted)
        records: list[Record] = []
        left = [_record_key(key) for key in dict.fromkeys(wanted)]

        def read_the_rest() -> None:
            nonlocal left
            request = {self._table: {"Keys": left, "ConsistentRead": True}}
            response = self._call(self._client.batch_get_item, RequestItems=request)
            records.extend(response["Responses"].get(self._table, []))
            left = response.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            if left:
                raise Conflict("over 16 MB, or too much at once for this table")

        if left:
            try:
                self._retry.run(read_the_rest)
            except Conflict as error:
                raise StoreUnavailable(
                    f"DynamoDB table {self._table} answers only in part: {error}"
                ) from error
        return {Key(item["pk"], item["sk"]): item for item in _unexpired(records, self._now())}

    def query(
        self,
        pk: str,
        *,
        prefix: str = "",
        after: str | None = None,
        before: str | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> list[Item]:
        """Return the items of a partition in order of their sort keys; see :class:`backend.store.base.Store`."""
        check_query(prefix, after, before, limit)
        # No sort key is empty, and DynamoDB takes no bounds that lie the wrong way round.
        if before is not None and before.encode() <= (after or "").encode():
            return []
        condition, values = _key_condition(prefix, after, before)
        arguments = {
            "TableName": self._table,
            "ConsistentRead": True,
            "ScanIndexForward": not reverse,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": {":pk": {"S": pk}, **values},
        }
        found: list[Item] = []
        for page in self._pages(arguments, limit):
            # DynamoDB's BETWEEN includes both ends; ours does not.
            found += (item for item in page if item["sk"] not in (after, before))
            if limit is not None and len(found) >= limit:
                return found[:limit]
        return found

    # --- writing ---

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write one item. Raises ConditionFailed, and Conflict beside a running transaction."""
        self._write_one(self._client.put_item, Put(item, condition))

    def delete(self, pk: str, sk: str, condition: Condition | None = None) -> None:
        """Remove one item if it is there. Raises ConditionFailed, and Conflict beside a running transaction."""
        self._write_one(self._client.delete_item, Delete(pk, sk, condition))

    def transact(self, actions: Sequence[Action]) -> None:
        """Do 1 to 100 actions at different keys, all or none.

        Raises Conflict when another writer was in the way, and ConditionFailed when a condition did not hold,
        whatever else was in the way. A condition that could not be judged meanwhile is not named as failed.
        """
        check_actions(actions)
        now = self._now()
        self._call(
            self._client.transact_write_items,
            [action.key for action in actions],
            TransactItems=[{_verb(action): self._arguments(action, now)} for action in actions],
        )

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    # --- inside ---

    def _pages(self, arguments: dict[str, Any], limit: int | None) -> Iterator[list[Item]]:
        """Yield pages of the unexpired items. ``limit``: how many items are wanted."""
        now = self._now()
        size = limit
        start: dict[str, Any] = {}
        while True:
            most = {} if size is None else {"Limit": size}
            response = self._call(self._client.query, **arguments, **most, **start)
            yield list(_unexpired(response["Items"], now))
            if "LastEvaluatedKey" not in response:
                return
            start = {"ExclusiveStartKey": response["LastEvaluatedKey"]}
            # Where many items have expired, the rest probably has too.
            size = None if size is None else min(size * 2, MAX_ITEMS)

    def _write_one(self, operation: Callable[..., Any], action: Put | Delete) -> None:
        check_actions([action])
        self._call(operation, [action.key], **self._arguments(action, self._now()))

    def _arguments(self, action: Action, now: int) -> dict[str, Any]:
        """Return one action as the arguments of its operation, the same alone and within a transaction."""
        what = (
            {"Item": {name: _encoded(value) for name, value in action.item.items()}}
            if isinstance(action, Put)
            else {"Key": _record_key(action.key)}
        )
        return {"TableName": self._table, **what, **_condition(action.condition, now)}

    def _call(self, operation: Callable[..., Any], keys: Sequence[Key] = (), /, **arguments: Any) -> Any:
        """Return DynamoDB's answer. Its errors become the store's own; ``keys`` are those that it writes."""
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            return operation(**arguments)
        except ParamValidationError:
            raise
        except ClientError as error:
            if (own := self._translated(error, keys)) is None:
                raise
            raise own from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"DynamoDB table {self._table} cannot be reached: {error}") from error

    def _translated(self, error: Any, keys: Sequence[Key]) -> Exception | None:
        """Return a ClientError as the store's own error; None if it shows a mistake in this program."""
        code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        reasons = error.response.get("CancellationReasons", [])
        codes = {reason["Code"] for reason in reasons}
        texts = [text, *(reason.get("Message") or "" for reason in reasons)]
        failed: Sequence[Key] = [
            key
            for key, reason in zip(keys, reasons, strict=False)
            if reason["Code"] == "ConditionalCheckFailed"
        ]
        if code == "ConditionalCheckFailedException":
            failed = keys
        if failed:
            return ConditionFailed(failed)
        if code == "TransactionConflictException" or codes & _PASSING_REASONS:
            return Conflict(f"DynamoDB table {self._table} is busy: {text}")
        if code in _MISTAKES or "ValidationError" in codes:
            if any(line.startswith(_TOO_LARGE) for line in texts):
                names = ", ".join(f"{key.pk}/{key.sk}" for key in keys)
                return ValueError(f"an item takes at most 400 KB: {names}")
            return None
        return StoreUnavailable(f"DynamoDB table {self._table}, {error.operation_name}: {code}: {text}")

    def _now(self) -> int:
        return int(self._clock())


def _verb(action: Action) -> str:
    return {Put: "Put", Delete: "Delete"}.get(type(action), "ConditionCheck")


def _record_key(key: Key) -> Record:
    return {PARTITION_KEY: {"S": key.pk}, SORT_KEY: {"S": key.sk}}


def _key_condition(prefix: str, after: str | None, before: str | None) -> tuple[str, Record]:
    """Return the condition on the keys of a query, and its values. DynamoDB takes one comparison of the sort key."""
    condition = f"{PARTITION_KEY} = :pk"
    if prefix:
        return f"{condition} AND begins_with({SORT_KEY}, :prefix)", {":prefix": {"S": prefix}}
    low: Record = {":after": {"S": after}} if after else {}
    high: Record = {":before": {"S": before}} if before else {}
    if low and high:
        return f"{condition} AND {SORT_KEY} BETWEEN :after AND :before", {**low, **high}
    if low:
        return f"{condition} AND {SORT_KEY} > :after", low
    if high:
        return f"{condition} AND {SORT_KEY} < :before", high
    return condition, {}


def _condition(condition: Condition | None, now: int) -> dict[str, Any]:
    if condition is None:
        return {}
    values: Record = {":now": {"N": str(now)}}
    if isinstance(condition, AttributeEquals):
        # By a placeholder: a name like "state" is a reserved word.
        return {
            "ConditionExpression": _EQUAL,
            "ExpressionAttributeNames": {"#name": condition.name},
            "ExpressionAttributeValues": {**values, ":value": _encoded(condition.value)},
        }
    expression = {NotExists: _ABSENT, Exists: _THERE}[type(condition)]
    return {"ConditionExpression": expression, "ExpressionAttributeValues": values}


def _unexpired(records: Iterable[Record], now: int) -> Iterator[Item]:
    """Yield those of DynamoDB's records that are not expired, as items."""
    for record in records:
        item = {name: _decoded(attribute) for name, attribute in record.items()}
        if item.get(TTL_ATTRIBUTE, now + 1) > now:
            yield item


def _encoded(value: Any) -> Attribute:
    """Return a value in DynamoDB's JSON: its type, then the value."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):  # before int, of which it is one
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, list):
        return {"L": [_encoded(inner) for inner in value]}
    return {"M": {name: _encoded(inner) for name, inner in value.items()}}


def _decoded(attribute: Attribute) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "NULL":
        return None
    if kind == "N":
        return int(value)
    if kind == "L":
        return [_decoded(inner) for inner in value]
    if kind == "M":
        return {name: _decoded(inner) for name, inner in value.items()}
    return value
