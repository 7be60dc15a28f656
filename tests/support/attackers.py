"""Attacks on a server with a token that anybody gets, over raw sockets.

python -m tests.support.attackers NAME URL     # runs until it is killed; prints "begun" when it has started

Frames are masked with zeros, so that they are made once and sent as fast as TCP takes them. A closed connection is
opened again at once.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.process import PATIENCE
from tests.support.server import post, secret_of

TEXT, CONTINUATION, PING = 0x1, 0x0, 0x9
FINAL, MASKED, LONG = 0x80, 0x80, 126
# What attacks.md offered: one process beside the server's own processor gets little further.
FRAMES_PER_SECOND = 10_000
BLOCK = 100
REFILL_SECONDS = 0.2
HALF_REQUESTS = 300
HALF_BODY = b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
ROOM = "besieged"
# Not 127.0.0.1, which may be a proxy and is not bounded.
ADDRESS = "127.0.0.2"

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


def frame(payload: bytes, opcode: int = TEXT, *, final: bool = True) -> bytes:
    """Return a client's frame, masked with zeros."""
    size = len(payload)
    length = bytes([MASKED | size]) if size < LONG else bytes([MASKED | LONG]) + size.to_bytes(2, "big")
    return bytes([(FINAL if final else 0) | opcode]) + length + bytes(4) + payload


def words(action: str, **fields: object) -> bytes:
    """Return a frame of the protocol."""
    return frame(json.dumps({"action": action, **fields}).encode())


@dataclass
class Target:
    """The server under attack."""

    url: str

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    def token(self, name: str) -> str:
        """Return a token for a person."""
        _, answer = post(f"{self.url}/token", {"name": name, "clientSecret": secret_of(name)})
        token: str = answer.get("token", "")
        return token

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Return a connection that has sent something."""
        connection = socket.create_connection(self.place, PATIENCE, (ADDRESS, 0))
        connection.sendall(sent)
        return connection

    def handshake(self, token: str, more: str = "") -> bytes:
        """Return the head of a WebSocket's request."""
        host = "{}:{}".format(*self.place)
        return HANDSHAKE.format(path=f"/ws?token={token}", host=host, more=more).encode()

    def enter(self, token: str, rooms: Sequence[str] = (ROOM,)) -> socket.socket:
        """Return a WebSocket that has sent hello and received ready. Raises OSError if it is refused."""
        connection = self.connect(self.handshake(token))
        if not connection.recv(4096).startswith(b"HTTP/1.1 101"):
            connection.close()
            raise ConnectionRefusedError
        positions = [{"roomId": room, "after": None, "epoch": None} for room in rooms]
        connection.sendall(words("hello", v=1, rooms=positions))
        heard = b""
        while b'"type":"ready"' not in heard.replace(b" ", b""):
            if not (chunk := connection.recv(65536)):
                raise ConnectionResetError
            heard += chunk
        return connection


class Flood:
    """As much data as some connections accept, until the process is killed.

    ``enter`` makes a connection, or raises OSError; a closed one is replaced. ``sent`` is repeated without end, and
    answers are read if ``reads``. ``audience``: connections that only read.
    """

    def __init__(
        self,
        enter: Callable[[], socket.socket],
        sent: Iterable[bytes],
        *,
        connections: int = 1,
        reads: bool = True,
        audience: Sequence[socket.socket] = (),
    ) -> None:
        self._enter = enter
        self._blocks = itertools.cycle(_blocks(sent))
        self._connections = connections
        self._reads = reads
        self._selector = selectors.DefaultSelector()
        self._left: dict[socket.socket, memoryview] = {}
        self._frames = 0
        for reader in audience:
            reader.setblocking(False)
            self._selector.register(reader, selectors.EVENT_READ)

    def run(self) -> None:
        """Start, print "begun", and go on."""
        self._fill()
        print("begun", flush=True)
        began = filled = time.monotonic()
        while True:
            for key, events in self._selector.select(0.05):
                assert isinstance(key.fileobj, socket.socket)
                self._serve(key.fileobj, events)
            now = time.monotonic()
            if self._frames > (now - began) * FRAMES_PER_SECOND:
                time.sleep(0.01)
            if now - filled > REFILL_SECONDS:
                filled = now
                self._fill()

    def _fill(self) -> None:
        for _ in range(self._connections - len(self._left)):
            try:
                connection = self._enter()
            except OSError:
                return
            connection.setblocking(False)
            wanted = selectors.EVENT_WRITE | (selectors.EVENT_READ if self._reads else 0)
            self._selector.register(connection, wanted)
            self._left[connection] = memoryview(b"")

    def _serve(self, connection: socket.socket, events: int) -> None:
        try:
            if events & selectors.EVENT_READ and not connection.recv(1 << 20):
                raise ConnectionResetError
            if events & selectors.EVENT_WRITE:
                if not (left := self._left[connection]):
                    left = memoryview(next(self._blocks))
                    self._frames += BLOCK
                self._left[connection] = left[connection.send(left) :]
        except BlockingIOError:
            return
        except OSError:
            self._selector.unregister(connection)
            self._left.pop(connection, None)
            connection.close()


def _blocks(sent: Iterable[bytes]) -> Iterator[bytes]:
    while block := b"".join(itertools.islice(sent, BLOCK)):
        yield block


# --- attacks ---


def flood(
    *frames: bytes,
    first: bytes = b"",
    rooms: Sequence[str] = (ROOM,),
    connections: int = 1,
    reads: bool = True,
    audience: int = 0,
    is_filled: bool = False,
) -> Callable[[Target], None]:
    """Return an attack by one person who sends these frames without end, on each connection after ``first``.

    ``audience`` other connections are in the room and read; ``is_filled``: there is a page of messages to read.
    """

    def attack(target: Target) -> None:
        if is_filled:
            _fill(target)
        others = [target.enter(target.token(f"Guest {number // 5}")) for number in range(audience)]
        token = target.token("Mallory")

        def enter() -> socket.socket:
            connection = target.enter(token, rooms)
            connection.sendall(first)
            return connection

        circle = list(frames) * (BLOCK if len(frames) < BLOCK else 1)
        Flood(enter, circle, connections=connections, reads=reads, audience=others).run()

    return attack


def many_names(target: Target) -> None:
    """Attack with twenty new people, each with as many messages as they may send at once."""
    people = itertools.cycle([target.token(f"Name {number}") for number in range(20)])
    says = [
        words("sendMessage", roomId=ROOM, clientMessageId=f"m{n:06}", content="spam") for n in range(5000)
    ]
    Flood(lambda: target.enter(next(people)), says, connections=20).run()


def half_requests(target: Target) -> None:
    """Attack with requests that never end, and connections without data."""
    parts = [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        HALF_BODY,
        b"GET /ws?token=x HTTP/1.1\r\nUpgr",
    ]
    kept: list[socket.socket] = []
    while len(kept) < HALF_REQUESTS:
        with contextlib.suppress(OSError):
            kept.append(target.connect(parts[len(kept) % len(parts)]))
    print("begun", flush=True)
    while True:
        time.sleep(REFILL_SECONDS)
        for index, connection in enumerate(kept):
            if _has_ended(connection):
                connection.close()
                with contextlib.suppress(OSError):
                    kept[index] = target.connect(parts[index % len(parts)])


def odd_handshakes(target: Target) -> None:
    """Attack with malformed handshakes, again and again, kept open."""
    odd = ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", f"X: {'x' * 9000}\r\n"]
    odd.append("".join(f"X-{number}: 1\r\n" for number in range(130)))
    kept: list[socket.socket] = []
    for number in itertools.count():
        kept.append(target.connect(target.handshake("x", odd[number % len(odd)])))
        if len(kept) == 40:
            print("begun", flush=True)
            time.sleep(REFILL_SECONDS)
            while kept:
                kept.pop().close()


def requests(sent: Callable[[Target], bytes], connections: int = 24) -> Callable[[Target], None]:
    """Return an attack by the same request over and over on some connections."""

    def attack(target: Target) -> None:
        Flood(target.connect, [sent(target)], connections=connections).run()

    return attack


def token_request(target: Target) -> bytes:
    """Return a request for a token."""
    return _post("/token", json.dumps({"name": "Mallory", "clientSecret": secret_of("Mallory")}))


def ticket_request(target: Target) -> bytes:
    """Return a request for a ticket."""
    return _post("/ticket", json.dumps({"token": target.token("Mallory")}))


def trickle(target: Target) -> bytes:
    """Return a request with a body in chunks of one byte."""
    head = b"POST /token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    return head + b"Content-Type: application/json\r\n\r\n" + b"1\r\n{\r\n" * 50_000


def connects(target: Target) -> None:
    """Attack with connections that are closed at once."""
    print("begun", flush=True)
    while True:
        with contextlib.suppress(OSError):
            target.connect().close()


def handshakes(target: Target) -> None:
    """Attack with valid handshakes on connections that are closed at once: each is recorded and removed again."""
    head = target.handshake(target.token("Mallory"))
    print("begun", flush=True)
    while True:
        with contextlib.suppress(OSError):
            target.connect(head).close()


def _post(path: str, body: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def _has_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return not connection.recv(4096) or _has_ended(connection)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _fill(target: Target) -> None:
    """Fill the room with a page of messages, by as many people as the rate limit requires."""
    for part in range(10):
        connection = target.enter(target.token(f"Writer {part}"))
        for number in range(10):
            text = {"roomId": ROOM, "clientMessageId": f"page-{part}-{number}", "content": "x" * 300}
            connection.sendall(words("sendMessage", **text))
        heard = b""
        while heard.count(b'"ack"') < 10:
            heard += connection.recv(65536)
        connection.close()


ROOMS = [f"room-{number}" for number in range(50)]
HELLO = {"v": 1, "rooms": [{"roomId": room, "after": None, "epoch": None} for room in ROOMS]}
TYPING = words("typing", roomId=ROOM)
HISTORY = words("history", roomId=ROOM, before=10**6, limit=100, ref="r")
SAYS = [
    words("sendMessage", roomId=ROOM, clientMessageId=f"m{number:05}", content="x" * 16_000)
    for number in range(500)
]


@dataclass(frozen=True, slots=True)
class Attack:
    """One line of the report: its number in the list of attacks, a description, and the attack."""

    number: str
    what: str
    run: Callable[[Target], None]


ATTACKS = {
    "pings": Attack("H1", "empty PINGs", flood(frame(b"", PING))),
    "unread-pings": Attack(
        "H1", "PINGs of 125 bytes, nothing read", flood(frame(bytes(125), PING), reads=False)
    ),
    "continuations": Attack(
        "H1",
        "empty continuation frames",
        flood(frame(b"", CONTINUATION, final=False), first=frame(b"x", final=False)),
    ),
    "ping": Attack("H2", "ping", flood(words("ping", t=1))),
    "ping-50": Attack("H2", "ping, in 50 rooms", flood(words("ping", t=1), rooms=ROOMS)),
    "typing": Attack("H2", "typing, 100 in the room", flood(TYPING, audience=100)),
    "hello": Attack("H2", "hello with 50 rooms", flood(words("hello", **HELLO))),
    "hello-full": Attack(
        "H2", "hello with 50 rooms of 100 messages", flood(words("hello", **HELLO), rooms=ROOMS)
    ),
    "join-leave": Attack(
        "H2",
        "join and leave, 100 in the room",
        flood(words("join", roomId=ROOM, ref="r"), words("leave", roomId=ROOM), audience=100),
    ),
    "new-rooms": Attack(
        "H2", "join of new rooms", flood(*(words("join", roomId=f"n{n}", ref="r") for n in range(5000)))
    ),
    "sync": Attack(
        "H2, M7",
        "sync of rooms that nobody made",
        flood(*(words("sync", roomId=f"s{n}") for n in range(5000))),
    ),
    "history": Attack("H2", "history of 100 messages", flood(HISTORY, is_filled=True)),
    "unknown": Attack("H2", "unknown action", flood(words("dance"))),
    "malformed": Attack("H2", "no JSON", flood(frame(b"{"))),
    "messages": Attack("H2", "sendMessage, 16 KiB", flood(*SAYS)),
    "typing-90": Attack("H2", "typing, one person with 90 connections", flood(TYPING, connections=90)),
    "history-50": Attack(
        "H2", "history, one person with 50 connections", flood(HISTORY, connections=50, is_filled=True)
    ),
    "unread-history": Attack(
        "H2, M6",
        "history, 200 connections that read nothing",
        flood(HISTORY, connections=200, reads=False, is_filled=True),
    ),
    "half-requests": Attack("H3", "300 half requests, of 256 files", half_requests),
    "odd-handshakes": Attack("H4", "handshakes that cannot be read", odd_handshakes),
    "many-names": Attack("M5", "20 new names, as many messages as they may", many_names),
    "tokens": Attack("M5", "POST /token, 24 connections", requests(token_request)),
    "tickets": Attack("M7", "POST /ticket, 24 connections", requests(ticket_request)),
    "trickle": Attack("-", "a body in chunks of one byte, 24 connections", requests(trickle)),
    "connects": Attack("-", "connections that are closed at once", connects),
    "handshakes": Attack("-", "handshakes with a token, closed at once", handshakes),
}

if __name__ == "__main__":
    ATTACKS[sys.argv[1]].run(Target(sys.argv[2]))
