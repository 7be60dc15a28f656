"""The wheel, installed by micropip: as a PyScript package, and by a program in plain Pyodide."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.docs.examples import codes_of
from tests.e2e.compat import pages
from tests.e2e.compat.pages import Told
from tests.support.site import StaticHost
from tests.support.talk_server import TalkServer
from tools.setup import compat, jupyterlite

VERSIONS = compat.read()
_INSTALL = """\
import micropip

await micropip.install("{url}")
"""
_START = """\
import {{ loadPyodide }} from "./pyodide/pyodide.mjs";

const pyodide = await loadPyodide();
await pyodide.loadPackage("micropip");
const program = await fetch(new URL("main.py", import.meta.url));
await pyodide.runPythonAsync(await program.text());
"""


@pytest.fixture
def site(tmp_path: Path, wheel: Path) -> Path:
    """A folder with the wheel and a Pyodide that has micropip."""
    site = tmp_path / "site"
    site.mkdir()
    pages.lay_pyodide(VERSIONS.jupyterlite, jupyterlite.find(), site / "pyodide")
    return site


def newest_pyscript() -> str:
    *_, newest = (cell for cell in VERSIONS.cells if cell.core)
    return f"@pyscript/core@{newest.core}"


def hold_to_its_duties(page: Page, server: TalkServer, address: str) -> None:
    told = Told(page)
    page.goto(address, wait_until="commit")
    with told.noted():
        assert server.receive("the page's first frame")["pyodide"] == VERSIONS.jupyterlite
        server.send({"text": "こんにちは"})
        assert server.receive("an echo") == {"text": "こんにちは"}
        server.send({"end": True})
        assert server.wait_for_close() == 1000


@pytest.mark.deep
def test_pyscript_installs_the_wheel_among_its_packages(page: Page, wheel: Path, site: Path):
    (documented,) = codes_of("test_pyscript_installs_the_wheel_among_its_packages")
    with TalkServer(page) as server, StaticHost(site) as host:
        packages = tomllib.loads(documented.replace("https://example.org/static/", host.url))
        config = {"interpreter": "./pyodide/pyodide.mjs", **packages}
        body = pages.lay_pyscript(site, newest_pyscript(), wheel, kind="py", where="async", config=config)
        pages.lay_program(site, body, pages.PROGRAM.format(url=server.url), wheel)
        hold_to_its_duties(page, server, host.url)


@pytest.mark.deep
def test_micropip_installs_the_wheel_by_its_url(page: Page, wheel: Path, site: Path):
    with TalkServer(page) as server, StaticHost(site) as host:
        (site / "start.mjs").write_text(_START.format(), encoding="utf-8")
        program = _INSTALL.format(url=f"{host.url}{wheel.name}") + pages.PROGRAM.format(url=server.url)
        pages.lay_program(site, '<script type="module" src="start.mjs"></script>\n', program, wheel)
        hold_to_its_duties(page, server, host.url)
