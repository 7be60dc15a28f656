"""The built site for tests: built once, changed in copies, served by the real server or a static host."""

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
from tools.build.site import BuildOptions, build

BUILDS = ROOT / "dist" / "tests"
#: static/boot/compressed.js requests files of at least this size in compressed form.
MIN_REQUESTED_SIZE = 100_000
#: Imports the page's module by its address, which gives the interpreter that the page has started.
RUN_PYTHON = """async ([path, source]) => {
    const { loadPyodide } = await import(new URL(path, document.baseURI).href);
    return (await loadPyodide(console)).runPython(source);
}"""


def build_site(site: Path) -> Path:
    """Build the site as `make run` does."""
    build(BuildOptions(root=ROOT, site=site, config=ROOT / "static" / "config.json", quality=QUICK))
    return site


def shared_site(temporary: pytest.TempPathFactory) -> Path:
    """Return the site, built once for all processes of a test run. No test may change it.

    It is built in dist/tests, where compressed files stay for the next run, and copied from there.
    """
    folder = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    BUILDS.mkdir(parents=True, exist_ok=True)
    with (BUILDS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "site").exists():
            shutil.copytree(build_site(BUILDS / "site"), folder / "copied")
            (folder / "copied").rename(folder / "site")
    return folder / "site"


class Copy:
    """A copy of the site, in which a test changes something."""

    def __init__(self, site: Path, target: Path) -> None:
        # Hard links: files are replaced, never written to.
        self.site = Path(shutil.copytree(site, target, copy_function=os.link))
        self._index = self.site / "index.html"

    @property
    def files(self) -> dict[str, Any]:
        """The files that the page starts from, as it names them."""
        return start_files_of(self._index.read_text(encoding="utf-8"))

    def remove(self, path: str) -> None:
        """Remove a file of the site, with its compressed forms."""
        for file in (self.site / path).parent.glob(f"{Path(path).name}*"):
            file.unlink()

    def replace(self, path: str, content: bytes) -> None:
        """Replace the content of a file and its compressed form."""
        self.remove(path)  # else the shared site would change too
        (self.site / path).write_bytes(content)
        if len(content) >= MIN_REQUESTED_SIZE:
            (self.site / f"{path}.gz").write_bytes(gzip.compress(content, 1))

    def move_the_server(self, url: str) -> None:
        """Name the server in config.json and in the page's policy."""
        self.configure(
            webSocketUrl=f"{url.replace('http', 'ws', 1)}/ws",
            tokenUrl=f"{url}/token",
            ticketUrl=f"{url}/ticket",
        )

    def configure(self, **config: Any) -> None:
        """Replace config.json, and allow its URLs in the page's policy."""
        asked = {"://".join(urlsplit(url)[:2]) for url in config.values() if isinstance(url, str)}
        self.replace("static/config.json", json.dumps(config).encode())
        self.say("connect-src 'self'", " ".join(["connect-src 'self'", *sorted(asked)]))

    def say(self, old: str, new: str) -> None:
        """Replace a text in index.html."""
        text = self._index.read_text(encoding="utf-8")
        assert old in text
        self.replace("index.html", text.replace(old, new).encode())


def run_python(page: Page, source: str) -> Any:
    """Return the value of ``source`` in the Python of a built page."""
    script = page.locator('script[type="module"][async]').get_attribute("src")
    return page.evaluate(RUN_PYTHON, [script, source])


class _Handler(SimpleHTTPRequestHandler):
    server: StaticHost

    def end_headers(self) -> None:
        if self.path.endswith(".gz") and self.server.encodes_gz:
            self.send_header("Content-Encoding", "gzip")
        if self.server.isolates:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
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
        """Print nothing."""


class StaticHost(ThreadingHTTPServer):
    """A host that serves a folder under a path, with no header but Content-Type.

    ``encodes_gz``: it sends .gz files as encoded, as some do. ``says_the_same``: it has index.html for any address.
    ``isolates``: its pages may share memory with their workers.
    """

    PATH = "/some/path/"

    def __init__(
        self,
        site: Path,
        port: int = 0,
        *,
        encodes_gz: bool = False,
        says_the_same: bool = False,
        isolates: bool = False,
    ) -> None:
        super().__init__((LOOPBACK, port), functools.partial(_Handler, directory=str(site)))
        self.encodes_gz = encodes_gz
        self.says_the_same = says_the_same
        self.isolates = isolates
        self.asked: list[str] = []  #: the paths of all requests so far
        self.held: dict[str, threading.Event] = {}  #: how a path ends -> when it may be answered
        self.in_order = True  #: if not, it answers every request with 503
        self.port: int = self.server_address[1]
        self.origin = f"http://{LOOPBACK}:{self.port}"
        self.url = f"{self.origin}{self.PATH}"

    @contextlib.contextmanager
    def holding(self, ending: str) -> Iterator[None]:
        """Hold requests for paths with this ending until the context ends."""
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
