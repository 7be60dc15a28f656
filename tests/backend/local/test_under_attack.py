"""A real server under each attack: everybody else is served, it holds its memory, and it ends as it should.

`make attacks` measures how soon they are served."""

import asyncio
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.reports.attacks import MESSAGES, try_out
from tests.support.attackers import ATTACKS
from tests.support.depth import DEEP
from tests.support.process import PATIENCE
from tests.support.server import LOOPBACK, KizunaServer, post, secret_of

#: One attack for each layer: control frames, a person's frames, heads of requests, handshakes, unread output.
SHORT = ["pings", "typing-90", "half-requests", "odd-handshakes", "trickle"]
#: MiB that a server may grow by: the buffers of those who read nothing, and its caches.
MOST_MEMORY = 64
#: How many people come back at once.
CROWD = 500 if DEEP else 60


@pytest.mark.parametrize("name", ATTACKS if DEEP else SHORT)
def test_others_are_served_while_one_person_attacks(name, tmp_path):
    outcome = try_out(name, tmp_path, MESSAGES if DEEP else 10)
    assert len(outcome.acks) == outcome.asked
    assert outcome.memory < MOST_MEMORY
    assert outcome.stopped == 0


class ProxiedPeople:
    """People with an address each, behind one proxy."""

    def __init__(self, server: KizunaServer) -> None:
        self._server = server
        self._pool = ThreadPoolExecutor(32)
        self.tokens: dict[str, str] = {}
        self.refusals: list[tuple[str, int]] = []

    async def _post(self, path: str, name: str, body: Any) -> Any:
        address = f"198.51.{int(name) // 250}.{int(name) % 250}"
        status, answer = await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: post(f"{self._server.url}{path}", body, **{"X-Forwarded-For": address})
        )
        if status != 200:
            self.refusals.append((path, status))
        return answer

    async def enter(self, name: str) -> ClientConnection:
        """Connect as a page does: a token, if there is none, a ticket, a WebSocket, hello."""
        if name not in self.tokens:
            body = {"name": name, "clientSecret": secret_of(name)}
            self.tokens[name] = (await self._post("/token", name, body))["token"]
        ticket = (await self._post("/ticket", name, {"token": self.tokens[name]}))["ticket"]
        url = f"ws://{LOOPBACK}:{self._server.port}/ws?token={ticket}"
        socket = await connect(url, proxy=None, open_timeout=PATIENCE, ping_interval=None, max_queue=None)
        rooms = [{"roomId": "general", "after": None, "epoch": None}]
        await socket.send(json.dumps({"action": "hello", "v": 1, "rooms": rooms}))
        await heard(socket, lambda frame: frame["type"] == "batch")
        return socket


async def heard(socket: ClientConnection, such: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not such(json.loads(await socket.recv())):
            pass


async def test_when_everybody_comes_back_at_once_nobody_is_refused(server):
    server.start(PROXIES=LOOPBACK)
    crowd = ProxiedPeople(server)
    names = [str(number) for number in range(CROWD)]
    sockets = [await crowd.enter(name) for name in names]
    await asyncio.to_thread(server.restart)
    await asyncio.gather(*(socket.close() for socket in sockets))

    sockets = await asyncio.gather(*map(crowd.enter, names))
    say = {"action": "sendMessage", "roomId": "general", "clientMessageId": "m-1", "content": "all here?"}
    await sockets[0].send(json.dumps(say))
    await asyncio.gather(*(heard(one, lambda frame: frame.get("content") == "all here?") for one in sockets))

    assert crowd.refusals == []
    assert not re.search(r"POST /\w+ 429 ", server.output)  # a request may also take 429 ms
    await asyncio.gather(*(socket.close() for socket in sockets))
