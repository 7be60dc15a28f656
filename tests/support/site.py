"""The built site, for tests: made once, served by the real server or by a host that knows nothing of it, and broken
in copies."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gzip
import json
import os
import shutil
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from tests.support.server import LOOPBACK, ROOT
from tests.support.waiting import PATIENCE
from tools.build.assets import QUICK
from tools.build.page import start_files_of
from tools.build.site import Order, build

#: static/boot/compressed.js: what is this large, is asked for compressed.
WORTH_ASKING = 100_000
#: The page's own module, asked by its address, is the one that has started Python.
RUN_PYTHON = """async ([path, source]) => {
    const { loadPyodide } = await import(new URL(path, document.baseURI).href);
    return (await loadPyodide(console)).runPython(source);
}"""


def build_site(site: Path) -> Path:
    """Build as `make run` does."""
    build(Order(root=ROOT, site=site, config=ROOT / "static" / "config.json", quality=QUICK))
    return site


def shared_site(temporary: pytest.TempPathFactory) -> Path:
    """The site as `make run` builds it, built once for all processes of a test run. Nobody changes it."""
    folder = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "site.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return folder / "site" if (folder / "site").exists() else build_site(folder / "site")


class Copy:
    """Responsible for a copy of the site in which something is wrong."""

    def __init__(self, site: Path, target: Path) -> None:
        # Linked: files are replaced, never written to.
        self.site = Path(shutil.copytree(site, target, copy_function=os.link))
        self._index = self.site / "index.html"

    @property
    def files(self) -> dict[str, Any]:
        """What the page knows of the files of its start."""
        return start_files_of(self._index.read_text(encoding="utf-8"))

    def remove(self, path: str) -> None:
        """Let a file of the site be missing, in every form."""
        for file in (self.site / path).parent.glob(f"{Path(path).name}*"):
            file.unlink()

    def replace(self, path: str, content: bytes) -> None:
        """Let a file have another content, whoever asks for it."""
        self.remove(path)  # else the content of the site itself would change
        (self.site / path).write_bytes(content)
        if len(content) >= WORTH_ASKING:
            (self.site / f"{path}.gz").write_bytes(gzip.compress(content, 1))

    def move_the_server(self, url: str) -> None:
        """Let config.json say where the server is, and the page that it may be asked."""
        self.configure(
            webSocketUrl=f"{url.replace('http', 'ws', 1)}/ws",
            tokenUrl=f"{url}/token",
            ticketUrl=f"{url}/ticket",
        )

    def configure(self, **config: Any) -> None:
        """Have another config.json, and ask whom it names: all of the site that depends on it."""
        asked = {"://".join(urlsplit(url)[:2]) for url in config.values() if isinstance(url, str)}
        self.replace("static/config.json", json.dumps(config).encode())
        self.say("connect-src 'self'", " ".join(["connect-src 'self'", *sorted(asked)]))

    def say(self, old: str, new: str) -> None:
        """Let the page itself say something else."""
        text = self._index.read_text(encoding="utf-8")
        assert old in text
        self.replace("index.html", text.replace(old, new).encode())


def run_python(page: Page, source: str) -> Any:
    """What ``source`` is worth to the Python of a built page."""
    script = page.locator('script[type="module"][async]').get_attribute("src")
    return page.evaluate(RUN_PYTHON, [script, source])


class _Handler(SimpleHTTPRequestHandler):
    server: StaticHost

    def end_headers(self) -> None:
        if self.path.endswith(".gz") and self.server.encodes_gz:
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()

    def send_head(self) -> Any:
        self.server.asked.append(self.path)
        for ending, released in list(self.server.held.items()):
            if self.path.endswith(ending):
                released.wait(PATIENCE)
        if not self.server.in_order:
            return self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        return super().send_head()

    def translate_path(self, path: str) -> str:
        prefix = StaticHost.PATH
        found = super().translate_path(path.removeprefix(prefix[:-1]) if path.startswith(prefix) else "/none")
        if self.server.says_the_same and not Path(found).exists():
            return super().translate_path("/index.html")
        return found

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class StaticHost(ThreadingHTTPServer):
    """Responsible for a host that serves a folder under a path of its own, and knows no header but Content-Type. With
    ``encodes_gz`` it takes .gz for an encoding, as some do; with ``says_the_same`` it has index.html for every address
    that it does not know."""

    PATH = "/some/path/"

    def __init__(
        self, site: Path, port: int = 0, *, encodes_gz: bool = False, says_the_same: bool = False
    ) -> None:
        super().__init__((LOOPBACK, port), functools.partial(_Handler, directory=str(site)))
        self.encodes_gz = encodes_gz
        self.says_the_same = says_the_same
        self.asked: list[str] = []  #: the paths of all requests so far
        self.held: dict[str, threading.Event] = {}  #: how a path ends -> when it may be answered
        self.in_order = True  #: else it answers every request with 503
        self.port: int = self.server_address[1]
        self.origin = f"http://{LOOPBACK}:{self.port}"
        self.url = f"{self.origin}{self.PATH}"

    @contextlib.contextmanager
    def holding(self, ending: str) -> Iterator[None]:
        """Meanwhile who asks for a path that ends so has to wait."""
        self.held[ending] = released = threading.Event()
        try:
            yield
        finally:
            del self.held[ending]
            released.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
