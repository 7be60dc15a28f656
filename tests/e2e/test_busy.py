"""A page that computes for five seconds, as pandas' import or a plot does: it is not asleep, and loses nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from websockets.sync.client import connect

from tests.e2e.article_server import ArticleServer
from tests.e2e.test_ticks import TICKS_FILE, begin
from tests.support.peer import Peer
from tests.support.python_page import PythonPage
from tests.support.server import ROOT, KizunaServer
from tests.support.waiting import eventually

MESSAGES = [f"said while the page was busy: {number}" for number in range(10)]

#: A service that keeps what it hears, and a way to be busy that says how much was read meanwhile.
CHAT = """
import asyncio, time
from kizuna.browser import BrowserPlatform, WebSocketService
from kizuna.browser.http import post_json
from kizuna.options import Options
from kizuna.wire import ARTICLE, KIZUNA

async def get_token():
    if wire is ARTICLE:
        return "busy"
    _, answer, _ = await post_json(f"{host}/token", {"name": "Busy", "clientSecret": "a-secret-of-the-busy-page"})
    return answer["token"]

def hello(link):
    if wire is KIZUNA:
        link.send_message("hello", {"v": 1, "rooms": [{"roomId": room, "after": None, "epoch": None}]})

def compute():
    before, end = len(heard), time.monotonic() + 5
    while time.monotonic() < end:
        sum(range(1000))
    busy.append(len(heard) - before)

async def start():
    global service, heard, busy, statuses
    heard, busy, statuses = [], [], []
    service = WebSocketService(
        f"{host}/ws".replace("http", "ws"), get_token, platform=BrowserPlatform(worker_url), options=Options(wire=wire)
    )
    service.on_open(hello)
    service.on_message(lambda frame: heard.append(frame["content"]) if "content" in frame else None)
    service.subscribe(lambda state: state.status, statuses.append)
    await service.connect()

def compute_soon():
    asyncio.get_running_loop().call_later(0.01, compute)
"""


@pytest.fixture(scope="module")
def tab(chromium: Browser, source_server: KizunaServer) -> Iterator[PythonPage]:
    with chromium.new_context(bypass_csp=True) as context:  # its own rules allow no other server than its own
        yield begin(context.new_page(), source_server)


@pytest.fixture
def article(site: Path) -> Iterator[ArticleServer]:
    with ArticleServer(site, {}) as article:
        yield article


@contextlib.contextmanager
def speaker(
    wire: str, article: ArticleServer, server: KizunaServer, room: str
) -> Iterator[Callable[[str], None]]:
    """Another client, which says things at once."""
    if wire == "KIZUNA":
        with Peer(server, room) as peer:
            yield peer.say
        return
    with connect(f"ws://127.0.0.1:{article.port}/ws?token=speaker") as link:
        yield lambda text: link.send(json.dumps({"action": "sendMessage", "roomId": room, "content": text}))


@pytest.mark.parametrize(
    "worker", [True, pytest.param(False, marks=pytest.mark.deep)], ids=["worker", "alone"]
)
@pytest.mark.parametrize("wire", ["KIZUNA", "ARTICLE"])
def test_a_page_that_computes_for_five_seconds_loses_no_message(
    tab: PythonPage, article: ArticleServer, source_server: KizunaServer, wire: str, worker: bool
) -> None:
    """Without a worker (its host has no such file) the page may doubt its link, and no more."""
    if not worker:
        tab.watch.allow("status of 404")
    room = f"busy-{wire}-{worker}"
    port = source_server.port if wire == "KIZUNA" else article.port
    given = (f"http://127.0.0.1:{port}", room, TICKS_FILE if worker else "static/missing.js")
    tab.run(f"host, room, worker_url = {given}\n{CHAT}\nwire = {wire}\nawait start()")
    if worker:
        eventually(lambda: not tab.run("service._platform.page().throttled"), what="the worker is heard")
    with speaker(wire, article, source_server, room) as say:
        tab.run("compute_soon()")
        for text in MESSAGES:
            say(text)
        eventually(
            lambda: tab.run("busy") == [0], what="the end of five busy seconds, in which nothing was read"
        )
        eventually(lambda: set(tab.run("heard")) >= set(MESSAGES), what="all messages")
        say("afterwards")
        eventually(lambda: "afterwards" in tab.run("heard"))
    assert tab.run("heard") == [*MESSAGES, "afterwards"]
    attempts, statuses = tab.run("[service.statistics().attempts, statuses]")
    if worker:
        assert (attempts, statuses) == (1, ["connecting", "connected"])
    else:
        assert set(statuses) <= {"connecting", "connected", "suspect"}
    tab.run("service.disconnect()")


#: A worker whose wall clock is an hour ahead from its second second on.
JUMP = """const real = Date.now;
let asleep = 0;
Date.now = () => real() + asleep;
setTimeout(() => { asleep = 3_600_000; }, 1500);
"""
HEAR = """(source) => new Promise((done) => {
    const worker = new Worker(URL.createObjectURL(new Blob([source])));
    worker.onmessage = ({ data }) => { worker.terminate(); done(data.slept); };
})"""


def test_the_worker_tells_by_how_much_its_clocks_have_jumped(tab: PythonPage) -> None:
    source = (ROOT / TICKS_FILE).read_text(encoding="utf-8")
    assert 3_590_000 < tab.page.evaluate(HEAR, JUMP + source) < 3_700_000
