"""Programs in docs/library/ for pages, workers and notebooks, without a browser: they do what the text says."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import kizuna
from tests.docs.conftest import FakePage
from tests.docs.examples import LIBRARY, run


class Printed(list[str]):
    """What an example prints."""

    def __call__(self, *values: object) -> None:
        self.append(" ".join(map(str, values)))


@pytest.fixture
def printed() -> Printed:
    return Printed()


async def begin(page: FakePage, code: str, **names: Any) -> dict[str, Any]:
    """Run an example that makes a connection, let it connect, and return its names."""
    found = await run(code, {"__name__": "example", **names})
    await page.connect(found["connection"])
    return found


async def connected(page: FakePage, printed: Printed, **arguments: Any) -> dict[str, Any]:
    """The names of an example that goes on with a connection."""
    connection = kizuna.connect("/ws", **arguments)
    await page.connect(connection)
    await page.serve()
    return {"__name__": "example", "connection": connection, "print": printed}


async def test_the_first_program_goes_on_through_a_drop(code: str, page: FakePage, printed: Printed):
    await page.start(run(code, {"print": printed}))
    await page.serve({"n": 1})
    assert page.socket.sent == [{"text": "hello"}]
    page.socket.drop()
    await page.advance(2)
    await page.serve({"n": 2})
    assert printed == ["{'n': 1}", "waiting", "connecting", "connected", "{'n': 2}"]


async def test_the_version_is_that_of_the_wheel(code: str, printed: Printed):
    await run(code, {"print": printed})
    assert printed == [kizuna.__version__]


# --- guide.md ---


async def test_a_status_line_shows_the_first_attempt(code: str, page: FakePage, printed: Printed):
    names = await run(code, {"print": printed})
    await page.settle()
    await page.serve()
    await names["connecting"]
    assert printed == ["connecting", "connected"]


async def test_waiting_with_a_time_limit_ends_the_wait_alone(code: str, page: FakePage, printed: Printed):
    seconds, code = 0.01, code.replace("timeout(10)", "timeout(0.01)")
    assert f"timeout({seconds})" in code
    names = await run(code, {"print": printed})
    assert printed == ["still connecting"]
    await page.serve()
    assert names["connection"].is_connected()


async def test_a_countdown_and_try_now(code: str, page: FakePage, printed: Printed):
    names = await connected(page, printed)
    await run(code, names)
    text_of, connection = names["text_of"], names["connection"]
    names["time"] = SimpleNamespace(monotonic=lambda: page.now().monotonic)
    assert text_of(connection.state) == "connected"
    shown: list[str] = []
    names["show"] = shown.append
    counting = asyncio.create_task(names["count_down"]())
    await page.settle()
    counting.cancel()
    assert shown == ["connected"]
    page.socket.drop()
    assert text_of(connection.state) == "the connection broke; next try in 1 s"
    names["on_click"](None)
    await page.settle()
    assert text_of(connection.state) == "connecting"
    await page.serve()
    page.socket.drop(4403)
    assert text_of(connection.state) == "the server does not let us in: the server forbids the connection"


async def test_the_loop_ends_with_disconnect(code: str, page: FakePage, printed: Printed):
    names = await connected(page, printed)
    await page.start(run(code, names))
    for frame in ('"a"', '"stop"', '"b"'):
        page.socket.receive(frame)
    await page.tasks[-1]
    assert printed == ["a", "b"]
    assert names["connection"].state.status == "closed"


async def test_handlers_get_frames_in_order_until_they_unsubscribe(
    code: str, page: FakePage, printed: Printed
):
    names = await connected(page, printed)
    await run(code, names)
    page.socket.receive("1")
    page.socket.receive("2")
    await page.settle()
    names["unsubscribe"]()
    page.socket.receive("3")
    await page.settle()
    assert printed == ["1", "2"]


async def test_a_hello_is_sent_on_each_link(code: str, page: FakePage, printed: Printed):
    await run(code, await connected(page, printed))
    page.socket.drop()
    await page.advance(2)
    await page.serve()
    assert page.socket.sent == [{"subscribe": "news"}]


# --- tokens.md ---


async def test_the_token_of_each_attempt_is_in_the_query(code: str, page: FakePage):
    names = await begin(page, code)
    assert page.socket.url == "wss://example.org/ws?token=a.b.c"
    asked = names["connection"].statistics().attempts
    page.socket.drop()
    await page.advance(2)
    assert names["connection"].statistics().attempts == asked + 1
    assert page.socket.url == "wss://example.org/ws?token=a.b.c"


class Responses:
    """In the place of pyodide.http: each call of pyfetch() takes the next answer."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def pyfetch(self, url: str, method: str) -> Any:
        self.asked.append(f"{method} {url}")
        status, value = self.answers.pop(0)

        async def json() -> Any:
            return value

        def raise_for_status() -> None:
            if status >= 400:
                raise OSError(status)

        return SimpleNamespace(status=status, json=json, raise_for_status=raise_for_status)


def put_in(monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, Any]) -> Responses:
    responses = Responses(*answers)
    monkeypatch.setitem(sys.modules, "pyodide", SimpleNamespace(http=responses))
    monkeypatch.setitem(sys.modules, "pyodide.http", responses)
    return responses


async def test_each_attempt_fetches_a_ticket(code: str, page: FakePage, monkeypatch: pytest.MonkeyPatch):
    responses = put_in(monkeypatch, (200, {"ticket": "one"}), (200, {"ticket": "two"}))
    # On CPython no URL is relative.
    await begin(page, code.replace('f"/ws?', 'f"wss://example.org/ws?'))
    page.socket.drop()
    await page.advance(2)
    assert [socket.url for socket in page.sockets] == [
        "wss://example.org/ws?ticket=one",
        "wss://example.org/ws?ticket=two",
    ]
    assert responses.asked == ["POST /ticket"] * 2


async def test_the_token_goes_into_the_first_frame(code: str, page: FakePage):
    async def fetch_token() -> str:
        return "a.b.c"

    names = await begin(page, code, fetch_token=fetch_token)
    await page.serve()
    assert page.socket.sent == [{"type": "auth", "token": "a.b.c"}]
    assert names["connection"].state.status == "connecting"
    page.socket.receive({"type": "auth_ok", "expiresIn": 900})
    await page.settle()
    assert names["connection"].state.status == "connected"
    begun = page.now().monotonic
    while len(page.sockets) == 1:
        await page.advance(5)
    await page.serve({"type": "auth_ok"})
    assert page.now().monotonic < begun + 900
    assert (names["connection"].statistics().rollovers, names["connection"].statistics().drops) == (1, 0)


async def test_what_a_token_function_raises_says_what_to_do(
    code: str, page: FakePage, monkeypatch: pytest.MonkeyPatch
):
    put_in(monkeypatch, (429, None), (503, None), (200, {"token": "t"}), (401, None))
    names = await run(code)
    connection = kizuna.connect("/ws", get_access_token=names["fetch_token"])
    await page.connect(connection)
    assert connection.state.status == "waiting"
    assert connection.state.retry_at is not None
    wait = connection.state.retry_at - page.now().monotonic
    assert wait >= 20
    await page.advance(wait)
    assert connection.state.reason is not None
    assert connection.state.reason.words == "the server cannot be reached"
    await page.advance(3)
    assert page.socket.url == "wss://example.org/ws?token=t"
    page.socket.drop()
    await page.advance(4)
    assert connection.state.status == "rejected"
    assert page.reported == []


# --- wires.md ---


async def test_a_wire_of_ones_own(code: str, page: FakePage):
    names = await begin(page, code)
    connection = names["connection"]
    await page.serve()
    assert connection.state.status == "connecting"
    await page.serve({"op": "welcome", "to": "you"})
    assert connection.state.status == "connected"
    await page.advance(9)
    assert page.socket.sent == [{"op": "ping"}]
    page.socket.receive({"op": "pong"})
    await page.settle()
    assert connection.state.rtt == pytest.approx(9)
    await page.advance(29)
    assert page.socket.sent[1:] == [{"op": "ping"}]
    page.socket.receive({"op": "bye", "reason": "closing time", "reconnect": False})
    await page.settle()
    assert (connection.state.status, connection.state.reason.words) == ("rejected", "closing time")


async def test_graphql_subscribes_again_after_a_drop(code: str, page: FakePage):
    await begin(page, code)
    page.socket.accept()
    page.socket.receive({"type": "connection_ack"})
    await page.settle()
    assert page.socket.protocols == ("graphql-transport-ws",)
    page.socket.receive({"type": "ping"})
    subscription = {"id": "1", "type": "subscribe", "payload": {"query": "subscription { news }"}}
    sent = [{"type": "connection_init"}, {"type": "ping"}, subscription, {"type": "pong"}]
    assert sorted(page.socket.sent, key=str) == sorted(sent, key=str)
    page.socket.drop()
    await page.advance(2)
    page.socket.accept()
    await page.settle()
    assert subscription not in page.socket.sent
    page.socket.receive({"type": "connection_ack"})
    await page.settle()
    assert subscription in page.socket.sent


async def test_phoenix_joins_and_answers_heartbeats(code: str, page: FakePage, printed: Printed):
    names = await begin(page, code)
    connection = names["connection"]
    connection.on_message(lambda frame: printed(frame["event"]))
    await page.serve('["1", "1", "room:lobby", "phx_reply", {"status": "ok"}]')
    assert page.socket.sent[0] == ["1", "1", "room:lobby", "phx_join", {}]
    for answered in range(4):
        while len(heartbeats := [frame for frame in page.socket.sent if frame[3] == "heartbeat"]) == answered:
            await page.advance(1)
        page.socket.receive(json.dumps([None, heartbeats[-1][1], "phoenix", "phx_reply", {}]))
        await page.settle()
    assert len(page.sockets) == 1
    assert connection.state.rtt is not None
    assert printed == ["phx_reply"] * 5


# --- logging.md ---


async def test_an_error_in_a_handler_reaches_the_exception_handler(
    code: str, page: FakePage, printed: Printed
):
    await run(code, await connected(page, printed))
    page.socket.receive({})
    page.socket.receive({"text": "still there"})
    await page.settle()
    assert printed == ["error in a handler KeyError('text')", "still there"]


async def test_exhausted_is_logged_with_what_to_look_at(
    code: str, page: FakePage, caplog: pytest.LogCaptureFixture
):
    (form,) = [line for line in code.split('"') if "%(message)s" in line]
    caplog.handler.setFormatter(logging.Formatter(form))
    caplog.set_level(logging.INFO)
    connection = kizuna.connect("/ws")
    await page.connect(connection)
    while connection.state.status != "exhausted":
        page.socket.drop()
        await page.advance(1)
    lines = caplog.text.splitlines()
    shown = (
        (LIBRARY / "logging.md").read_text(encoding="utf-8").partition("```text\n")[2].partition("\n```")[0]
    )
    first, second, dots, last = shown.splitlines()
    assert lines[:2] == [first, second]
    assert dots == "..."
    assert lines[-1] == last


# --- workers.md, migration.md ---


async def test_a_notebook_reads_with_handlers(code: str, page: FakePage):
    await page.start(run(code))
    await page.serve({"n": 1})
    names = await page.tasks[-1]
    await page.settle()
    assert names["frames"] == [{"n": 1}]


async def test_the_program_before_the_migration(code: str, printed: Printed, monkeypatch: pytest.MonkeyPatch):
    sockets: list[SimpleNamespace] = []
    delays: list[float] = []

    def open_socket(**arguments: Any) -> SimpleNamespace:
        sockets.append(SimpleNamespace(**arguments))
        return sockets[-1]

    def call_later(delay: float, call: Callable[[], object]) -> None:
        delays.append(delay)
        call()

    monkeypatch.setitem(sys.modules, "pyscript", SimpleNamespace(WebSocket=open_socket))
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", call_later)
    await run(code, {"show": printed})
    sockets[0].onmessage(SimpleNamespace(data='{"n": 1}'))
    sockets[0].onclose(SimpleNamespace())
    assert printed == ["{'n': 1}"]
    assert (delays, len(sockets)) == ([3], 2)


async def test_the_program_after_the_migration(code: str, page: FakePage, printed: Printed):
    await page.start(run(code, {"show": printed}))
    await page.serve({"n": 1})
    page.socket.drop()
    await page.advance(2)
    await page.serve({"n": 2})
    assert printed == ["{'n': 1}", "{'n': 2}"]
