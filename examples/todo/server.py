"""A shared list: a server of wire KIZUNA in Starlette and SQLite, for payloads of any kind, and of the page's files."""
# pip install starlette uvicorn websockets; python server.py    # HOST, PORT, DATA: in the environment

import asyncio
import contextlib
import json
import os
import secrets
import sqlite3
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

Frame = dict[str, Any]
PAGE, LARGEST = 100, 16 * 1024  # items of one batch, characters of one message
ITS_OWN = {"type", "action", "roomId", "epoch", "seq", "messageId", "ref"}  # the wire's; all else is kept
SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS items (room, seq INTEGER, id, data, PRIMARY KEY (room, seq), UNIQUE (room, id));
CREATE TABLE IF NOT EXISTS life (epoch); -- empty it in a restored backup: that is another history
INSERT INTO life SELECT lower(hex(randomblob(6))) WHERE NOT EXISTS (SELECT * FROM life);
"""


class Log:
    """The items of all rooms, numbered from 1 in each. Nothing awaits in here: no call meets another half-way."""

    def __init__(self, path: str) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.executescript(SCHEMA)
        (self.epoch,) = self.db.execute("SELECT epoch FROM life").fetchone()

    def head(self, room: str) -> Any:
        return self.db.execute("SELECT coalesce(max(seq), 0) FROM items WHERE room = ?", [room]).fetchone()[0]

    def append(self, room: str, name: str, data: str) -> tuple[Frame, bool]:
        """Store an item once, however often it is sent; return it, and whether it is new."""
        new = "INSERT INTO items VALUES (?,?,?,?) ON CONFLICT (room, id) DO UPDATE SET id = id RETURNING seq"
        free = self.head(room) + 1
        (seq,) = self.db.execute(new, [room, free, name, data]).fetchone()
        return self.items(room, seq, seq)[0], seq == free

    def items(self, room: str, first: int, last: int) -> list[Frame]:
        query = "SELECT data, seq FROM items WHERE room = ? AND seq BETWEEN ? AND ? ORDER BY seq"
        about = {"type": "message", "roomId": room, "epoch": self.epoch}
        rows = self.db.execute(query, [room, first, last])
        return [{**json.loads(data), **about, "seq": seq} for data, seq in rows]

    def batch(self, room: str, asked: Frame) -> Frame:
        """Return items before a number, or after it; after None: the newest; of another history: the first."""
        head, after = self.head(room), field(asked, "after", int | None)
        if asked.get("action") == "history":
            last = min(max(1, field(asked, "before", int)) - 1, head)
            first = max(1, last + 1 - min(field(asked, "limit", int), PAGE))
            more = {"next": first, "complete": first == 1}
        else:
            is_other = after is not None and (after > head or asked.get("epoch") not in (None, self.epoch))
            first = 1 if is_other else 1 + (max(0, head - PAGE) if after is None else after)
            last = min(first + PAGE - 1, head)
            more = {"next": last, "complete": last == head}
        about = {"type": "batch", "roomId": room, "epoch": self.epoch, "limited": False, "head": head}
        return {**about, **more, "ref": asked.get("ref"), "messages": self.items(room, first, last)}


class Client:
    """One connection. What it is sent waits in a queue, so that one that reads slowly delays nobody."""

    def __init__(self) -> None:
        self.rooms: set[str] = set()
        self.waiting: asyncio.Queue[Frame] = asyncio.Queue(1000)

    def send(self, **frame: Any) -> None:
        if not self.waiting.full():  # else it reads too slowly, and asks for what it lacks, as after any gap
            self.waiting.put_nowait(frame)

    async def write(self, socket: WebSocket) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it is gone, which talk() notices
            while True:
                await socket.send_text(json.dumps(frame := await self.waiting.get()))
                if frame["type"] == "bye":
                    await socket.close(1008)

    def receive(self, text: str | bytes) -> None:
        frame: Any = {}
        try:
            frame = dict(json.loads(text))
            self.answer(frame["action"], frame)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            known = {"clientMessageId", "roomId", "ref"} & frame.keys()
            names = {name: frame[name] for name in known if isinstance(frame[name], str)}
            kind = "nack" if "clientMessageId" in names else "error"
            self.send(type=kind, code="invalid", message=repr(error), retryable=False, **names)

    def answer(self, action: str, frame: Frame) -> None:
        if action == "hello" and field(frame, "v", int) != 1:
            self.send(type="bye", reason="this server speaks version 1", reconnect=False)
        elif action == "hello":
            self.send(type="ready", v=1, connectionId=secrets.token_hex(6), userId="anybody", expiresIn=None)
            for place in frame["rooms"]:
                self.answer("join", place)
        elif action == "ping":
            heads = [{"roomId": room, "epoch": log.epoch, "seq": log.head(room)} for room in self.rooms]
            self.send(type="pong", t=frame.get("t"), heads=heads)
        elif action in ("join", "sync", "history"):
            self.send(**log.batch(field(frame, "roomId", str), frame))
            self.rooms |= {frame["roomId"]} if action == "join" else set()
        elif action == "leave":
            self.rooms.discard(field(frame, "roomId", str))
        elif action == "sendMessage":
            kept = json.dumps({key: value for key, value in frame.items() if key not in ITS_OWN})
            if len(kept) > LARGEST:
                raise ValueError(f"a message has at most {LARGEST} characters")
            item, is_new = log.append(field(frame, "roomId", str), field(frame, "clientMessageId", str), kept)
            self.send(**{**item, "type": "ack", "duplicate": not is_new})
            for client in [each for each in clients if is_new and frame["roomId"] in each.rooms]:
                client.send(**item)
        else:
            raise ValueError(f"action: {action!r} is not known")


def field(frame: Frame, name: str, kind: Any) -> Any:
    if not isinstance(frame.get(name), kind):
        raise ValueError(f"{name}: missing, or of another type")
    return frame.get(name)


async def talk(socket: WebSocket) -> None:
    await socket.accept()  # anybody: add a sign-in of your own
    clients.add(client := Client())
    writing = asyncio.create_task(client.write(socket))
    try:
        while (event := await socket.receive())["type"] == "websocket.receive":
            client.receive(event.get("text") or event.get("bytes") or "")
    finally:
        clients.discard(client)
        writing.cancel()


log, clients = Log(os.environ.get("DATA", "todo.sqlite3")), set[Client]()
page = StaticFiles(directory=Path(__file__).parent / "page", html=True)
app = Starlette(routes=[WebSocketRoute("/ws", talk), Mount("/", page)])  # FastAPI(routes=...) takes the same

if __name__ == "__main__":  # at SIGTERM uvicorn closes all connections with 1012, and they come back
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    uvicorn.run(app, host=host, port=port, ws_max_size=4 * LARGEST, timeout_graceful_shutdown=2)
