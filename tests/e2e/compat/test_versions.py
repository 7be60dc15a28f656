"""The library in each version of Pyodide and PyScript that it supports, in a page and in a worker.

`make compat` tries them all and writes the table of docs/library/versions.md. `make test` tries those that
versions.toml calls quick. A version that could not be fetched is a reason to skip only there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.compat import pages, report
from tests.e2e.compat.pages import Told
from tests.support.depth import DEEP
from tests.support.site import StaticHost
from tests.support.talk_server import TalkServer
from tests.support.waiting import PATIENCE
from tools.reports import documents
from tools.setup import compat
from tools.setup.compat import Cell, NotFetched

VERSIONS = compat.read()
#: Seconds for which Python does not return to the browser.
BUSY = 5.0
#: What worked in this run: the name of a cell -> the version of Python that runs there.
WORKED: dict[str, str] = {}


def parameter(cell: Cell) -> Any:
    marks = [] if cell.name in VERSIONS.quick else [pytest.mark.deep]
    return pytest.param(cell, id=cell.name.replace(" ", "-"), marks=marks)


def need(*packages: str) -> None:
    """Skip the test if one of the packages is missing; a deep run has fetched them."""
    try:
        for package in packages:
            compat.find(package)
    except NotFetched as missing:
        if DEEP:
            raise
        pytest.skip(str(missing))


def talk(server: TalkServer) -> dict[str, str]:
    """Hold the program to its duties, and return its versions of Pyodide and Python.

    It connects; sends back what it gets, also what comes while Python is busy, on its one connection and in order;
    connects again to a server that was killed and started again; and closes its connection in the end.
    """
    versions: dict[str, str] = server.receive("the page's first frame")
    server.send({"text": "こんにちは"})
    assert server.receive("an echo") == {"text": "こんにちは"}

    server.send({"busy": BUSY})
    sent, received = server.receive_while_busy()
    assert (received, len(server.connections)) == (sent, 1)

    server.kill()
    server.start()
    server.wait_for_connection(2)
    server.send({"text": "again"})
    assert server.receive("an echo after the restart") == {"text": "again"}
    server.send({"end": True})
    assert server.wait_for_close() == 1000
    return versions


@pytest.mark.parametrize("cell", [parameter(cell) for cell in VERSIONS.cells])
def test_the_library_runs_in_this_version(cell: Cell, page: Page, wheel: Path, tmp_path: Path):
    need(*cell.packages)
    told = Told(page)
    pages.answer_for_the_network(
        page, f"pyodide/v{cell.pyodide}/full/", compat.find(f"pyodide@{cell.pyodide}")
    )
    server = TalkServer(page)
    with server, StaticHost(pages.lay(tmp_path, cell, wheel, server.url), isolates=cell.isolated) as host:
        page.goto(host.url, wait_until="commit")
        with told.noted():
            versions = talk(server)
    assert versions["pyodide"] == cell.pyodide
    WORKED[cell.name] = versions["python"]


@pytest.mark.deep
def test_all_versions_make_the_table(chromium: Browser):
    """With WRITE=1 the table goes into the document. It comes after the cells, and none may be left out."""
    text = report.table(VERSIONS.cells, WORKED, chromium.version)
    documents.publish("versions", text, write=bool(os.environ.get("WRITE")), page=report.PAGE)
    assert [cell.name for cell in VERSIONS.cells if cell.name not in WORKED] == []


def test_a_version_that_failed_is_marked_in_the_table():
    page, worker = Cell("1.2", "page", "0.99.1", core="3"), Cell("1.2", "worker", "0.99.2", core="3")
    text = report.table([page, worker], {page.name: "3.19.1"}, "156.0.1")
    assert "| PyScript 1.2 | 0.99.1, in workers 0.99.2 | 3.19.1 | works | **fails** |" in text
    assert report.rows_in(text) == []
    text = report.table([page, worker], {page.name: "3.19.1", worker.name: "3.19.1"}, "156.0.1")
    assert report.rows_in(text) == report.rows_of([page, worker])


def test_the_document_has_a_row_for_each_version():
    """It was written by `make compat` after the last change of versions.toml."""
    text = report.PAGE.read_text(encoding="utf-8")
    assert report.rows_in(text) == report.rows_of(VERSIONS.cells), "make compat"


def test_micropython_says_in_one_sentence_what_to_do(page: Page, wheel: Path, tmp_path: Path):
    core, micropython = VERSIONS.micropython
    need(core, micropython)
    body = pages.lay_pyscript(tmp_path, core, wheel, kind="mpy")
    pages.lay_program(tmp_path, body, "from kizuna import connect\n", wheel)
    with StaticHost(tmp_path) as host:
        pages.answer_for_the_network(page, f"npm/{micropython}/", compat.find(micropython))
        page.goto(host.url, wait_until="commit")
        expect(page.locator("body")).to_contain_text(
            'ImportError: Kizuna needs CPython or Pyodide, and this is MicroPython: in PyScript, write type="py" '
            'instead of type="mpy"',
            timeout=PATIENCE * 1000,
        )
