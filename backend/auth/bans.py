"""The people whom the operator has banned.

    BANS  <uid>    since when (milliseconds since 1970), and why: only for the operator

All bans stand in one partition, so that listing them is one query on every store. A ban is asked for with each token
and each ticket (:mod:`backend.auth.endpoints`), and no connection of a banned person can be recorded: the transaction
that records one checks it (:mod:`backend.messaging.connections`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from backend.store.base import Check, ConditionFailed, Delete, Exists, Key, NotExists, Put, Store
from backend.store.retry import Retry

BANS = "BANS"


class Banned(Exception):
    """The person is banned. The text names the user id."""


@dataclass(frozen=True, slots=True)
class Ban:
    """One person who is banned. ``since``: milliseconds since 1970."""

    user_id: str
    since: int
    reason: str


class Bans:
    """The records of banned people. ``clock`` gives epoch seconds."""

    def __init__(
        self, store: Store, *, clock: Callable[[], float] = time.time, retry: Retry | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._retry = retry or Retry()

    def ban(self, user_id: str, reason: str = "") -> None:
        """Ban a person; again replaces the reason. Connections that are open are not ended here."""
        key = key_of(user_id)
        since = int(self._clock() * 1000)
        item = {"pk": key.pk, "sk": key.sk, "userId": user_id, "since": since, "reason": reason}
        self._retry.run(lambda: self._store.transact([Put(item)]))

    def unban(self, user_id: str) -> bool:
        """Let a person in again; return False if they were not banned."""
        key = key_of(user_id)
        try:
            self._retry.run(lambda: self._store.transact([Delete(key.pk, key.sk, Exists())]))
        except ConditionFailed:
            return False
        return True

    def is_banned(self, user_id: str) -> bool:
        """Return whether a person is banned."""
        return self._store.get(*key_of(user_id)) is not None

    def all(self) -> list[Ban]:
        """Return all bans, by user id."""
        return [Ban(item["userId"], item["since"], item["reason"]) for item in self._store.query(BANS)]


def key_of(user_id: str) -> Key:
    """Return the key of a person's ban."""
    return Key(BANS, user_id)


def not_banned(user_id: str) -> Check:
    """Return a check that fails a transaction if the person is banned."""
    return Check(*key_of(user_id), NotExists())
