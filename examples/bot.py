"""A bot for the list of examples/todo: prints each change, and adds what it reads, a line each; "x milk" ticks milk.

python examples/bot.py ws://127.0.0.1:8000/ws    # pip install 'kizuna[aio]'

What it has read is kept in a file until the server has it: killed and started again, it loses and repeats nothing.
"""

import asyncio
import contextlib
import sys
import threading
from pathlib import Path

from kizuna import KIZUNA, connect
from kizuna.aio import FileLocks, SqliteStorage
from kizuna.delivery import Channel, Channels, Item, Start

names: dict[object, str | None] = {}  # what was added -> the id of its item


async def main(url: str, folder: Path) -> None:
    connection = connect(url, wire=KIZUNA)
    channels = Channels(connection, SqliteStorage(folder / "bot.sqlite3"), FileLocks(folder / "bot.locks"))
    channels.on_progress(lambda receipt: receipt.failure and print("failed", receipt.failure, flush=True))
    todo = channels.open("todo", at=Start.BEGINNING)
    async with connection, asyncio.TaskGroup() as tasks:
        tasks.create_task(send_lines(todo))
        async for change in todo:
            if isinstance(change, Item):
                names[change.data.get("add")] = change.client_message_id
                print(change.seq, dict(change.data), flush=True)
            else:
                print(change, flush=True)


async def send_lines(todo: Channel) -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    threading.Thread(target=read, args=[asyncio.get_running_loop(), lines], daemon=True).start()
    while line := await lines.get():
        verb, _, text = line.partition(" ")
        data = {"tick": names.get(text), "done": True} if verb == "x" else {"add": line}
        await todo.send(data)
        print("kept", line, flush=True)


def read(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(lines.put_nowait, line.strip())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else ".")))
