"""The two servers of the fan-out benchmark, each in a process of its own, told on stdin what to do.

    python -m tests.reports.bench.fanout_servers kizuna FOLDER    the local server, as `make run` starts it, unlimited
    python -m tests.reports.bench.fanout_servers bare             websockets' own server and its broadcast

Each line of stdin is a request in JSON, each line of stdout its answer; at the end of stdin the server ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from websockets.asyncio.server import ServerConnection, broadcast, serve

from backend.gateway.base import Delivery
from backend.local.app import Options, Service
from backend.local.protocols import Bounds
from backend.local.server import (
    SWITCH_SECONDS,
    allow_many_connections,
    bind,
    serve as serve_kizuna,
    set_up_logging,
)
from backend.local.web import create_app
from backend.store.base import Item
from tests.support.process import LOOPBACK
from tests.support.server import secret_of

ROOM = "general"
#: Of connections that wait to be accepted: as the local server has it.
BACKLOG = 2048

#: Takes a request, and returns its answer.
Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def obey(answer: Answer, end: Callable[[], object]) -> None:
    """Answer each line of stdin in a thread of its own, as the handlers have theirs; then ``end``."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the server prints is no answer

    def run() -> None:
        try:
            for line in sys.stdin:
                print(json.dumps(answer(json.loads(line))), file=answers, flush=True)
        finally:
            end()

    threading.Thread(target=run, daemon=True).start()


# --- the local server ---


class Kizuna:
    """What is asked of the local server: tokens, frames to all connections, and the rows that were read."""

    def __init__(self, service: Service, port: int) -> None:
        self._service = service
        self._port = port
        self._rows: Counter[int] = Counter()  #: rows that a query of the room's members read -> how many such
        self._lock = threading.Lock()
        query = service.store.query

        def counted(pk: str, **how: Any) -> list[Item]:
            items = query(pk, **how)
            if pk == f"ROOM#{ROOM}":
                with self._lock:
                    self._rows[len(items)] += 1
            return items

        service.store.query = counted  # type: ignore[method-assign]

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Do what is asked."""
        if request["do"] == "paths":
            names = [f"person {number}" for number in range(request["count"])]
            tokens = [self._service.tokens.issue(name, secret_of(name)).token for name in names]
            return {"port": self._port, "paths": [f"/ws?token={token}" for token in tokens]}
        if request["do"] == "post":
            return self._post(request["frames"], request["text"])
        with self._lock:
            rows, self._rows = self._rows, Counter()
        total = sum(count * times for count, times in rows.items())
        return {"queries": rows.total(), "rows": total, "most": max(rows, default=0)}

    def _post(self, frames: int, text: str) -> Mapping[str, Any]:
        gateway = self._service.gateway
        ids = gateway.connection_ids()
        began, taken = [], 0
        for _ in range(frames):
            began.append(time.monotonic_ns())
            taken += list(gateway.post_many(ids, text).values()).count(Delivery.DELIVERED)
        return {"began": began, "taken": taken}


def run_kizuna(folder: Path) -> None:
    """Serve as backend.local.server does, for any rate of anything."""
    options = Options(
        data=folder / "kizuna.sqlite3",
        port=0,
        rate_limit=0,
        frame_limit=0,
        typing_seconds=0,
        hello_limit=0,
        ask_limit=0,
        most_connections=0,
        token_limit=0,
        ticket_limit=0,
        bounds=Bounds(address_connections=0),
    )
    listener = bind(options.host, options.port)
    app = create_app(options)
    sys.setswitchinterval(SWITCH_SECONDS)
    kizuna = Kizuna(app.state.service, listener.getsockname()[1])
    obey(kizuna.answer, lambda: os.kill(os.getpid(), signal.SIGTERM))
    asyncio.run(serve_kizuna(app, listener, options))


# --- the bare one ---


async def run_bare() -> None:
    """Serve with websockets alone: what one connection says is broadcast to all."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    connections: set[ServerConnection] = set()

    async def talk(connection: ServerConnection) -> None:
        connections.add(connection)
        try:
            async for text in connection:
                broadcast(connections, text)
        finally:
            connections.discard(connection)

    async def post(frames: int, text: str) -> Mapping[str, Any]:
        began = []
        for _ in range(frames):
            began.append(time.monotonic_ns())
            broadcast(connections, text)
        return {"began": began, "taken": frames * len(connections)}

    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        if request["do"] == "paths":
            return {"port": port, "paths": ["/"] * request["count"]}
        return asyncio.run_coroutine_threadsafe(post(request["frames"], request["text"]), loop).result()

    async with serve(talk, LOOPBACK, 0, ping_interval=None, backlog=BACKLOG) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        obey(answer, lambda: loop.call_soon_threadsafe(over.set))
        await over.wait()


def main() -> None:
    """Serve until stdin ends."""
    allow_many_connections()
    set_up_logging()
    if sys.argv[1] == "bare":
        asyncio.run(run_bare())
    else:
        run_kizuna(Path(sys.argv[2]))


if __name__ == "__main__":
    main()
