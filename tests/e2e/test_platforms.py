"""The library in plain Pyodide, in a page and in a web worker of a real browser."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.pyodide_page import Context, PyodidePage, make_site
from tests.support.server import ROOT
from tests.support.site import StaticHost
from tests.support.socket_server import SocketServer

#: The library's modules that are there once `connect()` has returned, before anything else was imported.
LOADED = """
import sys
from kizuna import connect

connection = connect("/ws")
sorted(name for name in sys.modules if name.startswith("kizuna"))
"""
#: Most modules that a connection may load.
MAX_MODULES = 20

TESTS = ROOT / "tests" / "kizuna"
CONTRACT = (TESTS / "platform_contract.py").read_text(encoding="utf-8")

#: The broken duties with their errors.
HOLD_TO_CONTRACT = """
from kizuna.browser import browser_platform, proxies

broken = {}
for duty in CONTRACT:
    try:
        await duty(browser_platform(), URL)
        assert proxies.alive() == 0, "proxies left behind"
    except Exception as error:
        broken[duty.__name__] = repr(error)
broken
"""

#: The duties of storage or locks that are broken; MAKE returns those of one page. Another name for each duty: what it
#: leaves behind meets nobody.
HOLD_TWO_TO_CONTRACT = """
from kizuna.browser import IndexedDb, WebLocks, proxies

duties, broken = {}, {}
exec(SOURCE, duties)
for duty in duties["CONTRACT"]:
    two = [MAKE, MAKE]
    try:
        await duty(*two)
    except Exception as error:
        broken[duty.__name__] = repr(error)
    for each in two:
        getattr(each, "close", int)()
[len(duties["CONTRACT"]), broken]
"""

CONNECT = """
import asyncio
from kizuna import ARTICLE
from kizuna.browser import WebSocketService
import sys

known = {*sys.modules}
frames, changes, news = [], [], asyncio.Event()

def note(received, one):
    received.append(one)
    news.set()

async def until(holds):
    while not holds():
        news.clear()
        await news.wait()

service = WebSocketService(URL, wire=ARTICLE)
service.on_message(lambda frame: note(frames, frame))
service.subscribe(lambda state: state.status.value, lambda status: note(changes, status))
await service.connect()
type(service.platform).__name__
"""

ECHO = """
service.send_message("say", {"number": NUMBER})
await until(lambda: any(frame.get("number") == NUMBER for frame in frames))
service.state.status.value
"""

RECONNECTED = """
await until(lambda: changes[-1] == "connected" and len(changes) > 2)
changes[-1]
"""

END = """
from kizuna.browser import proxies
service.disconnect()
more = sorted(name for name in {*sys.modules} - known if name.startswith("kizuna"))
[service.state.status.value, proxies.alive(), more]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with StaticHost(make_site(tmp_path_factory.mktemp("pyodide"))) as host:
        yield host.url


@pytest.fixture(scope="module", params=["page", "worker"])
def context(request: pytest.FixtureRequest) -> Context:
    """Where Python runs."""
    found: Context = request.param
    return found


@pytest.fixture(scope="module")
def python(chromium: Browser, site: str, context: Context) -> Iterator[PyodidePage]:
    with contextlib.closing(chromium.new_context()) as incognito:
        yield PyodidePage(incognito.new_page(), site, context)


def test_a_connection_loads_few_modules(python: PyodidePage) -> None:
    """First, since the later tests load more. Connecting and a drop load nothing more: below."""
    loaded = python.run(LOADED)
    assert {"kizuna.service", "kizuna.browser.ticks"} <= {*loaded}
    assert len(loaded) <= MAX_MODULES, loaded


def test_the_platform_keeps_the_contract(python: PyodidePage) -> None:
    with SocketServer() as server:
        assert python.run(f"{CONTRACT}\nlen(CONTRACT)") > 10
        broken = python.run(f"URL = {server.url!r}\n{HOLD_TO_CONTRACT}")
    assert broken == {}


def test_a_service_outlives_its_server(python: PyodidePage, context: Context) -> None:
    with SocketServer() as server:
        platform = python.run(f"URL = {server.url + '/echo'!r}\n{CONNECT}")
        assert platform == {"page": "BrowserPlatform", "worker": "WorkerPlatform"}[context]
        assert python.run(ECHO.replace("NUMBER", "1")) == "connected"
        server.stop()
        server.start()
        assert python.run(RECONNECTED) == "connected"
        assert python.run(ECHO.replace("NUMBER", "2")) == "connected"
        status, alive, more = python.run(END)
    assert (status, alive, more) == ("closed", 0, [])


def hold_two_to(contract: str, make: str, python: PyodidePage) -> None:
    source = (TESTS / "delivery" / contract).read_text(encoding="utf-8")
    duties, broken = python.run(f"SOURCE = {source!r}\n{HOLD_TWO_TO_CONTRACT.replace('MAKE', make)}")
    assert duties > 4
    assert broken == {}


def test_indexeddb_keeps_the_contract_of_storage(python: PyodidePage) -> None:
    hold_two_to("storage_contract.py", "IndexedDb(duty.__name__, duties['TABLES'])", python)


def test_indexeddb_without_a_list_of_tables_has_the_outbox(python: PyodidePage) -> None:
    assert python.run("""
from kizuna.browser import IndexedDb
shop = IndexedDb("shop")
await shop.write("outbox", {"a": "1"})
rows = await shop.read("outbox")
shop.close()
rows""") == {"a": "1"}


def test_web_locks_keep_the_contract_of_locks(python: PyodidePage) -> None:
    hold_two_to("locks_contract.py", "WebLocks()", python)
    assert python.run("from kizuna.browser import proxies\nproxies.alive()") == 0
