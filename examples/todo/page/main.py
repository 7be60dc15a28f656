"""A shared list: what anybody adds or ticks is there for all, once and in the same order."""

import asyncio
from typing import Any

import js
from pyodide.ffi import create_proxy

from kizuna import KIZUNA, connect
from kizuna.browser import IndexedDb, WebLocks
from kizuna.delivery import Channels, Item, Receipt, Reset, Start

element: Any = js.document.getElementById
boxes: dict[Any, Any] = {}  # by the id of the item that added them
connection = connect("ws", wire=KIZUNA)
channels = Channels(connection, IndexedDb("todo"), WebLocks())
todo = channels.open("todo", at=Start.BEGINNING)


async def follow() -> None:
    connection.subscribe(lambda state: state.status, element("status").replaceChildren)
    channels.on_progress(show_waiting)
    async with connection:
        async for change in todo:
            if isinstance(change, Item):
                show(change.data, change.client_message_id)
            elif isinstance(change, Reset):  # the server has another list now
                element("list").replaceChildren()


def show(data: Any, name: str | None) -> None:
    if "add" in data:
        row, label, box = map(js.document.createElement, ("li", "label", "input"))
        box.type, box.value, boxes[name] = "checkbox", name, box
        label.append(box, str(data["add"]))  # a text node: what people write never becomes HTML
        element("list").appendChild(row).append(label)
    elif data.get("tick") in boxes:
        boxes[data["tick"]].checked = bool(data.get("done"))


def show_waiting(_: Receipt) -> None:
    waiting = [f"{each.data.get('add', 'a tick')}: {each.failure or each.state}\n" for each in todo.waiting]
    element("waiting").replaceChildren(*waiting)


async def add(event: js.Event) -> None:
    element("add").disabled = True
    await todo.send({"add": element("text").value})  # kept now: it outlives this page
    element("form").reset()
    element("add").disabled = False


async def tick(event: js.Event) -> None:
    await todo.send({"tick": event.target.value, "done": event.target.checked})


element("form").addEventListener("submit", create_proxy(add))
element("list").addEventListener("change", create_proxy(tick))
element("add").disabled = False
tasks = {asyncio.ensure_future(follow())}
