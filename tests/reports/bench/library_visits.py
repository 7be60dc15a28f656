"""The page, its servers and one visit of it, for the benchmark of the library."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.reports.bench.library_message import MESSAGE
from tests.reports.bench.messages_server import SLICE_BYTES, encoded
from tests.support.server import LOOPBACK, ROOT
from tests.support.waiting import PATIENCE

PAGE = Path(__file__).with_name("library_page")
MESSAGE_FILE = Path(__file__).with_name("library_message.py")


def lay_out(folder: Path, library: Path) -> None:
    """Lay the page into a folder, with the library in the folder ``library``."""
    folder.mkdir()
    for path in (*PAGE.iterdir(), MESSAGE_FILE):
        if path.is_file():
            (folder / path.name).symlink_to(path)
    (folder / "vendor").symlink_to(ROOT / "static" / "vendor")
    with zipfile.ZipFile(folder / "kizuna.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(library.rglob("*.py")):
            archive.write(path, Path("kizuna", path.relative_to(library)))


def library_of(source: str, folder: Path) -> Path:
    """Return the folder of another version of the library: ``source`` is that folder, or a commit, which is unpacked
    into ``folder``. Raises SystemExit if it is neither."""
    if Path(source).is_dir():
        return Path(source)
    command = ["git", "archive", source, "app/kizuna"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"--before {source}: neither a folder nor a commit: {done.stderr.decode().strip()}")
    subprocess.run(["tar", "-xf", "-", "-C", str(folder)], input=done.stdout, check=True)
    return folder / "app" / "kizuna"


def wheel_bytes() -> int:
    """Build the wheel, and return its size."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.stat().st_size


async def _serve(connection: ServerConnection) -> None:
    """Answer ["flood", COUNT] with so many messages, and ["count"] with the number of messages that have come."""
    flood = encoded(MESSAGE)
    together = max(1, SLICE_BYTES // len(flood))
    counted = 0
    try:
        async for text in connection:
            match json.loads(text):
                case ["flood", int(count)]:
                    for begin in range(0, count, together):
                        connection.transport.write(flood * min(together, count - begin))
                        await connection.drain()
                case ["count"]:
                    await connection.send(json.dumps(counted))
                case _:
                    counted += 1
    except ConnectionClosed:
        pass  # pages are closed without a word


@contextmanager
def message_server() -> Iterator[str]:
    """Run the WebSocket server in a thread; yield its address. It is the same for all that are compared."""
    ports: list[int] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def run() -> None:
        async with serve(_serve, LOOPBACK, 0, compression=None, ping_interval=None) as server:
            ports.append(next(iter(server.sockets)).getsockname()[1])
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield f"ws://{LOOPBACK}:{ports[0]}/"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


class Cost(NamedTuple):
    """The time that passed, and the part of it that the page's main thread computed."""

    passed: float
    computed: float


class Visit:
    """The page, opened anew in a browser."""

    def __init__(self, browser: Browser, address: str) -> None:
        self._page = browser.new_context().new_page()
        self._cdp = self._page.context.new_cdp_session(self._page)
        self._cdp.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._page.set_default_timeout(PATIENCE * 1000)
        self._page.goto(address, wait_until="commit")
        self._page.wait_for_selector("html[data-ready]", state="attached")

    def ask(self, call: str, *arguments: Any) -> Any:
        """Return what a call of program.py returns."""
        script = "([call, given]) => measure(call, given)"
        return json.loads(self._page.evaluate(script, [call, json.dumps(arguments)]))

    def exchange(self, call: str, count: int, way: str, server: str) -> Cost:
        """Receive or send so many messages, and return the microseconds of each. Raises RuntimeError if the server
        counts others than were sent."""
        self.ask("open", way, server)
        begun = self._computed()
        passed = self.ask(call, count)
        computed = self._computed() - begun
        if call == "send" and (counted := self.ask("count")) != count:
            raise RuntimeError(f"{way}: the server counted {counted} of {count} messages")
        self.ask("close")
        return Cost(passed, 1e6 * computed / count)

    def import_library(self, server: str) -> tuple[Cost, int]:
        """Import the library and make a connection. Return the milliseconds, and the modules that were loaded."""
        begun = self._computed()
        told = self.ask("import", server)
        return Cost(told["milliseconds"], 1e3 * (self._computed() - begun)), told["modules"]

    def _computed(self) -> float:
        """Return the seconds that the page's main thread has computed."""
        told = self._cdp.send("Performance.getMetrics")
        return next(float(each["value"]) for each in told["metrics"] if each["name"] == "TaskDuration")

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self._page.context.close()
