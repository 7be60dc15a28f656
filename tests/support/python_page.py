"""A page in which a test runs Python with the library alone, under the server's Content-Security-Policy."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.support.server import ROOT
from tests.support.waiting import PATIENCE
from tests.support.watch import Watch

#: In place of app/main.py.
MAIN = """
import json

import js
from pyodide.code import eval_code_async
from pyodide.ffi import create_proxy

names = {"__name__": "test"}

async def run(source):
    return json.dumps(await eval_code_async(source, names))

def start():
    js.window.runPython = create_proxy(run)
    js.document.documentElement.setAttribute("data-page", "live")
"""


class PythonPage:
    """One such page. Names that one call defines stay defined until the page is reloaded."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.watch = Watch(page, url)
        self._url = url
        self._root = page.locator("html")
        page.route("**/app/main.py", lambda route: route.fulfill(body=MAIN, content_type="text/x-python"))
        page.route("**/pyscript.toml", _serve_the_library_alone)

    def begin_to_open(self) -> None:
        """Request the page without waiting for Python, so that several can start at once."""
        self.page.goto(self._url, wait_until="commit")

    def wait_until_started(self) -> None:
        """Wait until Python runs."""
        expect(self._root).to_have_attribute("data-page", "live", timeout=PATIENCE * 2000)

    def reload(self) -> None:
        """Load the page again."""
        self.page.reload(wait_until="commit")
        self.wait_until_started()

    def run(self, source: str) -> Any:
        """Return the value of the last expression of ``source``, through JSON. ``await`` is allowed."""
        return json.loads(self.page.evaluate("source => runPython(source)", source))


def _serve_the_library_alone(route: Route) -> None:
    lines = (ROOT / "pyscript.toml").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not line.startswith(('"app/chat/', '"app/ui/', '"static/'))]
    route.fulfill(body="\n".join(kept), content_type="application/toml")
