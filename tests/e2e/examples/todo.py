"""The to-do example as people run it: its server, its pages and its bot, with connections that notice faults soon."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, NamedTuple

from playwright.sync_api import Page, expect

from tests.support.process import LOOPBACK, ROOT, Process, free_port
from tests.support.waiting import PATIENCE
from tools.examples import EXAMPLES, prepare

#: In place of the defaults, by which a silent link is noticed after 45 s.
OPTIONS = {
    "first_retry_delay": 0.1,
    "heartbeat_interval": 1.0,
    "pong_timeout": 2.0,
    "probe_timeout": 2.0,
    "connect_timeout": 5.0,
    "stable_after": 1.0,
    "idle_retry_interval": 1.0,
}
#: What the list shows: the text of each item, and whether it is ticked.
ITEMS = """() => [...document.querySelectorAll("#list li")].map((row) =>
    [row.textContent, row.querySelector("input").checked])"""


def noticing_soon(source: str) -> str:
    """Return the program with OPTIONS for its connection."""
    changed = source.replace(
        "wire=KIZUNA)", f"wire=KIZUNA, options=__import__('kizuna').Options(**{OPTIONS}))"
    )
    assert changed != source
    return changed


class Change(NamedTuple):
    """One item of the channel."""

    seq: int
    data: dict[str, Any]


class TodoServer:
    """The example's server, with a port and a file that survive restarts. It is stopped in turn by either signal."""

    def __init__(self, folder: Path) -> None:
        self.folder = prepare("todo", folder / "todo")
        main = self.folder / "page" / "main.py"
        main.write_text(noticing_soon(main.read_text(encoding="utf-8")), encoding="utf-8")
        self.port = free_port()
        self.output = ""
        self.stopped_by: list[int] = []
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.is_running

    def start(self) -> None:
        """Start, and wait until it listens."""
        variables = {"PORT": str(self.port), "DATA": str(self.folder / "todo.sqlite3")}
        command = sys.executable, "server.py"
        self._process = Process(*command, env={**os.environ, **variables}, cwd=self.folder)
        self._process.wait_for("Uvicorn running on")

    def stop(self, with_signal: int) -> int:
        """Send a signal, and return the exit code."""
        process, self._process = self._process, None
        assert process is not None
        code = process.end(with_signal)
        self.output += process.output
        self.stopped_by.append(with_signal)
        return code

    def kill(self) -> None:
        """Stop it by SIGTERM and SIGKILL in turn."""
        self.stop(SIGKILL if len(self.stopped_by) % 2 else SIGTERM)

    def log(self) -> list[Change]:
        """Return all changes, from the file."""
        with contextlib.closing(sqlite3.connect(self.folder / "todo.sqlite3")) as database:
            rows = database.execute("SELECT seq, data FROM items WHERE room = 'todo' ORDER BY seq").fetchall()
        return [Change(seq, json.loads(data)) for seq, data in rows]


class Bot:
    """The bot, with a folder that survives its end."""

    def __init__(self, url: str, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._url = f"{url.replace('http', 'ws', 1)}/ws"
        self._program = folder / "bot.py"
        source = (EXAMPLES / "bot.py").read_text(encoding="utf-8")
        self._program.write_text(noticing_soon(source), encoding="utf-8")
        self.start()

    def start(self) -> None:
        """Start."""
        env = {**os.environ, "PYTHONPATH": str(ROOT / "app"), "PYTHONUNBUFFERED": "1"}
        self.process = Process(sys.executable, str(self._program), self._url, str(self._folder), env=env)

    def say(self, line: str) -> None:
        """Give it a line."""
        self.process.type(f"{line}\n")

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.end(SIGKILL)

    @property
    def waiting(self) -> int:
        """How many messages are kept in its file."""
        with contextlib.closing(sqlite3.connect(self._folder / "bot.sqlite3")) as database:
            return int(database.execute("SELECT count(*) FROM kizuna").fetchone()[0])

    @property
    def kept(self) -> list[str]:
        """The lines that it has kept since its start."""
        return [words for first, words in self._lines() if first == "kept"]

    @property
    def changes(self) -> list[Change]:
        """What it has printed since its start."""
        return [
            Change(int(first), ast.literal_eval(data)) for first, data in self._lines() if first.isdigit()
        ]

    def _lines(self) -> Iterator[tuple[str, str]]:
        whole = self.process.output.rpartition("\n")[0]
        for line in whole.splitlines():
            first, _, rest = line.partition(" ")
            yield first, rest


class TodoPage:
    """One page of the list."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def status(self) -> str:
        """What the page says of its connection."""
        return self.page.locator("#status").inner_text()

    def wait_until(self, status: str) -> None:
        """Wait for the status."""
        expect(self.page.locator("#status")).to_have_text(status, timeout=PATIENCE * 1000)

    def add(self, text: str) -> None:
        """Add an item, and wait until it is kept."""
        self.page.locator("#text").fill(text)
        self.page.locator("#text").press("Enter")
        expect(self.page.locator("#text")).to_have_value("")

    def tick(self, text: str) -> None:
        """Tick an item."""
        self.page.get_by_label(text, exact=True).click()

    @property
    def items(self) -> list[tuple[str, bool]]:
        """What the list shows."""
        return [(text, done) for text, done in self.page.evaluate(ITEMS)]

    @property
    def waiting(self) -> list[str]:
        """What waits, with its state."""
        return self.page.locator("#waiting").inner_text().splitlines()
