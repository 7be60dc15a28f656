"""The parts of docs/library/protocol.md that are made from the code: frames, numbers, checks, and a conversation."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args, get_type_hints

from sphinx.pycode import ModuleAnalyzer

from chat import protocol
from kizuna import KIZUNA, connect
from kizuna.delivery import Channels, frames
from kizuna.delivery.frames import RESERVED, MalformedFrame, parse
from kizuna.testing import FakeChannelServer, FakePlatform, FakeSocket
from kizuna.testing.conformance import CHECKS, sentence
from tools.reports.documents import table

#: What a client of delivery sends. The others of this project's server are its chat's own.
ACTIONS = ("hello", "join", "leave", "sendMessage", "sync", "history", "ping")
#: Fields of this project's chat in its frames.
OF_THE_CHAT = {"content"}
#: What delivery reads, each with all its fields.
MESSAGE = {"type": "message", "roomId": "c", "epoch": "e", "seq": 1, "clientMessageId": "i", "messageId": "m"}
DOWN: Mapping[str, tuple[type, dict[str, Any]]] = {
    "message": (frames.MessageFrame, MESSAGE),
    "ack": (frames.AckFrame, {"clientMessageId": "i", "roomId": "c", "epoch": "e", "seq": 1}),
    "nack": (
        frames.NackFrame,
        {"clientMessageId": "i", "code": "c", "message": "m", "retryable": True, "retryAfter": 1.0},
    ),
    "batch": (
        frames.BatchFrame,
        {"roomId": "c", "epoch": "e", "messages": [MESSAGE], "next": 1, "head": 1, "complete": True}
        | {"limited": False, "ref": "r"},
    ),
    "error": (frames.ErrorFrame, {"code": "c", "message": "m", "ref": "r", "roomId": "c"}),
}
HEAD = {"roomId": "c", "epoch": "e", "seq": 1}
#: Constants that a server author needs: module -> names.
CONSTANTS = {
    "kizuna.delivery.frames": ("VERSION", "MAX_INTEGER"),
    "kizuna.delivery.catch_up": ("GAP_DELAY", "HISTORY_LIMIT"),
    "kizuna.delivery.requests": ("REQUEST_TIMEOUT", "MAX_TRIES"),
    "kizuna.delivery.outbox": ("DEFAULT_LIMIT", "ACK_TIMEOUT", "MAX_ACK_TIMEOUT"),
    "kizuna.delivery.sender": ("MIN_PAUSE", "MAX_PAUSE"),
    "kizuna.delivery.pending_message": ("MAX_AGE_MS",),
}


def up_table() -> str:
    """Return a row for each frame that a client sends, as this project's server reads it."""
    rows = []
    for action in ACTIONS:
        frame = protocol.UP_FRAMES[action]
        rows.append((f"`{action}`", _fields_of(frame), _words(frame)))
    return table(["`action`", "its fields", "means"], rows, words=3)


def _fields_of(part: type[Any]) -> str:
    named = []
    for each in fields(part):
        name = _camel(each.name)
        if name == "rooms":
            inner = ", ".join(_camel(field.name) for field in fields(protocol.RoomPosition))
            named.append(f"`rooms`: a list of `{{{inner}}}`")
        elif name not in OF_THE_CHAT:
            named.append(f"`{name}`")
    if part is protocol.SendMessage:
        named.append("the payload's own keys")
    return ", ".join(named)


def down_table() -> str:
    """Return a row for each field of the frames that delivery reads, and whether its parser can do without."""
    rows = []
    for kind, (frame, sample) in DOWN.items():
        for name in sample:
            if name in ("type", "messageId"):
                continue
            needed = _is_malformed({"type": kind, **{key: sample[key] for key in sample.keys() - {name}}})
            rows.append(_row(kind, name, frame, needed))
    for name in HEAD:
        without = {key: value for key, value in HEAD.items() if key != name}
        needed = _is_malformed({"type": "pong", "heads": [without]})
        rows.append(_row("pong", name, frames.Head, needed, "heads[].{}"))
    return table(["`type`", "field", "JSON", "needed", "means"], rows, words=5)


def _row(kind: str, name: str, frame: type, needed: bool, form: str = "{}") -> tuple[str, ...]:
    read = vars(frame)[_snake(name)]
    return (
        f"`{kind}`",
        f"`{form.format(name)}`",
        _type_of(read.fget),
        "yes" if needed else "no",
        _words(read),
    )


def _words(thing: object) -> str:
    """Return a docstring in the words of JSON, for Markdown."""
    words = " ".join((thing.__doc__ or "").split()).replace("``", "`")
    return _camel(re.sub(r"\bNone\b", "null", words))


def _type_of(read: Callable[..., object]) -> str:
    kind = get_type_hints(read)["return"]
    words = {str: "text", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    return " or ".join(
        words.get(each, "list") for each in (get_args(kind) if type(None) in get_args(kind) else [kind])
    )


def _is_malformed(frame: Mapping[str, Any]) -> bool:
    try:
        parse(frame)
    except MalformedFrame:
        return True
    return False


def reserved_list() -> str:
    """Return the keys that a payload cannot have."""
    return ", ".join(f"`{name}`" for name in sorted(RESERVED))


def numbers_table() -> str:
    """Return a row for each number of the client that a server meets."""
    rows = []
    for module, names in CONSTANTS.items():
        comments = ModuleAnalyzer.for_module(module).find_attr_docs()
        values = vars(importlib.import_module(module))
        for name in names:
            words = " ".join(line.strip() for line in comments["", name]).strip()
            rows.append((f"`{module.removeprefix('kizuna.')}.{name}`", f"{values[name]:,}", words))
    return table(["in `kizuna`", "value", "means"], rows, words=3)


def checks_table() -> str:
    """Return a row for each check of the conformance suite."""
    rows = [(str(number), sentence(name), f"`{name}`") for number, name in enumerate(CHECKS, 1)]
    return table(["", "a server must", "check"], rows, words=3)


def conversation() -> str:
    """Return what a client and the fake server say, from hello to an item of somebody else."""
    return f"```text\n{asyncio.run(_conversation())}\n```"


async def _conversation() -> str:
    said: list[str] = []
    platform = FakePlatform(server := _Listening(said))
    connection = connect("wss://example.org/ws", wire=KIZUNA, platform=platform)
    connection.on_message(lambda frame: said.append(f"server  {json.dumps(frame)}"))
    orders = Channels(connection).open("orders")
    await platform.connected(connection)
    receipt = await orders.send({"sku": 7})
    await receipt.stored()
    await platform.settle()
    server.put("orders", {"sku": 8})
    await platform.advance(1)
    connection.disconnect()
    return "\n".join(said).replace(receipt.id, "own-1")


class _Listening(FakeChannelServer):
    """Writes down what it hears."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def take(self, socket: FakeSocket, data: str | bytes) -> None:
        self._said.append(f"client  {json.dumps(json.loads(data))}")
        super().take(socket, data)


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", name)
