"""Handshakes: work before the person is known, limited for each address."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.gateway.local import LocalGateway
from backend.gateway.people import THREADS_EACH
from tests.backend.client import AsgiClient
from tests.support.process import PATIENCE

ELSEWHERE = "192.0.2.8"


class BlockingAuthorizer:
    """An authorizer that waits, and then denies."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()

    def __call__(self, event):
        self.asked.release()
        assert self.go_on.wait(PATIENCE)
        return {"policyDocument": {"Statement": [{"Effect": "Deny"}]}}


@pytest.fixture
def doorkeeper():
    made = BlockingAuthorizer()
    yield made
    made.go_on.set()


@pytest.fixture
def gateway(doorkeeper):
    with ThreadPoolExecutor(16) as pool:
        made = LocalGateway(pool)
        made.attach(lambda event: {"statusCode": 200}, ["$connect", "$disconnect"], doorkeeper)
        yield made
        doorkeeper.go_on.set()


async def is_denied(client: AsgiClient, status: int) -> bool:
    answer = await client.next()
    await client.ended()
    return (answer["type"], answer.get("status")) == ("websocket.http.response.start", status)


async def test_handshakes_of_one_address_take_turns_and_delay_nobody_elses(gateway, doorkeeper):
    crowd = [AsgiClient(gateway) for _ in range(THREADS_EACH + 2)]
    for client in crowd:
        client.begin()
    for _ in range(THREADS_EACH):
        assert await asyncio.to_thread(doorkeeper.asked.acquire, timeout=PATIENCE)
    other = AsgiClient(gateway, address=ELSEWHERE)
    other.begin()
    assert await asyncio.to_thread(doorkeeper.asked.acquire, timeout=PATIENCE)
    assert not doorkeeper.asked.acquire(blocking=False)
    doorkeeper.go_on.set()
    assert [await is_denied(client, 403) for client in (*crowd, other)] == [True] * len([*crowd, other])


async def test_too_many_open_handshakes_of_one_address_are_refused(gateway, doorkeeper, monkeypatch):
    monkeypatch.setattr("backend.gateway.local.MAX_OPENING", 2)
    early = [AsgiClient(gateway) for _ in range(2)]
    for client in early:
        client.begin()
    await asyncio.sleep(0)
    late, other = AsgiClient(gateway), AsgiClient(gateway, address=ELSEWHERE)
    late.begin()
    other.begin()
    assert await is_denied(late, 503)
    doorkeeper.go_on.set()
    assert [await is_denied(client, 403) for client in (*early, other)] == [True] * 3
    again = AsgiClient(gateway)
    again.begin()
    assert await is_denied(again, 403)
