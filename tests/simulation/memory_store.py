"""The backend's store in memory: a thousand times faster than a file, and it passes the same contract."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Sequence

from backend.store.base import (
    Action,
    AttributeEquals,
    Condition,
    ConditionFailed,
    Delete,
    Exists,
    Item,
    Key,
    Put,
    check_actions,
    check_keys,
    check_query,
)

Tables = dict[str, dict[str, Item]]


class MemoryStore:
    """Responsible for items in dictionaries. ``clock`` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self.tables: Tables = {}  #: by partition key, then by sort key

    def get(self, pk: str, sk: str) -> Item | None:
        return self.get_many([Key(pk, sk)]).get(Key(pk, sk))

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Those of at most 100 items that exist."""
        wanted = list(keys)
        check_keys(wanted)
        with self._lock:
            found = {key: self._find(key) for key in wanted}
        return {key: _copy(item) for key, item in found.items() if item is not None}

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
        """The items of a partition in order of their sort keys."""
        check_query(prefix, after, before, limit)
        low, high = (after or "").encode(), None if before is None else before.encode()
        with self._lock:
            found = [
                item
                for sk in self.tables.get(pk, {})
                if sk.startswith(prefix)
                and (after is None or sk.encode() > low)
                and (high is None or sk.encode() < high)
                and (item := self._find(Key(pk, sk))) is not None
            ]
        found.sort(key=lambda item: str(item["sk"]).encode(), reverse=reverse)
        return [_copy(item) for item in found[:limit]]

    def partitions(self, prefix: str) -> list[str]:
        """The partition keys that begin with ``prefix``."""
        return sorted(pk for pk, items in self.tables.items() if items and pk.startswith(prefix))

    def put(self, item: Item, condition: Condition | None = None) -> None:
        self.transact([Put(item, condition)])

    def delete(self, pk: str, sk: str, condition: Condition | None = None) -> None:
        self.transact([Delete(pk, sk, condition)])

    def transact(self, actions: Sequence[Action]) -> None:
        """Do 1 to 100 actions at different keys, all or none. Raises ConditionFailed."""
        check_actions(actions)
        with self._lock:
            failed = [action.key for action in actions if not self._holds(action)]
            if failed:
                raise ConditionFailed(failed)
            for action in actions:
                if isinstance(action, Put):
                    self.tables.setdefault(action.key.pk, {})[action.key.sk] = _copy(action.item)
                elif isinstance(action, Delete):
                    self.tables.get(action.pk, {}).pop(action.sk, None)

    def close(self) -> None:
        """Nothing to let go of: what is here outlives a server that is killed."""

    def _find(self, key: Key) -> Item | None:
        item = self.tables.get(key.pk, {}).get(key.sk)
        if item is None or item.get("expiresAt", self._clock() + 1) <= int(self._clock()):
            return None
        return item

    def _holds(self, action: Action) -> bool:
        if action.condition is None:
            return True
        item = self._find(action.key)
        if isinstance(action.condition, AttributeEquals):
            value = None if item is None else item.get(action.condition.name)
            return type(value) is type(action.condition.value) and value == action.condition.value
        return (item is not None) == isinstance(action.condition, Exists)


def _copy(item: Item) -> Item:
    return {
        name: copy.deepcopy(value) if isinstance(value, list | dict) else value
        for name, value in item.items()
    }
