"""The clients of the fan-out benchmark, all in one process: bare sockets that note when each message came.

Each line of stdin is a request in JSON, each line of stdout its answer. A client does as little as it can, so that the
figures are the server's: it reads what is there, finds the frames in it, and takes the time. The clock is the system's
monotonic one, which the servers' processes share.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from websockets.frames import Frame, Opcode

from backend.local.server import allow_many_connections
from tests.support.process import LOOPBACK

READ_BYTES = 65536
HEAD_END = b"\r\n\r\n"
MESSAGE, BATCH, PRESENCE = b'{"type":"message"', b'{"type":"batch"', b'{"type":"presence"'
#: A size of 126 says that two bytes with the size follow; 127: eight.
_SHORT = 126


def texts_in(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the texts of the whole frames in ``data``, and the rest."""
    texts, begin, end = [], 0, len(data)
    while end - begin >= 2:
        size, head = data[begin + 1], 2
        if size >= _SHORT:
            head = 4 if size == _SHORT else 10
            size = int.from_bytes(data[begin + 2 : begin + head])
        following = begin + head + size
        if end - begin < head or following > end:
            break
        texts.append(data[begin + head : following])
        begin = following
    return texts, data[begin:]


class Client:
    """One WebSocket. It has entered when it is open; if it says ``hello``, when presence has come after the batch."""

    def __init__(self, port: int, path: str, hello: bytes) -> None:
        self.times: list[int] = []  #: when each message came, in nanoseconds
        self.text = b""  #: of the last message
        self.entered_at = 0
        self.began_at = time.monotonic_ns()
        self._hello = hello
        self._is_open = self._has_batch = False
        self._rest = b""
        self.socket = socket.create_connection((LOOPBACK, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.socket.send(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def read(self) -> int:
        """Take what has come; return how many messages were in it."""
        came = self.socket.recv(READ_BYTES)
        now = time.monotonic_ns()
        if not came:
            raise SystemExit("a server closed a connection")
        data = self._rest + came
        if not self._is_open:
            head, found, data = data.partition(HEAD_END)
            if not found:
                self._rest = head
                return 0
            if not head.startswith(b"HTTP/1.1 101 "):
                raise SystemExit(f"a handshake was refused: {head[:200]!r}")
            self._is_open = True
            if self._hello:
                self.say(self._hello)
            else:
                self.entered_at = now
        before = len(self.times)
        texts, self._rest = texts_in(data)
        for text in texts:
            if text.startswith(MESSAGE):
                self.times.append(now)
                self.text = text
            elif not self.entered_at:
                self._has_batch = self._has_batch or text.startswith(BATCH)
                self.entered_at = now if self._has_batch and text.startswith(PRESENCE) else 0
        return len(self.times) - before

    def say(self, text: bytes) -> None:
        """Send a text frame."""
        self.socket.send(Frame(Opcode.TEXT, text).serialize(mask=True))


class Crowd:
    """Clients of one server or several, each group under its name."""

    def __init__(self) -> None:
        self.groups: dict[str, list[Client]] = {}
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}

    def open(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Open ``paths``, ``together`` of them at a time; return when it began, and how long each took to enter."""
        waiting, entering = deque(request["paths"]), list[Client]()
        group = self.groups.setdefault(request["group"], [])
        began = time.monotonic_ns()
        while waiting or entering:
            while waiting and len(entering) < request["together"]:
                client = Client(request["port"], waiting.popleft(), request["hello"].encode())
                self._clients[client.socket.fileno()] = client
                self._poll.register(client.socket, select.EPOLLIN)
                group.append(client)
                entering.append(client)
            self._turn()
            entering = [client for client in entering if not client.entered_at]
        took = [client.entered_at - client.began_at for client in group]
        return {"seconds": (max(client.entered_at for client in group) - began) / 1e9, "took": took}

    def collect(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Say that it waits, then wait until each client of a group has ``frames`` messages; return when they came, and
        forget them.

        ``say``: what one of them says first.
        """
        group: Sequence[Client] = self.groups[request["group"]]
        print("{}", flush=True)
        said = time.monotonic_ns()
        if request["say"]:
            group[0].say(request["say"].encode())
        awaited = request["frames"] * len(group)
        while awaited > 0:
            awaited -= self._turn()
        times = [client.times for client in group]
        texts = {client.text.decode() for client in group}
        for client in group:
            client.times = []
        return {"said": said, "times": times, "texts": list(texts)}

    def _turn(self) -> int:
        return sum(self._clients[number].read() for number, _ in self._poll.poll())


def main() -> None:
    """Answer until stdin ends."""
    allow_many_connections()
    crowd = Crowd()
    actions: Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
        "open": crowd.open,
        "collect": crowd.collect,
    }
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(actions[request["do"]](request)), flush=True)


if __name__ == "__main__":
    main()
