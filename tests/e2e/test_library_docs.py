"""The programs of docs/library/ that need a browser: a page under a strict policy, and a worker."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect

from tests.docs.examples import codes_of
from tests.support.pyodide_page import INDEX, PyodidePage, make_site
from tests.support.server import ROOT
from tests.support.site import StaticHost
from tests.support.socket_server import SocketServer
from tests.support.waiting import PATIENCE
from tests.support.watch import Watch

VENDOR = ROOT / "static" / "vendor"
#: Loads Pyodide, and the library as install.md has it.
PYTHON = """
import {{ loadPyodide }} from "./pyodide/pyodide.mjs";

const starting = (async () => {{
  const pyodide = await loadPyodide();
  {install}
  return pyodide;
}})();
export const run = async (source) => (await starting).runPythonAsync(source);
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, Pyodide and PyScript beside each other."""
    folder = make_site(tmp_path_factory.mktemp("library"))
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (folder / "pyscript").symlink_to(VENDOR / "pyscript")
    return folder


def test_a_page_under_a_strict_policy_stays_connected(chromium: Browser, site: Path) -> None:
    codes = codes_of("test_a_page_under_a_strict_policy_stays_connected")
    policy, start, config, index, program, worker_line, files, log = codes
    assert files in config
    listing = (ROOT / "docs" / "library" / "csp.md").read_text(encoding="utf-8")
    worker = listing.partition("<!-- worker -->\n```js\n")[2].partition("```")[0]
    page_files = {
        "start.js": start,
        "pyscript.toml": config,
        "main.py": log + program,
        "kizuna-ticks.js": worker,
    }
    for name, text in {**page_files, "index.html": index, "jspi.js": worker_line}.items():
        (site / name).write_text(text, encoding="utf-8")
    header = {"Content-Security-Policy": policy.strip()}
    sockets: list[WebSocketRoute] = []
    with StaticHost(site) as host, contextlib.closing(chromium.new_context()) as context:
        page = context.new_page()
        watch = Watch(page, host.origin)
        page.route(host.url, lambda route: route.fulfill(response=route.fetch(), headers=header))
        page.route_web_socket(
            f"{host.origin.replace('http', 'ws', 1)}/ws", lambda socket: sockets.append(socket)
        )
        page.goto(host.url, wait_until="commit")
        status = page.locator("#status")
        expect(status).to_have_text("connected", timeout=PATIENCE * 1000)
        sockets[0].close(code=4000)
        with page.expect_console_message(lambda message: "connecting -> connected" in message.text):
            pass
        sockets[1].send('{"text": "news"}')
        expect(status).to_have_text("news")
        assert page.evaluate("'Suspending' in WebAssembly") is False
        assert [worker.url.rpartition("/")[2] for worker in page.workers] == ["kizuna-ticks.js"]
        assert watch.problems == []


def test_the_library_connects_in_a_worker(chromium: Browser, site: Path) -> None:
    install, program = codes_of("test_the_library_connects_in_a_worker")
    (site / "index.html").write_text(INDEX, encoding="utf-8")
    (site / "python.mjs").write_text(PYTHON.format(install=install), encoding="utf-8")
    with SocketServer() as server, StaticHost(site) as host:
        here = program.replace('"/ws"', repr(f"{server.url}/echo"))
        with contextlib.closing(chromium.new_context()) as context:
            python = PyodidePage(context.new_page(), host.url, "worker")
            state = python.run(
                f"{here}\n[frame, connection.state.status, type(connection.platform).__name__]"
            )
    assert state == [{"text": "from a worker"}, "closed", "WorkerPlatform"]
