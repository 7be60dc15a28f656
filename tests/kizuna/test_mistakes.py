"""Mistakes of users: each is said at once, with what is wrong and what to do, and no error of theirs is silent."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from kizuna import (
    BYTES,
    JSON,
    PLAIN,
    Disconnected,
    KizunaError,
    LinkHandle,
    NotConnected,
    TryLater,
    Unauthorized,
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
    (lambda: make(wire="article"), "wire: must be a Wire such as kizuna.PLAIN, not 'article'"),
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
    (lambda: make().on_message(None), "on_message() needs a function that takes a frame, not None"),
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


async def test_a_frame_for_a_lost_connection_says_how_it_stands():
    harness = ServiceHarness()
    await harness.connect()
    harness.socket.drop()
    with pytest.raises(Exception, match="the connection is waiting: try again later"):
        harness.service.send({})
    harness.service.disconnect()


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
    assert first == ["error in a listener", "error in the codec", "error in prepare"]


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
        raise NotConnected("the link is closed")

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    assert (harness.status, reported) == ("waiting", [])
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
