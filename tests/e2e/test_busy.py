"""A page that computes for five seconds, as pandas' import does: it is not taken for asleep, and loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from websockets.sync.client import connect

from tests.e2e.article_server import ArticleServer
from tests.e2e.test_ticks import TICKS_FILE, begin
from tests.support.peer import Peer
from tests.support.python_page import PythonPage
from tests.support.server import LOOPBACK, ROOT, KizunaServer
from tests.support.waiting import eventually

MESSAGES = [f"said while the page was busy: {number}" for number in range(10)]

#: A service on each wire that records messages, and a busy loop that counts those read meanwhile.
CHAT = """
import asyncio, json, time
from kizuna.browser import BrowserPlatform, WebSocketService
from pyodide.http import pyfetch
from kizuna.wire import ARTICLE, KIZUNA

platform, services, heard, statuses, busy = BrowserPlatform(worker_url), {}, {}, {}, []

async def get_token():
    body = json.dumps({"name": "Busy", "clientSecret": "a-secret-of-the-busy-page"})
    headers = {"Content-Type": "application/json"}
    answer = await pyfetch(f"{hosts['kizuna']}/token", method="POST", headers=headers, body=body)
    return (await answer.json())["token"]

def hello(link):
    link.send_message("hello", {"v": 1, "rooms": [{"roomId": room, "after": None, "epoch": None}]})

async def start(wire):
    url = f"{hosts[wire.name]}/ws".replace("http", "ws")
    token = get_token if wire is KIZUNA else lambda: "busy"
    service = services[wire.name] = WebSocketService(url, token, platform=platform, wire=wire)
    words, seen = heard[wire.name], statuses[wire.name] = [], []
    if wire is KIZUNA:
        service.before_connected(hello)
    service.on_message(lambda frame: words.append(frame["content"]) if "content" in frame else None)
    service.subscribe(lambda state: state.status, seen.append)
    await service.connect()

def compute():
    before, end = sum(map(len, heard.values())), time.monotonic() + 5
    while time.monotonic() < end:
        sum(range(1000))
    busy.append(sum(map(len, heard.values())) - before)

def compute_soon():
    asyncio.get_running_loop().call_later(0.01, compute)
"""


@pytest.fixture(scope="module")
def tab(chromium: Browser, source_server: KizunaServer) -> Iterator[PythonPage]:
    with chromium.new_context(bypass_csp=True) as context:  # its policy allows its own server alone
        yield begin(context.new_page(), source_server)


@pytest.fixture
def article(site: Path) -> Iterator[ArticleServer]:
    with ArticleServer(site, {}) as article:
        yield article


@pytest.mark.parametrize(
    "worker", [True, pytest.param(False, marks=pytest.mark.deep)], ids=["worker", "alone"]
)
def test_a_page_that_computes_for_five_seconds_loses_no_message(
    tab: PythonPage, article: ArticleServer, source_server: KizunaServer, worker: bool
) -> None:
    """On each wire. Without a worker (its host has no such file) the page may only doubt its links."""
    if not worker:
        tab.watch.allow("status of 404")
    room = f"busy-{worker}"
    hosts = {"kizuna": source_server.url, "article": f"http://{LOOPBACK}:{article.port}"}
    given = (hosts, room, TICKS_FILE if worker else "static/missing.js")
    tab.run(f"hosts, room, worker_url = {given}\n{CHAT}\nawait start(KIZUNA)\nawait start(ARTICLE)")
    if worker:
        eventually(lambda: not tab.run("platform.page().throttled"), what="the worker is heard")
    with (
        Peer(source_server, room) as peer,
        connect(f"ws://{LOOPBACK}:{article.port}/ws?token=other") as other,
    ):

        def say(text: str) -> None:
            peer.say(text)
            other.send(json.dumps({"action": "sendMessage", "roomId": room, "content": text}))

        tab.run("compute_soon()")
        for text in MESSAGES:
            say(text)
        eventually(lambda: tab.run("busy") == [0], what="five busy seconds, in which nothing was read")
        say("afterwards")
        both = {name: [*MESSAGES, "afterwards"] for name in hosts}
        eventually(lambda: tab.run("heard") == both, what="all messages on each wire, once and in order")
    statuses, attempts = tab.run(
        "[statuses, [service.statistics().attempts for service in services.values()]]"
    )
    for seen in statuses.values():
        assert seen == ["connecting", "connected"] or not worker
        assert set(seen) <= {"connecting", "connected", "suspect"}
    assert attempts == [1, 1] or not worker
    tab.run("for service in services.values():\n    service.disconnect()\nNone")


#: A worker whose wall clock jumps by an hour after 1.5 s.
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
