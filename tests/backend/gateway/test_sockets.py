"""The way out of a connection: bytes made once, written at once to those who read, in order to those who did not."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.gateway.base import Delivery
from backend.gateway.local import LocalGateway
from backend.gateway.sockets import TOGETHER_BYTES, OutgoingFrame
from tests.backend.client import AsgiClient
from tests.backend.local.fake_transport import turns


@pytest.fixture
def gateway():
    with ThreadPoolExecutor(2) as workers:
        made = LocalGateway(workers)
        made.attach(lambda event: {"statusCode": 200}, {"$default"})
        yield made


@pytest.fixture
async def connect(gateway):
    """Return a function that opens a connection."""
    clients = []

    async def opened(**how) -> AsgiClient:
        client = AsgiClient(gateway, **how)
        clients.append(client)
        await client.connect()
        return client

    yield opened
    for client in clients:
        client.reading.set()
        client.leave()
        await client.ended()


async def test_a_frame_is_made_once_for_all_its_receivers(gateway, connect):
    clients = [await connect() for _ in range(3)]
    gateway.post_many([client.id for client in clients], '{"n":"絆"}')
    for client in clients:
        assert await client.frame() == {"n": "絆"}
    first, *others = (written for client in clients for written in client.written)
    assert len(others) == 2
    assert all(other is first for other in others)


@pytest.mark.parametrize("text", ["", "{}", "x" * 126, "絆" * 30_000])
def test_the_bytes_of_a_frame_hold_its_text(text):
    frame = OutgoingFrame.of(text)
    assert (frame.text, frame.size) == (text, len(text.encode()))


@pytest.mark.parametrize("takes_bytes", [True, False])
async def test_frames_arrive_in_order_around_a_stall(gateway, connect, takes_bytes):
    client = await connect(takes_bytes=takes_bytes)
    gateway.post_many([client.id], "0")
    assert await client.frame() == 0
    client.reading.clear()
    for number in range(1, 4):
        gateway.post_many([client.id], str(number))
        await turns()
    assert client.sent.empty()
    # The fourth is looked at in the next turn, before the task that waits with the first goes on.
    gateway.post_many([client.id], "4")
    client.reading.set()
    gateway.post_many([client.id], "5")
    assert [await client.frame() for _ in range(5)] == [1, 2, 3, 4, 5]
    gateway.post_many([client.id], "6")
    assert await client.frame() == 6


async def test_after_a_stall_bytes_are_written_at_once_again(gateway, connect):
    client = await connect()
    client.reading.clear()
    gateway.post_many([client.id], "1")
    await turns()
    client.reading.set()
    assert await client.frame() == 1
    assert client.written == []
    gateway.post_many([client.id], "2")
    await asyncio.sleep(0)  # one turn: a task would write in the next one
    assert len(client.written) == 1
    assert await client.frame() == 2


async def test_frames_that_wait_are_written_together_up_to_32_kib(gateway, connect):
    client = await connect()
    frames = [json.dumps([number, "x" * 3_000]) for number in range(20)]
    for frame in frames:
        gateway.post_many([client.id], frame)
    assert [await client.frame() for _ in frames] == [json.loads(frame) for frame in frames]
    each = len(OutgoingFrame.of(frames[-1]).wire)
    assert len(client.written) == 2
    assert TOGETHER_BYTES - each < len(client.written[0]) <= TOGETHER_BYTES


async def test_a_frame_beyond_32_kib_is_written_alone(gateway, connect):
    client = await connect()
    large = json.dumps("x" * TOGETHER_BYTES)
    for frame in ("1", large, "2"):
        gateway.post_many([client.id], frame)
    assert [await client.frame() for _ in range(3)] == [1, json.loads(large), 2]
    assert len(client.written) == 3


async def test_a_write_that_fails_ends_its_connection_alone(gateway, connect):
    broken, whole = await connect(), await connect()
    broken.breaks = True
    posted = gateway.post_many([broken.id, whole.id], "1")
    assert set(posted.values()) == {Delivery.DELIVERED}
    assert await whole.frame() == 1
    await broken.ended()
    assert gateway.connection_ids() == [whole.id]
