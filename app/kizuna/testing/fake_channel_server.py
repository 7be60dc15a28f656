"""A fake server of wire KIZUNA for programs on ``Channels``: it numbers, stores, acknowledges and catches up.

server = FakeChannelServer()
platform = FakePlatform(server)
connection = connect("wss://example.org/ws", wire=KIZUNA, platform=platform)
orders = Channels(connection).open("orders")
await platform.connected(connection)
server.put("orders", {"sku": 7})                 # somebody else sends an item
assert (await anext(orders)).data == {"sku": 7}
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from kizuna.delivery.frames import EMPTY_EPOCH, RESERVED, VERSION
from kizuna.testing.fake_server import FakeClient, FakeServer
from kizuna.wire import KIZUNA


class FakeLog:
    """The items of one channel, as frames. ``epoch``: EMPTY_EPOCH until the first one."""

    def __init__(self) -> None:
        self.epoch = EMPTY_EPOCH
        self.items: list[dict[str, Any]] = []
        self.ids: dict[str, int] = {}  #: the numbers of stored messages, by their client message ids

    def batch(self, name: str, items: list[dict[str, Any]], ref: str | None, **fields: Any) -> dict[str, Any]:
        """Return a batch of this channel."""
        frame = {"type": "batch", "roomId": name, "epoch": self.epoch, "ref": ref, "messages": items}
        return {**frame, "head": len(self.items), "complete": True, "limited": False, "next": None, **fields}


class FakeChannelServer(FakeServer):
    """A fake server that keeps the items of its channels in memory. To it all clients are one person.

    Args:
        page: The most items in a batch.
        gap: The most items that are replayed; after a larger gap the newest page is sent, marked ``limited``.
    """

    def __init__(self, *, page: int = 100, gap: int = 500) -> None:
        super().__init__(wire=KIZUNA)
        self.logs: dict[str, FakeLog] = {}  #: by channel
        self._page = page
        self._gap = gap
        self._entered: WeakKeyDictionary[FakeClient, set[str]] = WeakKeyDictionary()  # after hello
        self._epochs = itertools.count(1)
        self._ids = itertools.count(1)
        self.handlers: dict[str, Callable[[FakeClient, Mapping[str, Any]], object]] = {  #: by action
            "hello": self.on_hello,
            "join": self.on_join,
            "leave": lambda client, frame: self._entered[client].discard(_text(frame, "roomId")),
            "sendMessage": self.on_message,
            "sync": lambda client, frame: client.send(self.after(frame, frame.get("ref"))),
            "history": self.on_history,
        }

    # what the test does

    def put(self, channel: str, data: Mapping[str, Any]) -> int:
        """Store an item of somebody else, send it to everybody in the channel, and return its number."""
        item = self.stored(channel, f"theirs-{next(self._ids)}", data)
        self.send_item(channel, item)
        return len(self.logs[channel].items)

    def replace_history(self, channel: str, keep: int = 0) -> None:
        """Give the channel another history, as a restored backup does: of its first ``keep`` items, in a new epoch."""
        log = self.log(channel)
        log.epoch = self.new_epoch()
        log.items = [{**item, "epoch": log.epoch} for item in log.items[:keep]]
        log.ids = {name: seq for name, seq in log.ids.items() if seq <= keep}

    # what a server with faults does otherwise

    def on_open(self, client: FakeClient) -> None:
        """Say nothing: hello comes first."""

    def on_ping(self, client: FakeClient) -> None:
        """Answer with the newest numbers of the client's channels."""
        self._pong(client, round(client.now().monotonic * 1000))

    def on_frame(self, client: FakeClient, frame: Any) -> None:
        """Handle a frame; answer one that cannot be handled with an error or a nack."""
        if not isinstance(frame, dict):
            client.send(_error("malformed_frame", "must be one JSON object"))
        elif frame.get("action") == "ping":
            self._pong(client, frame.get("t"))
        elif not isinstance(action := frame.get("action"), str) or action not in self.handlers:
            client.send(_error("unknown_frame", f"unknown action {action!r}"))
        elif action != "hello" and client not in self._entered:
            client.send(_error("hello_first", f"say hello before {action}"))
        else:
            try:
                self.handlers[action](client, frame)
            except ValueError as error:
                client.send(_refusal(frame, str(error)))

    def on_hello(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        """Say ready, enter the channels, then read them."""
        if frame.get("v") != VERSION:
            client.send({"type": "bye", "reason": "unsupported", "reconnect": False})
            client.close(1008)
            return
        positions = [position for position in frame.get("rooms", ()) if isinstance(position, dict)]
        self._entered[client] = {_text(position, "roomId") for position in positions}
        client.send(self.ready(client))
        for position in positions:
            client.send(self.after(position, None))

    def on_join(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        """Enter a channel, then read it."""
        self._entered[client].add(_text(frame, "roomId"))
        client.send(self.after(frame, frame.get("ref")))

    def on_message(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        """Store a message unless it is there already, acknowledge it, and send its item."""
        channel, message_id = _text(frame, "roomId"), _text(frame, "clientMessageId")
        log = self.log(channel)
        known = log.ids.get(message_id)
        item = log.items[known - 1] if known else self.stored(channel, message_id, frame)
        client.send({**self.ack(item), "duplicate": known is not None})
        if not known:
            self.send_item(channel, item)

    def on_history(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        """Send the items before a number."""
        channel, before = _text(frame, "roomId"), _number(frame, "before")
        limit = min(_number({"limit": self._page, **frame}, "limit"), self._page)
        log = self.log(channel)
        first = max(min(before - 1, len(log.items)) - limit, 0)
        items, complete = log.items[first : before - 1], first == 0
        following = None if complete else first + 1
        client.send(log.batch(channel, items, frame.get("ref"), complete=complete, next=following))

    def ready(self, client: FakeClient) -> dict[str, Any]:
        """Return the answer to hello."""
        return {"type": "ready"}

    def ack(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ack of an item."""
        keys = ("roomId", "epoch", "seq", "clientMessageId", "messageId")
        return {"type": "ack", **{key: item[key] for key in keys}}

    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        """Return the batch for a client at ``position``."""
        channel, epoch = _text(position, "roomId"), position.get("epoch")
        log = self.log(channel)
        head = len(log.items)
        after = None if position.get("after") is None else _number(position, "after")
        is_known = epoch in (None, log.epoch) or (epoch == EMPTY_EPOCH and after == 0)
        if after is None or after > head or not is_known:
            return log.batch(channel, log.items[-self._page :], ref)
        if head - after > self._gap:
            return log.batch(channel, log.items[-self._page :], ref, limited=True)
        items = log.items[after : after + self._page]
        complete = after + len(items) == head
        return log.batch(
            channel, items, ref, complete=complete, next=None if complete else after + len(items)
        )

    def stored(self, channel: str, message_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Store an item, and return it."""
        log = self.log(channel)
        if log.epoch == EMPTY_EPOCH:
            log.epoch = self.new_epoch()
        seq = len(log.items) + 1
        own = {"type": "message", "roomId": channel, "epoch": log.epoch, "seq": seq}
        ids = {"messageId": f"m{seq}", "clientMessageId": message_id}
        payload = {key: value for key, value in data.items() if key not in RESERVED}
        log.items.append({**own, **ids, **payload})
        log.ids[message_id] = seq
        return log.items[-1]

    def send_item(self, channel: str, item: Mapping[str, Any]) -> None:
        """Send an item to everybody in its channel."""
        for client in self.clients_in(channel):
            client.send(item)

    def clients_in(self, channel: str) -> list[FakeClient]:
        """Return the open connections that have entered a channel, the oldest first."""
        return [client for client in self.clients if channel in self._entered.get(client, ())]

    def log(self, channel: str) -> FakeLog:
        """Return the items of a channel."""
        return self.logs.setdefault(channel, FakeLog())

    def new_epoch(self) -> str:
        """Return a name that no history has had."""
        return f"epoch-{next(self._epochs)}"

    def heads(self, client: FakeClient) -> list[dict[str, Any]]:
        """Return the newest numbers of the client's channels."""
        logs = {channel: self.log(channel) for channel in sorted(self._entered.get(client, ()))}
        return [
            {"roomId": channel, "epoch": log.epoch, "seq": len(log.items)} for channel, log in logs.items()
        ]

    def _pong(self, client: FakeClient, t: Any) -> None:
        client.send({"type": "pong", "t": t, "heads": self.heads(client)})


def _text(frame: Mapping[str, Any], name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: must be text")
    return value


def _number(frame: Mapping[str, Any], name: str) -> int:
    value = frame.get(name)
    if type(value) is not int or value < 0:
        raise ValueError(f"{name}: must be a whole number")
    return value


def _error(code: str, message: str, ref: Any = None) -> dict[str, Any]:
    return {"type": "error", "code": code, "message": message, "ref": ref}


def _refusal(frame: Mapping[str, Any], problem: str) -> dict[str, Any]:
    message_id = frame.get("clientMessageId")
    if frame["action"] != "sendMessage" or not isinstance(message_id, str):
        return _error("invalid_field", problem, frame.get("ref"))
    nack = {"type": "nack", "clientMessageId": message_id, "code": "invalid_field", "message": problem}
    return {**nack, "retryable": False, "retryAfter": None}
