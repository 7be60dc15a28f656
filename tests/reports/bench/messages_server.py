"""The servers of the benchmark of messages, the same for all pages.

Pages, tokens and tickets come from a plain HTTP server, messages from a plain `websockets` server, which sends as fast
as the page reads and drops nobody. It speaks both wires, each under its own path.
"""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from backend.local.static_files import MEDIA_TYPES
from tests.support.server import LOOPBACK

KIZUNA, ARTICLE = WIRES = ("kizuna", "article")
ROOM, EPOCH, PERSON = "general", "e1", "id-of-ada"
START = 1_800_000_000_000
#: Messages of a first page, as the real server sends.
FIRST_PAGE = 50
#: Every so many messages one is sent again, if duplicates are wanted.
DUPLICATE_EVERY = 10
SLICE_BYTES = 32 * 1024
TURNS_A_SECOND = 100


def content_of(seq: int) -> str:
    """Return the text of a message, different from that of any other."""
    return f"Message {seq}: what one person writes to the others in a chat"


def message(seq: int, wire: str, room: str = ROOM) -> dict[str, Any]:
    """Return a frame. The same person writes three in a row."""
    person = seq // 3 % 8
    fields = {
        "type": "message",
        "messageId": f"m{seq}",
        "senderId": f"id-of-{person}",
        "senderName": f"Person {person}",
        "content": content_of(seq),
        "timestamp": START + seq,
    }
    if wire == KIZUNA:
        fields |= {"roomId": room, "epoch": EPOCH, "seq": seq, "clientMessageId": f"c{seq}"}
    return fields


def frames_of(first: int, count: int, wire: str, *, duplicates: bool = False) -> list[bytes]:
    """Return the messages from ``first`` on as bytes of the wire, with ``duplicates`` each tenth one twice."""
    frames = []
    for seq in range(first, first + count):
        frames.append(encoded(message(seq, wire)))
        if duplicates and seq % DUPLICATE_EVERY == 0:
            frames.append(frames[-3])  # a message between two others
    return frames


def encoded(frame: object) -> bytes:
    """Return a text frame of the WebSocket protocol, from a server."""
    text = json.dumps(frame, ensure_ascii=False, separators=(",", ":")).encode()
    return Frame(Opcode.TEXT, text).serialize(mask=False)


class BenchServer:
    """The WebSocket server, for one page at a time.

    ``heads``: room -> the newest seq that was written. ``acknowledges``: whether sent messages are answered.
    """

    def __init__(self) -> None:
        self.port = 0
        self.joined = asyncio.Event()  #: the page is connected, and has what it asked for first
        self.heads: dict[str, int] = {}
        self.acknowledges = True
        self.acknowledged = 0
        self._written: dict[tuple[str, int], dict[str, Any]] = {}  # by room and seq, what the page sent
        self._connection: ServerConnection | None = None

    def url(self, wire: str) -> str:
        """Return the address for pages of a wire."""
        return f"ws://{LOOPBACK}:{self.port}/{wire}"

    def reset(self) -> None:
        """Forget all messages, before another page comes."""
        self.joined.clear()
        self.heads.clear()
        self._written.clear()
        self.acknowledges, self.acknowledged = True, 0

    async def burst(self, frames: Sequence[bytes], count: int) -> None:
        """Send the frames of ``count`` messages as fast as the page reads."""
        parts = []
        size = sent = 0
        for number, frame in enumerate(frames, 1):
            parts.append(frame)
            size += len(frame)
            if size >= SLICE_BYTES or number == len(frames):
                sent = number * count // len(frames)
                await self._write(b"".join(parts), sent)
                parts, size = [], 0

    async def flow(self, frames: Sequence[bytes], rate: int) -> None:
        """Send ``rate`` frames a second, fewer if the page does not keep up."""
        loop = asyncio.get_running_loop()
        begun, step = loop.time(), rate // TURNS_A_SECOND
        for turn, at in enumerate(range(0, len(frames), step), 1):
            part = frames[at : at + step]
            await self._write(b"".join(part), at + len(part))
            await asyncio.sleep(begun + turn / TURNS_A_SECOND - loop.time())

    async def spread(self, count: int, rooms: Sequence[str]) -> None:
        """Send ``count`` messages, each to the next of the rooms; the last one goes to the last room."""
        for number in range(count):
            room = rooms[(number - count) % len(rooms)]
            seq = self.heads[room] = self.heads.get(room, 0) + 1
            await self._write(encoded(message(seq, KIZUNA, room)))

    async def _write(self, data: bytes, head: int | None = None) -> None:
        connection = self._connection
        assert connection is not None, "no page is connected"
        if connection.state is not State.OPEN:  # the page has closed
            return
        connection.transport.write(data)
        if head is not None:
            self.heads[ROOM] = head
        await connection.drain()

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one page until it closes."""
        assert connection.request is not None
        self._connection = connection
        wire = urlsplit(connection.request.path).path.strip("/")
        if wire == ARTICLE:
            self.joined.set()
        try:
            async for text in connection:
                for frame in self._answers(json.loads(text), wire):
                    await self._write(encoded(frame))
        except ConnectionClosed:
            pass  # pages are closed without a word

    def _answers(self, asked: dict[str, Any], wire: str) -> Iterator[dict[str, Any]]:
        match asked["action"]:
            case "sendMessage":
                yield from self._stored(asked, wire)
            case _ if wire == ARTICLE:
                return
            case "hello":
                yield {"type": "ready", "connectionId": "c=", "userId": PERSON, "serverTime": START, "v": 1}
                yield from (self._after(room) for room in asked["rooms"])
                self.joined.set()
            case "join" | "sync":
                yield self._after(asked)
            case "history":
                yield self._before(asked)
            case "ping":
                heads = [{"roomId": room, "epoch": EPOCH, "seq": head} for room, head in self.heads.items()]
                yield {"type": "pong", "t": asked.get("t"), "heads": heads}

    def _stored(self, asked: dict[str, Any], wire: str) -> Iterator[dict[str, Any]]:
        if not self.acknowledges:
            return
        room = asked.get("roomId", ROOM)
        seq = self.heads[room] = self.heads.get(room, 0) + 1
        own = {"senderId": PERSON, "senderName": "Ada", "content": asked["content"]}
        stored = message(seq, wire, room) | own | {"clientMessageId": asked["clientMessageId"]}
        self._written[room, seq] = stored
        self.acknowledged += 1
        if wire == KIZUNA:
            names = ("clientMessageId", "roomId", "epoch", "messageId", "seq", "timestamp")
            yield {"type": "ack", **{name: stored[name] for name in names}}
        yield stored

    def _after(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to hello, join and sync."""
        head, after = self.heads.get(asked["roomId"], 0), asked.get("after")
        first = max(1, head - FIRST_PAGE + 1) if after is None else after + 1
        last = min(head, first + 99)
        return self._batch(asked, first, last, next=last, complete=last == head)

    def _before(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to history."""
        first = max(1, asked["before"] - asked.get("limit", 100))
        return self._batch(
            asked, first, asked["before"] - 1, next=first if first > 1 else None, complete=first == 1
        )

    def _batch(self, asked: dict[str, Any], first: int, last: int, **fields: Any) -> dict[str, Any]:
        room = asked["roomId"]
        seqs = range(first, last + 1)
        messages = [self._written.get((room, seq)) or message(seq, KIZUNA, room) for seq in seqs]
        told = {"roomId": room, "epoch": EPOCH, "ref": asked.get("ref"), "head": self.heads.get(room, 0)}
        return {"type": "batch", **told, "messages": messages, **fields}


@asynccontextmanager
async def bench_server() -> AsyncIterator[BenchServer]:
    """Run the WebSocket server."""
    bench = BenchServer()
    async with serve(bench.serve, LOOPBACK, 0, compression=None, ping_interval=None, max_size=None) as server:
        bench.port = next(iter(server.sockets)).getsockname()[1]
        yield bench


class _Pages(SimpleHTTPRequestHandler):
    extensions_map = MEDIA_TYPES

    def do_POST(self) -> None:
        """Answer as the endpoints of tokens and tickets."""
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = {"token": "t", "ticket": "t", "userId": PERSON, "expiresIn": 36_000}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class _Host(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about browsers that close while they load."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def page_host(folder: Path) -> Iterator[str]:
    """Serve a folder of pages; yield its address."""
    handler = functools.partial(_Pages, directory=str(folder))
    with _Host((LOOPBACK, 0), handler) as host:
        threading.Thread(target=host.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{host.server_address[1]}"
        host.shutdown()
