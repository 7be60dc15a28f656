"""SIGKILL while people write, repeatedly: acknowledged messages are stored once, and so are the others in the end."""

import itertools
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.backend.local.fork_server import ForkedServer
from tests.support.depth import DEEP
from tests.support.peer import SocketClient
from tests.support.process import PATIENCE
from tests.support.server import LOOPBACK, post

LIVES = 100 if DEEP else 10
PEOPLE = ("Ann", "Bob", "Eve")
#: Messages of one person that are on their way at the same time.
IN_FLIGHT = 4
#: One life in so many is killed while it starts: while it opens the database, or reads the secret.
EARLY_ENDS = 6
START_SECONDS = 0.03
#: A life is killed after so many acknowledgements at most, and a moment.
MOST_ACKS = 60
MOMENT_SECONDS = 0.01


class Writer:
    """The messages of one person over all runs, and their fate."""

    def __init__(self, name: str) -> None:
        self.acknowledged: dict[str, tuple[int, str]] = {}
        self.waiting: dict[str, str] = {}
        self.duplicates = 0
        self._name = name
        self._numbers = itertools.count(1)

    def live(self, url: str, heard: Callable[[], None], *, until_done: bool = False) -> None:
        """Send again what waits, then on and on as the acks come; ``until_done``: nothing new, until nothing waits.

        ``heard`` is called at each ack."""
        client = SocketClient.enter(url)
        unsent = list(self.waiting)
        on_their_way = 0
        while not (until_done and not self.waiting):
            while on_their_way < IN_FLIGHT and (unsent or not until_done):
                client_message_id = unsent.pop(0) if unsent else self._write()
                content = self.waiting[client_message_id]
                client.send(
                    "sendMessage", clientMessageId=client_message_id, roomId="general", content=content
                )
                on_their_way += 1
            self._settle(client.read("ack"))
            heard()
            on_their_way -= 1
        client.leave()

    def live_until_killed(self, url: str, heard: Callable[[], None]) -> None:
        """Do the same; the end of the connection is expected."""
        try:
            self.live(url, heard)
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


class KilledServers:
    """The writers and the servers that are killed under them. ``chance`` draws the moments."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.writers = {name: Writer(name) for name in PEOPLE}
        self._folder = folder
        self._chance = chance
        self._tokens: dict[str, str] = {}

    def introduce(self) -> None:
        """Run a first server that gives everyone a token, which all later ones accept."""
        server = self._start()
        url = f"http://{LOOPBACK}:{server.port()}/token"
        for name in PEOPLE:
            _, answer = post(url, {"name": name, "clientSecret": f"I am {name}, really."})
            self._tokens[name] = answer["token"]
        server.kill()

    def live_and_be_killed(self) -> None:
        """Run one server. Everyone writes, or it is killed before anyone can."""
        server = self._start()
        if self._chance.randrange(EARLY_ENDS) == 0:
            self._moment(START_SECONDS)
            server.kill()
            return
        port = server.port()
        heard = threading.Semaphore(0)
        with ThreadPoolExecutor(len(PEOPLE)) as pool:
            living = [
                pool.submit(writer.live_until_killed, self._url(name, port), heard.release)
                for name, writer in self.writers.items()
            ]
            for life in living:
                life.add_done_callback(lambda _: heard.release(MOST_ACKS))  # it failed: its result says how
            acks = self._chance.randint(1, MOST_ACKS)
            enough = all(heard.acquire(timeout=PATIENCE) for _ in range(acks))
            self._moment(MOMENT_SECONDS)
            server.kill()
        for life in living:
            life.result()
        assert enough, f"fewer than {acks} acknowledgements within {PATIENCE} s"

    def last_life(self) -> list[dict[str, Any]]:
        """Run a last server that is not killed: waiting messages are sent again. Returns all stored messages."""
        server = self._start()
        port = server.port()
        for name, writer in self.writers.items():
            writer.live(self._url(name, port), lambda: None, until_done=True)
        messages = read_all(self._url(PEOPLE[0], port))
        server.kill()
        return messages

    def _moment(self, longest: float) -> None:
        threading.Event().wait(self._chance.uniform(0, longest))

    def _start(self) -> ForkedServer:
        return ForkedServer(self._folder / "kizuna.sqlite3", self._folder / "log.txt", "--rate-limit", "0")

    def _url(self, name: str, port: int) -> str:
        return f"ws://{LOOPBACK}:{port}/ws?token={self._tokens[name]}"


def read_all(url: str) -> list[dict[str, Any]]:
    """Return the whole room, from its newest message back."""
    client = SocketClient.enter(url)
    messages: list[dict[str, Any]] = client.batch["messages"]
    before = messages[0]["seq"]
    while before is not None:
        client.send("history", roomId="general", before=before, limit=100, ref="h")
        batch = client.read("batch")
        messages, before = batch["messages"] + messages, batch["next"]
    client.leave()
    return messages


def test_killed_while_writing_each_message_is_there_exactly_once(tmp_path: Path):
    seed = int(os.environ.get("SEED") or random.randrange(2**32))
    print(f"the same draws again: SEED={seed}")
    world = KilledServers(tmp_path, random.Random(seed))
    world.introduce()
    for _ in range(LIVES):
        world.live_and_be_killed()
    waiting = {id_ for writer in world.writers.values() for id_ in writer.waiting}
    stored = world.last_life()
    acknowledged = {id_: ack for writer in world.writers.values() for id_, ack in writer.acknowledged.items()}
    print(
        f"{LIVES} lives: {len(stored)} messages,"
        f" {sum(writer.duplicates for writer in world.writers.values())} stored before a kill and acknowledged"
        f" after it, {len(waiting)} waiting at the end"
    )
    assert [message["seq"] for message in stored] == list(range(1, len(stored) + 1))
    assert max(Counter(message["clientMessageId"] for message in stored).values()) == 1
    assert {m["clientMessageId"]: (m["seq"], m["messageId"]) for m in stored} == acknowledged
    assert waiting <= set(acknowledged)
    assert len(acknowledged) > LIVES
