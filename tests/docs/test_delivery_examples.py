"""Programs in docs/library/delivery.md and protocol.md: they do what the text says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import kizuna
from kizuna import KIZUNA
from kizuna.delivery import Channels, Reset
from kizuna.testing import FakeChannelServer, FakeClient, MemoryLocks, MemoryStorage
from kizuna.testing.conformance import CHECKS
from tests.docs.conftest import FakePage
from tests.docs.examples import codes_of, run
from tests.docs.test_client_examples import Printed
from tests.kizuna.testing.loopback import served


@pytest.fixture
def server(page: FakePage) -> FakeChannelServer:
    """The server that every connection of the page reaches."""
    page.server = FakeChannelServer(page=2)
    return page.server


@pytest.fixture
def printed() -> Printed:
    return Printed()


async def channels_of(page: FakePage) -> Channels:
    """Channels over an open connection."""
    connection = kizuna.connect("/ws", wire=KIZUNA)
    channels = Channels(connection)
    await page.connected(connection)
    return channels


async def test_what_is_sent_comes_once_and_in_order(
    code: str, page: FakePage, server: FakeChannelServer, printed: Printed, monkeypatch: pytest.MonkeyPatch
):
    storage = MemoryStorage()
    browser = SimpleNamespace(IndexedDb=lambda name: storage, WebLocks=MemoryLocks)
    monkeypatch.setitem(sys.modules, "kizuna.browser", browser)
    server.put("orders", {"sku": 6})
    server.go_down()
    await page.start(run(code, {"print": printed}))
    await page.until(lambda: page.sockets)
    server.come_up()
    await page.until(lambda: len(printed) == 2)
    server.drop_all()
    server.put("orders", {"sku": 8})
    await page.until(lambda: len(printed) == 3)
    assert printed == ["1 {'sku': 6}", "2 {'sku': 7}", "3 {'sku': 8}"]
    assert storage.tables["outbox"] == {}


async def test_a_program_goes_on_where_it_was(code: str, page: FakePage, server: FakeChannelServer):
    saved = [""]
    handled: list[Any] = []

    async def begin() -> None:
        channels = await channels_of(page)
        names = {"channels": channels, "read_saved": lambda: saved[-1], "save": saved.append}
        await page.start(run(code, {**names, "handle": handled.append, "start_again": handled.append}))
        await page.advance(2)

    server.put("orders", {"sku": 1})
    await begin()
    assert saved == ["", '["epoch-1", 1]']
    page.tasks[-1].cancel()
    server.put("orders", {"sku": 2})
    await begin()
    assert handled == [{"sku": 1}, {"sku": 2}]
    server.replace_history("orders", keep=1)
    server.drop_all()
    await page.advance(5)
    assert isinstance(handled[2], Reset)
    assert saved[-1] == '["epoch-2", 1]'


async def test_earlier_items_come_by_pages(code: str, page: FakePage, server: FakeChannelServer):
    for sku in range(1, 6):
        server.put("orders", {"sku": sku})
    found = await run(code, {"channels": await channels_of(page)})
    assert [item.seq for item in found["earlier"]] == [1, 2, 3]


class Shop(FakeChannelServer):
    """It refuses the first order, and names prices."""

    def on_frame(self, client: FakeClient, frame: Any) -> None:
        if frame.get("action") == "price":
            client.send({"type": "price", "ref": frame["ref"], "price": 70 + frame["sku"]})
        elif frame.get("sku") == 7 and not self.logs["orders"].items:
            nack = {"type": "nack", "clientMessageId": frame["clientMessageId"], "code": "sold_out"}
            client.send({**nack, "message": "no more"})
        else:
            super().on_frame(client, frame)


@pytest.fixture
def shop(page: FakePage) -> Shop:
    page.server = Shop()
    return page.server


@pytest.mark.parametrize(
    ("stock", "printed_then"),
    [(["sku 1"], ["order number 2"]), ([], ["the shop says sold_out no more"])],
    ids=["stored", "refused"],
)
async def test_each_receipt_says_what_became_of_its_message(
    code: str, page: FakePage, shop: Shop, printed: Printed, stock: list[str], printed_then: list[str]
):
    for each in stock:
        shop.put("orders", {"text": each})
    orders = (await channels_of(page)).open("orders")
    await page.start(run(code, {"orders": orders, "print": printed}))
    await page.until(lambda: printed)
    assert printed == printed_then
    assert orders.waiting == ()


async def test_a_receipt_tells_of_a_message_that_was_deleted(page: FakePage, shop: Shop, printed: Printed):
    (code,) = codes_of("test_each_receipt_says_what_became_of_its_message")
    orders = (await channels_of(page)).open("orders")
    shop.go_down()
    other = await orders.send({"sku": 9})
    await page.start(run(code, {"orders": orders, "print": printed}))
    orders.waiting[1].discard()
    await page.settle()
    assert printed == ["not sent: discarded", "{'sku': 9} {} queued"]
    assert orders.waiting == (other,)


async def test_a_request_returns_the_frame_with_its_ref(
    code: str, page: FakePage, shop: Shop, printed: Printed
):
    await page.start(run(code, {"channels": await channels_of(page), "print": printed}))
    await page.until(lambda: printed)
    assert printed == ["77"]


async def test_a_server_that_does_not_acknowledge_leaves_messages_unconfirmed(
    code: str, page: FakePage, printed: Printed
):
    await page.start(run(code, {"print": printed}))
    await page.serve()
    await page.until(lambda: printed)
    assert printed == ["it may have arrived"]
    assert [socket.actions for socket in page.sockets if socket.sent] == [["sendMessage"]]


# --- protocol.md ---

MY_SERVER = """
class MyServer:
    def __init__(self, folder):
        self.url, self.is_killed = {url!r}, False

    def kill(self):
        self.is_killed = True

    def start(self):
        assert self.is_killed
"""


def test_pytest_runs_the_checks_of_the_documents(codes: list[str], tmp_path: Path):
    test, fixture = codes
    (tmp_path / "test_server.py").write_text(test, encoding="utf-8")
    run_it = [sys.executable, "-m", "pytest", "-q", "-p", "kizuna.testing.pytest_plugin"]
    with served(FakeChannelServer()) as url:
        (tmp_path / "conftest.py").write_text(MY_SERVER.format(url=url) + fixture, encoding="utf-8")
        done = subprocess.run(run_it, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CHECKS) - 1} passed, 1 skipped" in done.stdout
