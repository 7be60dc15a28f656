"""The Store protocol: the few operations that DynamoDB has, so that every rule is written once above it.

An item is a plain dict: ``pk`` and ``sk`` (not empty), an optional ``expiresAt`` (whole epoch seconds), and any
other attributes made of text, whole numbers, booleans, None, lists and dicts. Floats are refused because
DynamoDB has none.

What every store promises, and the contract suite in tests/backend checks:

- Reads are consistent: what a finished write stored is seen by every read that begins later.
- Sort keys are ordered by their UTF-8 bytes.
- An expired item (``expiresAt`` not later than now) is absent everywhere: in reads, and for conditions. Databases
  delete it later; AWS says "within a few days".
- ``transact`` applies all of its actions or none.

    StoreError
    ├── ConditionFailed    a condition did not hold; ``failed`` says at which keys. Nothing was written
    ├── Conflict           another writer wrote at the same time. Nothing was written; the same again may succeed
    └── StoreUnavailable   the database cannot be opened, read or written at all; the text names it
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Item = dict[str, Any]

# DynamoDB's limits, checked by every store so that what runs on one machine also runs on AWS.
MAX_ACTIONS = 100
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
MAX_ITEM_BYTES = 400 * 1024
MAX_DIGITS = 38
# Lists and dicts within each other, the item itself not counted.
MAX_DEPTH = 31


class Key(NamedTuple):
    """The place of an item."""

    pk: str
    sk: str


class StoreError(Exception):
    """The base of all errors of a store."""


class ConditionFailed(StoreError):
    """At least one condition did not hold. ``failed`` lists the keys, in the order of the actions."""

    def __init__(self, failed: Sequence[Key]) -> None:
        super().__init__("condition failed at " + ", ".join(f"{key.pk}/{key.sk}" for key in failed))
        self.failed = tuple(failed)


class Conflict(StoreError):
    """Another writer blocked this one for too long."""


class StoreUnavailable(StoreError):
    """The database cannot be used."""


@dataclass(frozen=True, slots=True)
class NotExists:
    """There is no item at this key."""


@dataclass(frozen=True, slots=True)
class Exists:
    """There is an item at this key."""


@dataclass(frozen=True, slots=True)
class AttributeEquals:
    """There is an item at this key, and its attribute ``name`` is ``value``."""

    name: str
    value: str | int | bool


Condition = NotExists | Exists | AttributeEquals


@dataclass(frozen=True, slots=True)
class Put:
    """Write an item, replacing what is there."""

    item: Item
    condition: Condition | None = None

    @property
    def key(self) -> Key:
        """The key that it writes."""
        return Key(self.item["pk"], self.item["sk"])


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an item; removing what is not there is no error."""

    pk: str
    sk: str
    condition: Condition | None = None

    @property
    def key(self) -> Key:
        """The key that it deletes."""
        return Key(self.pk, self.sk)


@dataclass(frozen=True, slots=True)
class Check:
    """Write nothing, but let the transaction fail unless the condition holds."""

    pk: str
    sk: str
    condition: Condition

    @property
    def key(self) -> Key:
        """The key that it checks."""
        return Key(self.pk, self.sk)


Action = Put | Delete | Check


class Store(Protocol):
    """A database of items. Every method may be called from any thread."""

    def get(self, pk: str, sk: str) -> Item | None:
        """Return the item at a key, or None."""

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Return the existing ones of at most 100 items."""

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
        """Return the items of a partition in order of their sort keys.

        ``prefix`` keeps those whose sort key begins so, ``after`` and ``before`` those strictly between; prefix
        and bounds do not go together. ``limit`` counts live items from the front, or from the end if ``reverse``.
        """

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """Write one item. Raises ConditionFailed."""

    def delete(self, pk: str, sk: str, condition: Condition | None = None) -> None:
        """Remove one item if it is there. Raises ConditionFailed."""

    def transact(self, actions: Sequence[Action]) -> None:
        """Do 1 to 100 actions at different keys, all or none. Raises ConditionFailed or Conflict."""

    def close(self) -> None:
        """Release the database."""


def check_actions(actions: Sequence[Action]) -> None:
    """Raise ValueError or TypeError for actions that a store cannot take."""
    if not 1 <= len(actions) <= MAX_ACTIONS:
        raise ValueError(f"a transaction takes 1 to {MAX_ACTIONS} actions, not {len(actions)}")
    seen: set[Key] = set()
    for action in actions:
        if isinstance(action, Put):
            if _checked_size(action.item, 0) > MAX_ITEM_BYTES:
                raise ValueError(f"an item takes at most 400 KB: {action.key.pk}/{action.key.sk}")
            if type(action.item.get("expiresAt", 0)) is not int:
                raise TypeError("expiresAt must be whole epoch seconds")
        _check_key(action.key)
        if action.key in seen:
            raise ValueError(f"two actions at {action.key.pk}/{action.key.sk}")
        seen.add(action.key)


def check_keys(keys: Sequence[Key]) -> None:
    """Raise ValueError for more keys than one read may name, or for a key that no item can have."""
    if len(keys) > MAX_ACTIONS:
        raise ValueError(f"at most {MAX_ACTIONS} keys at once, not {len(keys)}")
    for key in keys:
        _check_key(key)


def check_query(prefix: str, after: str | None, before: str | None, limit: int | None) -> None:
    """Raise ValueError for a query that DynamoDB could not answer."""
    if prefix and (after is not None or before is not None):
        raise ValueError("a query takes a prefix or bounds, not both")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    for bound in (prefix, after, before):
        # An empty one bounds nothing; one that no sort key can be is a mistake.
        _check_key(Key("any", bound or "any"))


def _check_key(key: Key) -> None:
    for value, most in ((key.pk, MAX_PARTITION_KEY_BYTES), (key.sk, MAX_SORT_KEY_BYTES)):
        if not 1 <= len(value.encode()) <= most:
            raise ValueError(f"a key part takes 1 to {most} bytes: {value[:80]!r}")


def _checked_size(value: Any, depth: int) -> int:
    """Return about how many bytes a value takes in DynamoDB. Raises TypeError or ValueError for a wrong value."""
    if isinstance(value, dict | list) and depth > MAX_DEPTH:
        raise ValueError(f"lists and dicts go at most {MAX_DEPTH} deep")
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"attribute names are text, not {type(name).__name__}")
            if not name:
                raise ValueError("an attribute has a name that is not empty")
        parts = [len(name.encode()) + _checked_size(inner, depth + 1) for name, inner in value.items()]
        return sum(parts) + (3 + len(parts) if depth else 0)
    if isinstance(value, list):
        return 3 + sum(1 + _checked_size(inner, depth + 1) for inner in value)
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool):
        return 1
    if not isinstance(value, int):
        raise TypeError(
            f"items hold text, whole numbers, booleans, None, lists and dicts, not {type(value).__name__}"
        )
    if abs(value) >= 10**MAX_DIGITS:
        raise ValueError(f"whole numbers have at most {MAX_DIGITS} digits")
    return 21  # the most that a number takes
