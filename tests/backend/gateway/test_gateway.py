"""The contract of every gateway, on one machine and on AWS."""

import asyncio
import json
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backend.gateway.aws import AwsGateway
from backend.gateway.base import Delivery, Gateway
from backend.gateway.local import MAX_POST_BYTES, LocalGateway
from backend.gateway.sockets import BUFFER_BYTES
from tests.backend.aws.aws_account import nobodys_account
from tests.backend.aws.management import Answer, Management, Request
from tests.backend.client import AsgiClient
from tests.support.process import PATIENCE

DELIVERED, GONE, FAILED = Delivery.DELIVERED, Delivery.GONE, Delivery.FAILED


class LocalHarness:
    """A LocalGateway in another thread, so that tests call it as handlers do."""

    takes_bytes = True

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._workers = ThreadPoolExecutor(2)
        self._clients: dict[str, AsgiClient] = {}
        self.local = LocalGateway(self._workers)
        self.local.attach(lambda event: {"statusCode": 200}, {"$default"})

    @property
    def gateway(self) -> Gateway:
        """The gateway under test."""
        return self.local

    def connect(self) -> str:
        """Open a connection and return its id."""

        client = AsgiClient(self.local, takes_bytes=self.takes_bytes)
        connection_id: str = self._run(client.connect())
        self._clients[connection_id] = client
        return connection_id

    def read(self, connection_id: str) -> Any:
        """Return the next frame of a connection, decoded; its close code if it is closed."""

        async def read() -> Any:
            message = await self._clients[connection_id].next()
            return json.loads(message["text"]) if "text" in message else message["code"]

        return self._run(read())

    def stop_reading(self, connection_id: str) -> None:
        """Let a client read no more."""
        self._loop.call_soon_threadsafe(self._clients[connection_id].reading.clear)

    def leave(self, connection_id: str) -> None:
        """Let a client close, and wait until the gateway knows."""

        async def leave() -> None:
            self._clients[connection_id].leave()
            await self._clients[connection_id].ended()

        self._run(leave())

    def close(self) -> None:
        """End everything."""

        async def end() -> None:
            tasks = [client.task for client in self._clients.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(end())
        self._workers.shutdown()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)


class OtherServerHarness(LocalHarness):
    """A LocalGateway above a server that has nothing but ASGI."""

    takes_bytes = False


class AwsHarness(LocalHarness):
    """An AwsGateway for the same connections, through a management API."""

    def __init__(self) -> None:
        super().__init__()
        self._api = Management(self._answer)
        self._aws = AwsGateway(self._api.client, sleep=lambda seconds: None)

    @property
    def gateway(self) -> Gateway:
        """The gateway under test."""
        return self._aws

    def close(self) -> None:
        """End everything."""
        self._aws.shut_down()
        super().close()

    def _answer(self, request: Request) -> Answer:
        if request.method == "DELETE":
            known = request.connection_id in self.local.connection_ids()
            self.local.close(request.connection_id)
            return Answer(204) if known else Answer(410, "GoneException")
        if len(request.data) > MAX_POST_BYTES:
            return Answer(413, "PayloadTooLargeException")
        delivery = self.local.post_many([request.connection_id], request.data.decode())[request.connection_id]
        if delivery is DELIVERED:
            return Answer(200)
        return Answer(410, "GoneException") if delivery is GONE else Answer(429, "LimitExceededException")


@pytest.fixture(params=[LocalHarness, OtherServerHarness, AwsHarness])
def harness(request):
    """Return each kind of gateway."""
    with nobodys_account():
        made = request.param()
    yield made
    made.close()


def test_a_frame_reaches_every_connection_it_is_posted_to_and_no_other(harness):
    one, two, three = (harness.connect() for _ in range(3))
    assert harness.gateway.post_many([one, two], '{"n":1}') == {one: DELIVERED, two: DELIVERED}
    assert harness.gateway.post_many([one, two, three], '{"n":"絆"}')[three] is DELIVERED
    assert [harness.read(one), harness.read(one)] == [{"n": 1}, {"n": "絆"}]
    assert [harness.read(two), harness.read(two)] == [{"n": 1}, {"n": "絆"}]
    assert harness.read(three) == {"n": "絆"}


def test_posting_to_nobody_is_no_error(harness):
    assert harness.gateway.post_many([], "{}") == {}


def test_who_never_was_is_gone(harness):
    assert harness.gateway.post_many(["BFaT_fALIAMCKug="], "{}") == {"BFaT_fALIAMCKug=": GONE}


def test_who_has_left_is_gone_and_stops_no_other(harness):
    one, two = harness.connect(), harness.connect()
    harness.leave(one)
    assert harness.gateway.post_many([one, two], "{}") == {one: GONE, two: DELIVERED}
    assert harness.read(two) == {}


def test_closed_connection_gets_earlier_posts_then_1000(harness):
    one = harness.connect()
    harness.gateway.post_many([one], '{"type":"bye"}')
    harness.gateway.close(one)
    assert harness.gateway.post_many([one], "{}") == {one: GONE}
    assert [harness.read(one), harness.read(one)] == [{"type": "bye"}, 1000]


def test_closing_who_is_gone_is_no_error(harness):
    harness.gateway.close("BFaT_fALIAMCKug=")


def test_posting_from_many_threads_keeps_the_order_of_each(harness):
    one = harness.connect()

    def post(thread):
        for number in range(20):
            harness.gateway.post_many([one], json.dumps([thread, number]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post, range(4)))
    got = [harness.read(one) for _ in range(80)]
    for thread in range(4):
        assert [number for who, number in got if who == thread] == list(range(20))


def test_stalled_reader_fails_when_its_buffer_is_full_and_delays_no_others(harness):
    slow, quick = harness.connect(), harness.connect()
    harness.stop_reading(slow)
    frame = json.dumps("x" * 100_000)
    results = []
    while FAILED not in results:
        posted = harness.gateway.post_many([slow, quick], frame)
        assert posted[quick] is DELIVERED
        assert harness.read(quick)
        results.append(posted[slow])
    # One frame is on its way into the socket, the rest wait.
    assert BUFFER_BYTES // 100_010 <= len(results) - 1 <= BUFFER_BYTES // 100_000 + 1


def test_a_frame_larger_than_128_kib_fails(harness):
    one = harness.connect()
    assert harness.gateway.post_many([one], "x" * (128 * 1024 + 1)) == {one: FAILED}
    assert harness.gateway.post_many([one], "絆" * 43_691) == {one: FAILED}  # bytes, not characters
    assert harness.gateway.post_many([one], '"' + "x" * (128 * 1024 - 2) + '"') == {one: DELIVERED}
