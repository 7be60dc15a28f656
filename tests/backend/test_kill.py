"""SIGKILL in the middle of writing, a hundred times: what was acknowledged is there, once, and so is the rest."""

import asyncio
import itertools
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.backend.nursery import Nursery
from tests.backend.page import Page
from tests.support.server import LOOPBACK, post

LIVES = 100
PEOPLE = ("Ann", "Bob", "Eve")
#: Messages of one person that are on their way at the same time.
IN_FLIGHT = 4
#: One life in so many is killed while it is being born: while it opens the database, or reads the secret.
STILLBIRTHS = 6
BIRTH_SECONDS = 0.03
#: A life is killed after so many acknowledgements at most, and a moment.
MOST_ACKS = 60
MOMENT_SECONDS = 0.01


class Writer:
    """Responsible for what one person says in all lives, and what has become of it.

    ``heard`` is called at each acknowledgement.
    """

    def __init__(self, name: str, heard: Callable[[], None]) -> None:
        self.acknowledged: dict[str, tuple[int, str]] = {}
        self.waiting: dict[str, str] = {}
        self.duplicates = 0
        self._name = name
        self._heard = heard
        self._numbers = itertools.count(1)

    async def live(self, url: str, *, until_done: bool = False) -> None:
        """Send again what waits, then on and on as the acks come; ``until_done``: nothing new, until nothing waits."""
        page = await Page.at(url)
        unsent = list(self.waiting)
        on_their_way = 0
        while not (until_done and not self.waiting):
            while on_their_way < IN_FLIGHT and (unsent or not until_done):
                client_message_id = unsent.pop(0) if unsent else self._write()
                content = self.waiting[client_message_id]
                await page.send(
                    action="sendMessage", clientMessageId=client_message_id, roomId="general", content=content
                )
                on_their_way += 1
            self._settle(await page.read("ack"))
            on_their_way -= 1
        await page.leave()

    async def live_until_killed(self, url: str) -> None:
        """The same, and the end of the connection is no surprise."""
        try:
            await self.live(url)
        except (ConnectionClosed, InvalidHandshake, OSError):
            return

    def _write(self) -> str:
        client_message_id = f"{self._name}-{next(self._numbers)}"
        self.waiting[client_message_id] = f"{client_message_id} " + "x" * 200
        return client_message_id

    def _settle(self, ack: dict[str, Any]) -> None:
        client_message_id = ack["clientMessageId"]
        assert client_message_id in self.waiting, f"{client_message_id} was acknowledged twice"
        del self.waiting[client_message_id]
        self.acknowledged[client_message_id] = (ack["seq"], ack["messageId"])
        self.duplicates += ack["duplicate"]
        self._heard()


class Acks:
    """Responsible for waiting until so many acks have come in this life."""

    def __init__(self) -> None:
        self._enough = asyncio.Event()
        self._left = 0

    def expect(self, count: int) -> None:
        """A new life begins."""
        self._enough.clear()
        self._left = count

    def heard(self) -> None:
        """One has come."""
        self._left -= 1
        if self._left <= 0:
            self._enough.set()

    async def enough(self) -> None:
        """Until all that were expected have come."""
        await asyncio.wait_for(self._enough.wait(), 20)


class World:
    """Responsible for the writers and the servers that are killed under them. ``chance`` draws the moments."""

    def __init__(self, nursery: Nursery, chance: random.Random) -> None:
        self.acks = Acks()
        self.writers = {name: Writer(name, self.acks.heard) for name in PEOPLE}
        self._nursery = nursery
        self._chance = chance
        self._tokens: dict[str, str] = {}

    async def introduce(self) -> None:
        """A first life gives everybody a token, which all later ones accept."""
        await self._nursery.begin()
        url = f"http://{LOOPBACK}:{await self._nursery.listening()}/token"
        for name in PEOPLE:
            _, answer = post(url, {"name": name, "clientSecret": f"I am {name}, really."})
            self._tokens[name] = answer["token"]
        await self._nursery.kill()

    async def live_and_be_killed(self) -> None:
        """One life. Everybody writes, or it is killed before anybody can."""
        await self._nursery.begin()
        if self._chance.randrange(STILLBIRTHS) == 0:
            await asyncio.sleep(self._chance.uniform(0, BIRTH_SECONDS))
            await self._nursery.kill()
            return
        port = await self._nursery.listening()
        self.acks.expect(self._chance.randint(1, MOST_ACKS))
        living = [
            asyncio.create_task(writer.live_until_killed(self._url(name, port)))
            for name, writer in self.writers.items()
        ]
        enough = asyncio.create_task(self.acks.enough())
        await asyncio.wait([enough, *living], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(self._chance.uniform(0, MOMENT_SECONDS))
        await self._nursery.kill()
        await asyncio.gather(enough, *living)

    async def last_life(self) -> list[dict[str, Any]]:
        """Nobody is killed any more: what waits is sent again. Returns all that was ever stored."""
        await self._nursery.begin()
        port = await self._nursery.listening()
        await asyncio.gather(
            *(writer.live(self._url(name, port), until_done=True) for name, writer in self.writers.items())
        )
        return await read_all(self._url(PEOPLE[0], port))

    def _url(self, name: str, port: int) -> str:
        return f"ws://{LOOPBACK}:{port}/ws?token={self._tokens[name]}"


async def read_all(url: str) -> list[dict[str, Any]]:
    """The whole room, from its newest message back."""
    page = await Page.at(url)
    messages: list[dict[str, Any]] = page.batch["messages"]
    before = messages[0]["seq"]
    while before is not None:
        await page.send(action="history", roomId="general", before=before, limit=100, ref="h")
        batch = await page.read("batch")
        messages, before = batch["messages"] + messages, batch["next"]
    await page.leave()
    return messages


async def test_killed_a_hundred_times_in_the_middle_of_writing_each_message_is_there_exactly_once(
    tmp_path: Path,
):
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"the same draws again: SEED={seed}")
    began = time.monotonic()
    data, log = tmp_path / "kizuna.sqlite3", tmp_path / "log.txt"
    async with Nursery(data, log, "--rate-limit", "0") as nursery:
        world = World(nursery, random.Random(seed))
        await world.introduce()
        for _ in range(LIVES):
            await world.live_and_be_killed()
        waiting = {id_ for writer in world.writers.values() for id_ in writer.waiting}
        stored = await world.last_life()
    acknowledged = {id_: ack for writer in world.writers.values() for id_, ack in writer.acknowledged.items()}
    print(
        f"{LIVES} lives in {time.monotonic() - began:.1f} s: {len(stored)} messages,"
        f" {sum(writer.duplicates for writer in world.writers.values())} stored before a kill and acknowledged"
        f" after it, {len(waiting)} waiting at the end"
    )
    assert [message["seq"] for message in stored] == list(range(1, len(stored) + 1))
    assert max(Counter(message["clientMessageId"] for message in stored).values()) == 1
    assert {m["clientMessageId"]: (m["seq"], m["messageId"]) for m in stored} == acknowledged
    assert waiting <= set(acknowledged)
    assert len(acknowledged) > LIVES
