"""The library in JupyterLite: a cell installs the wheel, connects, and outlives the server."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.compat import pages
from tests.e2e.compat.pages import Told
from tests.support.site import StaticHost
from tests.support.talk_server import TalkServer
from tests.support.waiting import PATIENCE
from tools.setup import compat, jupyterlite
from tools.setup.jupyterlite import JupyterLite

CELL = f"""\
%pip install kizuna
{pages.PROGRAM}
print("the cell", "has ended")
"""


@pytest.mark.deep
def test_a_cell_of_jupyterlite_outlives_the_server(page: Page, wheel: Path, tmp_path: Path):
    installed = jupyterlite.find()
    site = build_site(installed, wheel, tmp_path / "site")
    pyodide = compat.read().jupyterlite
    pages.answer_for_the_network(
        page, f"pyodide/v{pyodide}/full/", pages.lay_pyodide(pyodide, installed, tmp_path / "pyodide")
    )
    told = Told(page)
    with TalkServer(page) as server, StaticHost(site) as host, told.noted():
        cell = {"kernel": "python", "code": CELL.format(url=server.url), "execute": 1}
        page.goto(f"{host.url}repl/index.html?{urlencode(cell)}", wait_until="commit")
        assert server.receive("the cell's first frame")["pyodide"] == pyodide
        server.send({"number": 1})
        assert server.receive("an echo") == {"number": 1}
        server.kill()
        server.start()
        server.wait_for_connection(2)
        server.send({"number": 2})
        assert server.receive("an echo after the restart") == {"number": 2}
        server.send({"end": True})
        assert server.wait_for_close() == 1000
        expect(page.get_by_text("the cell has ended")).to_be_visible(timeout=PATIENCE * 1000)


def build_site(installed: JupyterLite, wheel: Path, folder: Path) -> Path:
    """Build JupyterLite's site with the library among the packages that its ``%pip`` finds, and return it."""
    wheels = [
        word for path in (*installed.wheels.iterdir(), wheel) for word in ("--piplite-wheels", str(path))
    ]
    folder.mkdir()
    build = [str(installed.python.with_name("jupyter-lite")), "build", "--apps", "repl", "--no-sourcemaps"]
    command = [*build, "--no-unused-shared-packages", "--output-dir", str(folder), *wheels]
    subprocess.run(command, cwd=folder.parent, check=True, capture_output=True)
    return folder
