"""The cost of entering and leaving a large room: rows read, the same for any size."""

from typing import Any

import pytest

from backend.messaging.connections import EXPIRY_SECONDS
from backend.messaging.presence import MAX_PRESENCE_RECIPIENTS
from backend.store.base import MAX_ACTIONS, Item, Put, Store
from backend.store.dynamodb import DynamoStore
from tests.backend.fakes import START
from tests.support.depth import DEEP

CROWD = 500 if DEEP else 150
ROOM = "ROOM#general"


def fill(store: Store, people: int) -> None:
    """Let so many people be in room general, with one connection each."""
    puts = [Put(member(number)) for number in range(people)]
    for first in range(0, people, MAX_ACTIONS):
        store.transact(puts[first : first + MAX_ACTIONS])


def member(number: int) -> Item:
    connection_id = f"C{number:04d}="
    return {
        "pk": ROOM,
        "sk": f"CONNECTION#{connection_id}",
        "connectionId": connection_id,
        "userId": f"u-{number}",
        "name": f"P{number}",
        "since": START * 1000,
        "expiresAt": START + EXPIRY_SECONDS,
    }


@pytest.fixture
def rows_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many rows each query of the members read; for DynamoDB, the count that it reports."""
    counts: list[int] = []
    query = store.query

    def counted(pk: str, **how: Any) -> list[Item]:
        items = query(pk, **how)
        if pk == ROOM:
            counts.append(len(items))
        return items

    monkeypatch.setattr(store, "query", counted)
    if isinstance(store, DynamoStore):
        client = store._client
        ask = client.query

        def asked(**arguments: Any) -> Any:
            answer = ask(**arguments)
            if arguments["ExpressionAttributeValues"][":pk"]["S"] == ROOM:
                counts.append(answer["ScannedCount"])
            return answer

        monkeypatch.setattr(client, "query", asked)
    return counts


@pytest.mark.parametrize("others", [CROWD, MAX_PRESENCE_RECIPIENTS - 1])
def test_entering_a_room_reads_at_most_101_members(store, person, rows_read, others):
    fill(store, others)
    newcomer = person("Zoe")
    (presence,) = newcomer.got("presence")
    assert rows_read
    assert max(rows_read) <= MAX_PRESENCE_RECIPIENTS + 1
    assert len(rows_read) <= 2  # one query, which DynamoDB's client counts once more
    assert (presence["count"], presence["more"]) == (MAX_PRESENCE_RECIPIENTS, others == CROWD)
    assert presence["joined"] == ([] if others == CROWD else ["Zoe"])


def test_leaving_a_large_room_reads_at_most_101_members(store, person, rows_read):
    fill(store, CROWD)
    newcomer = person("Zoe")
    rows_read.clear()
    newcomer.disconnect()
    assert rows_read
    assert max(rows_read) <= MAX_PRESENCE_RECIPIENTS + 1
    assert len(rows_read) <= 2
