"""The limits of one person at the gateway: alone, through the gateway, and as others notice them."""

import asyncio
import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed

from backend.gateway.local import LocalGateway
from backend.gateway.people import EMPTY_SECONDS, People, Turns, frame_rate
from backend.limits.rate_limit import Rate
from tests.backend.client import AsgiClient
from tests.backend.fakes import FakeClock
from tests.support.peer import SocketClient
from tests.support.server import KizunaServer

BYE = json.dumps({"type": "bye"})


@pytest.fixture
def monotonic():
    return FakeClock(0)


# --- the bucket ---


@pytest.fixture
def people(monotonic):
    """Return people with ten frames a second, three at once."""
    return People(rate=Rate(10, burst=3), monotonic=monotonic)


def test_a_burst_passes_and_each_frame_after_it_waits_for_its_turn(people, monotonic):
    ann = people.enter("ann")
    assert [people.pace(ann) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    monotonic.advance(0.2)
    assert people.pace(ann) == 0.1


def test_the_bucket_is_the_persons_and_not_the_connections(people):
    assert people.enter("ann") is people.enter("ann")
    ann, bob = people.enter("ann"), people.enter("bob")
    for _ in range(10):
        people.pace(ann)
    assert people.pace(bob) == 0


def test_who_keeps_the_bucket_empty_for_ten_seconds_goes_on(people, monotonic):
    ann = people.enter("ann")
    for _ in range(3):
        people.pace(ann)
    people.pace(ann)
    for _ in range(int(EMPTY_SECONDS) * 10 - 1):
        monotonic.advance(0.1)
        assert people.pace(ann) > 0
        assert not people.is_flooding(ann)
    monotonic.advance(0.2)
    assert people.pace(ann) >= 0
    assert people.is_flooding(ann)


def test_one_frame_that_need_not_wait_begins_the_ten_seconds_anew(people, monotonic):
    ann = people.enter("ann")
    for _ in range(4):
        people.pace(ann)
    monotonic.advance(EMPTY_SECONDS)
    assert people.pace(ann) == 0
    assert not people.is_flooding(ann)


def test_without_a_rate_nothing_waits(monotonic):
    people = People(rate=frame_rate(0), monotonic=monotonic)
    ann = people.enter("ann")
    assert {people.pace(ann) for _ in range(10_000)} == {0}
    assert not people.is_flooding(ann)


def test_twenty_tabs_that_come_back_to_fifty_rooms_wait_for_nothing(monotonic):
    people = People(rate=frame_rate(100), monotonic=monotonic)
    ann = people.enter("ann")
    # Each: hello, a sync and an outbox for each room, a ping.
    assert {people.pace(ann) for _ in range(20 * (1 + 50 + 1) + 50)} == {0}


def test_nobody_is_remembered_who_left_and_owes_nothing(people, monotonic):
    ann, bob = people.enter("ann"), people.enter("bob")
    for _ in range(3):
        people.pace(ann)
    people.leave(ann)
    people.sweep()
    assert len(people) == 2
    assert people.enter("ann") is ann  # nobody gets a new bucket by coming back
    people.leave(ann)
    monotonic.advance(0.3)
    people.sweep()
    assert len(people) == 1
    people.leave(bob)
    people.sweep()
    assert len(people) == 0


# --- the turns ---


async def wanting(turns, person, log=None):
    """Return a frame's task, once it has a thread or waits for one."""

    async def take():
        await turns.take(person)
        if log is not None:
            log.append(person)

    task = asyncio.create_task(take())
    await asyncio.sleep(0)
    return task


async def test_one_person_has_so_many_threads_and_the_others_have_the_rest():
    turns = Turns(6, each=4)
    tasks = [await wanting(turns, "ann") for _ in range(5)]
    assert [task.done() for task in tasks] == [True] * 4 + [False]
    assert (await wanting(turns, "bob")).done()
    turns.give_back("ann")
    await tasks[-1]


async def test_people_without_a_thread_come_first_then_the_others_in_turn():
    turns = Turns(4, each=4)
    log: list[str] = []
    for person in ("loud", "loud", "loud", "bob"):
        await turns.take(person)
    tasks = [await wanting(turns, person, log) for person in ("loud", "loud", "loud", "bob", "loud", "ann")]
    turns.give_back("loud")
    turns.give_back("loud")
    turns.give_back("bob")
    await asyncio.sleep(0)
    assert log == ["ann", "loud", "bob"]
    for person in log.copy():
        turns.give_back(person)
    await asyncio.gather(*tasks)


async def test_a_frame_that_ends_while_it_waits_keeps_no_thread():
    turns = Turns(1)
    await turns.take("ann")
    gone, late = await wanting(turns, "ann"), await wanting(turns, "ann")
    gone.cancel()
    turns.give_back("ann")  # before the one that is gone has noticed
    await late
    gone = await wanting(turns, "bob")
    turns.give_back("ann")
    gone.cancel()  # in the moment in which its turn came
    await asyncio.wait([gone])
    assert gone.cancelled()
    assert len(turns) == 0
    assert (await wanting(turns, "eve")).done()


async def test_person_is_forgotten_when_the_last_waiting_frame_is_cancelled():
    turns = Turns(1)
    await turns.take("ann")
    gone = await wanting(turns, "bob")
    gone.cancel()
    await asyncio.wait([gone])
    turns.give_back("ann")
    assert len(turns) == 0


# --- through the gateway ---


@pytest.fixture
def gateway(monotonic):
    """Return a gateway of one frame a second, two at once, whose clock moves by each sleep."""

    async def sleep(seconds):
        monotonic.advance(seconds)

    def handle(event):
        return {"statusCode": 200, "body": json.dumps({"echo": event.get("body")})}

    def authorize(event):
        allow = {"Statement": [{"Effect": "Allow"}]}
        return {"principalId": event["queryStringParameters"]["token"], "policyDocument": allow}

    with ThreadPoolExecutor(4) as workers:
        made = LocalGateway(
            workers, monotonic=monotonic, frame_rate=Rate(1, burst=2), rate_limited=BYE, sleep=sleep
        )
        made.attach(handle, {"$default"}, authorize)
        yield made


async def test_beyond_the_bucket_frames_are_late_and_none_is_lost(gateway, monotonic):
    ann, again, bob = (AsgiClient(gateway, f"token={name}") for name in ("ann", "ann", "bob"))
    for client in (ann, again, bob):
        await client.connect()
    for client in (ann, again, ann, again):
        client.send("x")
        assert await client.frame() == {"echo": "x"}
    assert monotonic() == 2
    bob.send("x")
    assert await bob.frame() == {"echo": "x"}
    assert monotonic() == 2
    for client in (ann, again, bob):
        client.leave()
        await client.ended()


async def test_who_goes_on_is_told_when_to_come_back_and_closed(gateway, monotonic, caplog):
    ann, bob = AsgiClient(gateway, "token=ann"), AsgiClient(gateway, "token=bob")
    await ann.connect()
    await bob.connect()
    for number in range(100):
        ann.send(str(number))
    frames = []
    while (message := await ann.next())["type"] == "websocket.send":
        frames.append(json.loads(message["text"]))
    assert {"type": "bye"} in frames
    assert len([frame for frame in frames if "echo" in frame]) < 20
    assert message["code"] == 1000
    assert f"connection {ann.id} of ann sends too much" in caplog.text
    ann.leave()
    await ann.ended()
    bob.send("x")
    assert await bob.frame() == {"echo": "x"}
    bob.leave()
    await bob.ended()


# --- as others feel it ---

FRAMES_EACH = 30


@pytest.mark.parametrize(
    ("connections", "frame"),
    [
        (90, {"action": "typing", "roomId": "general"}),
        (50, {"action": "history", "roomId": "general", "before": 101, "limit": 100}),
    ],
)
def test_others_are_served_before_all_frames_of_one_person_are(tmp_path, connections, frame):
    """The story of attack H2: one person's ninety connections that type kept an ack for 8 s, fifty that ask for
    history for 4.5 s, since each connection could have eight threads. Other limits are off: all of it is for the
    gateway to share."""
    limits = ("RATE_LIMIT", "FRAME_LIMIT", "TYPING_SECONDS", "HELLO_LIMIT", "ASK_LIMIT", "MOST_CONNECTIONS")
    server = KizunaServer(tmp_path / "kizuna.sqlite3").start(**dict.fromkeys(limits, "0"))
    try:
        ann = SocketClient.enter(server.socket_url("Ann"))
        for _ in range(100):
            ann.say("word " * 50)
        loud = [SocketClient.enter(server.socket_url("Loud")) for _ in range(connections)]
        for client in loud:
            for _ in range(FRAMES_EACH):
                client.send(**frame)
        for _ in range(10):
            ann.say("hi")
        # Those who type are heard by all others: so many came before the last ack. Hello brings a batch, too.
        answered = sum(frame["type"] == "typing" for frame in ann.received)
        answered += sum(count_of(client, "batch") - 1 for client in loud)
        assert answered < connections * FRAMES_EACH / 2
    finally:
        server.kill()
    for client in (ann, *loud):
        client.leave()


def count_of(client, kind):
    """Return how many frames of a type have come so far."""
    with contextlib.suppress(TimeoutError, ConnectionClosed):
        while True:
            client.next(0)
    return sum(frame["type"] == kind for frame in client.received)
