"""Mistakes of users: each is said at once, with what is wrong and what to do, and no error of theirs is silent."""

from __future__ import annotations

import asyncio
import math
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from kizuna import (
    BYTES,
    JSON,
    PLAIN,
    TEXT,
    Disconnected,
    KizunaError,
    LinkHandle,
    NotConnected,
    TryLater,
    Unauthorized,
    Wire,
    connect,
)
from kizuna.runtime.subscribers import MAX_PLACES, ErrorReports
from kizuna.testing import FakePlatform
from tests.kizuna.service_harness import ServiceHarness

URL = "wss://example.org/ws"


def make(url: Any = URL, **arguments: Any) -> Any:
    return connect(url, platform=FakePlatform(), **arguments)


#: A mistake at the beginning -> what is said.
AT_ONCE: list[tuple[Callable[[], Any], str]] = [
    (
        lambda: make("/ws"),
        "url: must begin with ws://, wss://, http:// or https:// and name a host, not '/ws'",
    ),
    (lambda: make(None), "url: must be a text, or a function that returns one, not None"),
    (lambda: make(f"{URL}#general"), "url: must have no fragment (#...): WebSockets accept none"),
    (lambda: make(protocols="v1"), "protocols: must be a list of texts, not 'v1'"),
    (lambda: make("wss://exam ple.org/ws"), "url: is not a URL, for its host or its port"),
    (lambda: make(wire="article"), "wire: must be a Wire such as kizuna.PLAIN, not 'article'"),
    (
        lambda: make(codec=TEXT, wire=Wire(ping={"op": "ping"})),
        "wire: its ping does not fit the codec: TEXT sends str, not dict",
    ),
    (
        lambda: connect(URL, platform="browser"),  # type: ignore[arg-type]
        "platform: must be an object such as AioPlatform(), not 'browser'",
    ),
    (
        lambda: connect(URL, platform=FakePlatform),  # type: ignore[arg-type]
        "platform: must be an object such as AioPlatform(), not <class",
    ),
    (lambda: make(codec="text"), "codec: must have encode() and decode(), as kizuna.TEXT has, not 'text'"),
    (lambda: make(codec=None), "codec: must have encode() and decode(), as kizuna.TEXT has, not None"),
    (
        lambda: make(get_access_token="SECRET"),
        "get_access_token: must be a function that returns the token, sync or async",
    ),
    (lambda: make(options={"jitter": "0.5"}), "jitter: must be a number, not '0.5'"),
    (
        lambda: make(options={"max_retry": 3}),
        "max_retry: is not known; known are first_retry_delay, max_retries",
    ),
    (lambda: make(options={"wire": PLAIN}), "wire: is not known; give it beside the options"),
    (lambda: make(options=5), "options: must be a dict such as {'max_retries': 3}, not 5"),
    (lambda: make().on_message(None), "on_message() needs a function that takes a frame, not None"),
    (lambda: make().on_malformed_frame(None), "must be a function that takes one argument, not None"),
    (
        lambda: make().before_connected(None),
        "before_connected() needs a function that takes a link, not None",
    ),
    (
        lambda: make().subscribe(lambda state: state.status, None),
        "subscribe() needs a function that takes the part, not None",
    ),
    (
        lambda: make().subscribe("status", print),
        "subscribe() needs a selector such as lambda state: state.status, not 'status'",
    ),
    (
        lambda: make().subscribe(lambda state: state.status, fail_later),
        "subscribe() needs a plain function, not an async one: let it create a task",
    ),
    (lambda: make().send(1), "nothing was sent, as the connection is idle: await connect() before"),
    (
        lambda: make().frames(),
        "never begun: use `async with connect(...)`, or await connect() before the loop",
    ),
]


@pytest.mark.parametrize(("mistake", "words"), AT_ONCE, ids=[words[:30] for _, words in AT_ONCE])
def test_a_mistake_at_the_beginning_is_said_at_once(mistake: Callable[[], Any], words: str):
    with pytest.raises(Exception, match=re.escape(words)) as caught:
        mistake()
    assert "SECRET" not in str(caught.value)


#: A mistake on an open connection -> what is said.
SENDING: list[tuple[Callable[[Any], Any], str]] = [
    (
        lambda service: service.send({"at": date(2026, 1, 1)}),
        "Object of type date is not JSON serializable: JSON has dict, list, str, numbers, bool and None",
    ),
    (lambda service: service.send(math.nan), "Out of range float values are not JSON compliant"),
    (
        lambda service: service.send_message("chat", "hello"),
        'data must be a mapping such as {"text": ...}, not str',
    ),
    (
        lambda service: service.send_message({"type": "chat"}),
        "action must be a text, not dict: send(value) sends any value",
    ),
    (
        lambda service: service.send_message("chat", {"action": "x"}),
        "data must not have the key 'action': it is the first argument",
    ),
    (
        lambda service: service.send("x" * 200),
        "the frame has 202 bytes, and max_frame_bytes is 100: servers close the connection for more",
    ),
]


@pytest.mark.parametrize(("mistake", "words"), SENDING, ids=[words[:30] for _, words in SENDING])
async def test_what_cannot_be_sent_is_said_to_the_caller(mistake: Callable[[Any], Any], words: str):
    harness = ServiceHarness(codec=JSON, wire=PLAIN, max_frame_bytes=100)
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    with pytest.raises(Exception, match=re.escape(words)):
        mistake(harness.service)
    assert harness.socket.sent == []
    harness.service.disconnect()


#: The status of a connection -> how it comes to be, and what is said of a frame that is sent then.
NOT_CONNECTED: dict[str, tuple[Callable[[ServiceHarness], Any], str]] = {
    "connecting": (
        lambda harness: harness.service.try_now(),
        "send again once it is connected; in before_connected() call link.send()",
    ),
    "waiting": (lambda harness: harness.socket.drop(), "send again once it is connected"),
    "suspended": (lambda harness: harness.platform.suspend(), "send again once it is connected"),
    "closed": (lambda harness: harness.service.disconnect(), "connect() opens it again"),
    "rejected": (lambda harness: harness.socket.drop(1008), "the server wants no further attempt"),
    "exhausted": (lambda harness: harness.exhaust(), "try_now() makes an attempt"),
}


@pytest.mark.parametrize("status", NOT_CONNECTED)
async def test_a_frame_that_cannot_be_sent_says_status_and_remedy(status: str):
    harness = ServiceHarness()
    await harness.connect()
    if status == "connecting":
        harness.socket.drop()
    act, words = NOT_CONNECTED[status]
    acting = act(harness)
    if acting is not None:
        await acting
    with pytest.raises(NotConnected, match=re.escape(f"the connection is {status}: {words}")):
        harness.service.send({})
    harness.service.disconnect()


@pytest.mark.parametrize(
    "act",
    [
        lambda service: service.send(1),
        lambda service: service.send_message("say"),
        lambda service: service.disconnect(),
        lambda service: service.try_now(),
        lambda service: asyncio.run(service.connect()),
    ],
)
async def test_a_call_from_another_thread_is_refused_and_changes_nothing(act: Callable[[Any], Any]):
    harness = ServiceHarness()
    socket = await harness.connect()
    sent = len(socket.sent)
    with pytest.raises(RuntimeError, match="belongs to the event loop of another thread: .*threadsafe"):
        await asyncio.to_thread(act, harness.service)
    assert (harness.status, len(socket.sent)) == ("connected", sent)
    harness.service.disconnect()
    await asyncio.to_thread(harness.service.disconnect)  # closed, it belongs to no thread


# --- what is possible, and yet a mistake: a line in the log ---

PROGRAM = """
import asyncio
from kizuna import connect
from kizuna.testing import FakePlatform, FakeServer

async def main():
    server = FakeServer()
    platform = FakePlatform(server)
    async with connect("wss://example.org/ws", platform=platform, get_access_token=lambda: "SECRET") as connection:
        for text in ("{", "["):
            server.clients[0].socket.receive(text)
        server.go_down()
        await platform.until(lambda: connection.state.status == "exhausted")

asyncio.run(main())
"""


def test_a_person_who_configured_nothing_sees_the_warnings_alone():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    malformed, exhausted = done.stderr.splitlines()
    assert malformed.startswith("malformed frame: not valid JSON")
    assert exhausted.startswith(
        "the connection is exhausted: the server cannot be reached. Is the server running"
    )
    assert done.stdout == ""


def test_numbers_that_look_like_milliseconds_are_warned_of(caplog: pytest.LogCaptureFixture):
    make(
        options={
            "heartbeat_interval": 30000,
            "first_retry_delay": 1000,
            "sleep_threshold": 299,
            "rollover_after": 1e6,
        }
    )
    assert sorted(caplog.messages) == [
        "first_retry_delay is in seconds, and 1000 are many: is it milliseconds?",
        "heartbeat_interval is in seconds, and 30000 are many: is it milliseconds?",
    ]


async def test_a_second_connection_to_the_same_url_is_warned_of(caplog: pytest.LogCaptureFixture):
    url = f"{URL}?token=SECRET"
    harnesses = [ServiceHarness(url=url) for _ in range(3)]
    for harness in harnesses:
        await harness.connect()
    await ServiceHarness(url=f"{URL}?another").connect()
    await ServiceHarness(url=lambda: url).connect()
    await ServiceHarness(url=lambda: url).connect()
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"two connections to {URL} at a time: disconnect() closes one, get_websocket_service() makes only one"
    ]
    for harness in harnesses:
        harness.service.disconnect()
    caplog.clear()
    await harnesses[0].connect()
    assert caplog.messages == []


# --- errors of the user's functions ---


@pytest.fixture
async def reported() -> list[dict[str, Any]]:
    """What reaches the event loop's exception handler."""
    contexts: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))
    return contexts


def fail(*arguments: Any) -> Any:
    raise LookupError("SECRET " + "of the token" if not arguments else "told")


async def fail_later(*arguments: Any) -> Any:
    fail(*arguments)


class Broken:
    encode = staticmethod(JSON.encode)
    decode = staticmethod(fail)


@pytest.mark.parametrize("handler", [fail, fail_later])
async def test_the_error_of_a_handler_reaches_the_loop(handler: Any, reported: list[dict[str, Any]]):
    harness = ServiceHarness()
    harness.service.on_message(handler)
    await harness.connect()
    await harness.platform.settle()
    assert isinstance(reported[0]["exception"], LookupError)
    assert reported[0]["exception"].__traceback__ is not None
    harness.service.disconnect()


async def test_errors_of_listener_preparation_and_codec_reach_the_loop(reported: list[dict[str, Any]]):
    harness = ServiceHarness(codec=Broken(), wire=PLAIN)
    harness.service.subscribe(lambda state: state.status, fail)
    harness.service.before_connected(fail)
    connecting = await harness.begin()
    harness.socket.accept()
    harness.socket.receive("x")
    await harness.platform.settle()
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    first = [context["message"] for context in reported if "exception" in context]
    assert first == ["error in a listener", "error in the codec", "error in before_connected"]


@pytest.mark.parametrize("provider", [fail, fail_later, lambda: undefined, lambda: 7])  # type: ignore[name-defined]  # noqa: F821
@pytest.mark.parametrize("argument", ["get_access_token", "url"])
async def test_the_error_of_a_provider_reaches_the_loop_without_its_secrets(
    argument: str, provider: Any, reported: list[dict[str, Any]]
):
    harness = ServiceHarness(**{argument: provider})
    connecting = await harness.begin()
    (context,) = reported
    assert context["exception"].__traceback__ is not None or "returned int" in str(context["exception"])
    assert "SECRET" not in str(context["exception"])
    assert context["exception"].__cause__ is context["exception"].__context__ is None
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting


@pytest.mark.parametrize(
    "answer", [Unauthorized("no"), TryLater("busy", 5), OSError("no network"), KizunaError("a proxy's page")]
)
async def test_an_answer_of_a_provider_is_no_mistake(answer: Exception, reported: list[dict[str, Any]]):
    def provider() -> str:
        raise answer

    harness = ServiceHarness(provider)
    connecting = await harness.begin()
    assert reported == []
    harness.service.disconnect()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_preparation_whose_link_is_gone_is_no_mistake(reported: list[dict[str, Any]]):
    harness = ServiceHarness()

    def prepare(link: LinkHandle) -> None:
        harness.socket.drop()
        link.send({})

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    assert (harness.status, reported) == ("waiting", [])
    harness.service.disconnect()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_preparation_that_gets_no_answer_is_no_mistake(reported: list[dict[str, Any]]):
    harness = ServiceHarness(wire=PLAIN)

    def prepare(link: LinkHandle) -> None:
        raise TimeoutError("no answer")

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    assert (harness.status, reported) == ("waiting", [])
    harness.service.disconnect()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_preparation_that_sends_over_the_connection_is_told_of_its_link(
    reported: list[dict[str, Any]],
):
    harness = ServiceHarness(wire=PLAIN)
    harness.service.before_connected(lambda link: harness.service.send({}))
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    assert "in before_connected() call link.send()" in str(reported[0]["exception"])
    harness.service.disconnect()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_an_error_that_returns_is_counted_once_a_second(reported: list[dict[str, Any]]):
    harness = ServiceHarness()
    harness.service.on_message(fail)
    socket = await harness.connect()
    reported.clear()
    for _ in range(100):
        socket.receive({})
    await harness.platform.advance(1)
    socket.receive({})
    socket.receive({})
    harness.service.disconnect()
    assert [context["message"].split(" more")[0] for context in reported] == ["1", "100", "1"]


async def test_so_many_places_are_told_apart(reported: list[dict[str, Any]]):
    reports = ErrorReports(FakePlatform().now)
    for number in range(MAX_PLACES + 5):
        reports.report(f"place {number}", ValueError())
    assert len([context for context in reported if "exception" in context]) == MAX_PLACES


def test_outside_of_any_loop_errors_are_logged(caplog: pytest.LogCaptureFixture):
    ErrorReports(FakePlatform().now).report("error in a handler", ValueError("told"))
    assert "ValueError: told" in caplog.text


def test_bytes_are_asked_for_where_bytes_are_sent():
    with pytest.raises(TypeError, match="BYTES sends bytes, not str"):
        BYTES.encode("text")  # type: ignore[arg-type]
