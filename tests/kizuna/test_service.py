"""The public face: connect() and its endings, sending, preparing, looking."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest

from kizuna import ARTICLE
from kizuna.errors import (
    ConfigurationError,
    Disconnected,
    Exhausted,
    FrameTooLarge,
    NotConnected,
    Rejected,
)
from kizuna.runtime.transport import LinkHandle
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform
from tests.kizuna.stage import READY, Stage

# --- connect() and its endings ---


async def test_connect_returns_once_connected():
    stage = Stage()
    connecting = await stage.begin()
    stage.socket.accept()
    await stage.platform.settle()
    assert not connecting.done()
    stage.socket.receive(READY)
    await connecting
    assert stage.service.is_connected()
    assert stage.status == "connected"


async def test_connect_joins_an_attempt_and_returns_at_once_when_connected():
    stage = Stage()
    connecting = [await stage.begin() for _ in range(20)]
    assert len(stage.platform.sockets) == 1
    await stage.serve()
    await asyncio.gather(*connecting)
    await stage.service.connect()
    stage.platform.hide()
    stage.platform.show()
    assert stage.status == "suspect"
    await stage.service.connect()
    assert len(stage.platform.sockets) == 1


async def test_connect_goes_on_waiting_through_failed_attempts():
    stage = Stage()
    connecting = await stage.begin()
    for _ in range(4):
        stage.socket.drop()
        await stage.platform.advance(16)
    assert not connecting.done()
    await stage.serve()
    await connecting


async def test_connect_raises_exhausted_with_the_reason():
    stage = Stage()
    connecting = await stage.begin()
    joining = await stage.begin()
    await stage.exhaust()
    for waiting in (connecting, joining):
        with pytest.raises(Exhausted, match="cannot be reached"):
            await waiting
    assert len(stage.platform.sockets) == 6


async def test_connect_without_a_budget_raises_at_the_first_failure():
    def provider() -> str:
        raise OSError

    stage = Stage(provider, max_retries=0)
    with pytest.raises(Exhausted):
        await stage.service.connect()


async def test_connect_raises_rejected_with_the_servers_words():
    stage = Stage()
    connecting = await stage.begin()
    stage.socket.accept()
    stage.socket.receive({"type": "bye", "reason": "banned", "reconnect": False})
    with pytest.raises(Rejected, match="banned"):
        await connecting


async def test_connect_raises_disconnected_when_it_is_called_off():
    stage = Stage()
    connecting = await stage.begin()
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    stage.assert_nothing_is_left()


@pytest.mark.parametrize("ending", ["exhausted", "rejected", "closed"])
async def test_connect_begins_again_after_any_ending_whatever_the_page_did_meanwhile(ending: str):
    stage = Stage(max_retries=0)
    if ending == "exhausted":
        connecting = await stage.begin()
        stage.socket.drop()
        with pytest.raises(Exhausted):
            await connecting
    else:
        await stage.connect()
        stage.socket.drop(1008) if ending == "rejected" else stage.service.disconnect()
    assert stage.status == ending
    stage.platform._page = dataclasses.replace(stage.platform._page, visible=False, online=False)
    await stage.connect()


async def test_cancelling_the_wait_stops_nothing():
    stage = Stage()
    connecting = await stage.begin()
    joining = await stage.begin()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    assert connecting.cancelled()
    await stage.serve()
    await joining
    assert stage.service.is_connected()


async def test_a_wait_that_is_cancelled_as_it_fails_leaves_no_warning_behind():
    stage = Stage(max_retries=0)
    connecting = await stage.begin()
    stage.socket.drop()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    assert connecting.cancelled()


async def test_a_connect_that_nobody_waits_for_any_more_warns_of_nothing():
    problems: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    stage = Stage(max_retries=0)
    connecting = await stage.begin()
    connecting.cancel()
    await stage.platform.settle()
    del connecting
    stage.socket.drop()
    await stage.platform.settle()
    assert stage.status == "exhausted"
    assert problems == []


async def test_disconnect_from_within_then_connect_again_keeps_the_new():
    stage = Stage()
    first = await stage.connect()
    stage.service.disconnect()
    second = await stage.connect()
    assert first.closed_with == 1000
    assert stage.platform.live_sockets == [second]


async def test_disconnect_twice_and_disconnect_before_anything_are_harmless():
    stage = Stage()
    stage.service.disconnect()
    stage.service.disconnect()
    assert stage.status == "closed"
    stage.assert_nothing_is_left()


async def test_the_block_connects_and_disconnects():
    stage = Stage()

    async def visit() -> None:
        async with stage.service as service:
            assert service is stage.service
            assert service.is_connected()

    visiting = asyncio.create_task(visit())
    await stage.platform.settle()
    await stage.serve()
    await visiting
    assert stage.status == "closed"
    stage.assert_nothing_is_left()


async def test_a_block_that_is_not_entered_leaves_nothing_behind():
    stage = Stage(max_retries=0)

    async def visit() -> None:
        async with stage.service:
            raise AssertionError("not reached")

    visiting = asyncio.create_task(visit())
    await stage.platform.settle()
    stage.socket.drop()
    with pytest.raises(Exhausted):
        await visiting
    stage.assert_nothing_is_left()
    visiting = asyncio.create_task(visit())
    await stage.platform.settle()
    visiting.cancel()
    await asyncio.gather(visiting, return_exceptions=True)
    assert visiting.cancelled()
    stage.assert_nothing_is_left()


async def test_an_error_in_the_block_closes_too():
    stage = Stage()

    async def visit() -> None:
        async with stage.service:
            raise LookupError

    visiting = asyncio.create_task(visit())
    await stage.platform.settle()
    await stage.serve()
    with pytest.raises(LookupError):
        await visiting
    stage.assert_nothing_is_left()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.org",
        "example.org",
        "ws://",
        "wss://example.org/#top",
        "ws://[",
        "ws://h:99999",
        "ws://h:x",
    ],
)
def test_a_url_that_cannot_work_is_refused_by_name(url: str):
    with pytest.raises(ConfigurationError, match="^url: "):
        WebSocketService(url, platform=FakePlatform())


# --- sending ---


async def test_a_message_is_an_object_with_its_action():
    stage = Stage()
    socket = await stage.connect()
    stage.service.send_message("sendMessage", {"roomId": "general", "content": "こんにちは"})
    stage.service.send_message("list")
    assert socket.sent[-2:] == [
        {"action": "sendMessage", "roomId": "general", "content": "こんにちは"},
        {"action": "list"},
    ]


@pytest.mark.parametrize("moment", ["idle", "connecting", "opened", "waiting", "closed", "closing"])
async def test_nothing_can_be_sent_while_not_connected(moment: str):
    stage = Stage()
    connecting = await stage.begin() if moment != "idle" else None
    if moment in ("opened", "waiting", "closed", "closing"):
        stage.socket.accept()
    if moment in ("waiting", "closed", "closing"):
        stage.socket.receive(READY)
        await stage.platform.settle()
    match moment:
        case "waiting":
            stage.socket.drop()
        case "closed":
            stage.service.disconnect()
        case "closing":
            stage.socket.is_open = False  # the browser says CLOSING, its close event is still to come
    assert not stage.service.is_connected()
    with pytest.raises(NotConnected):
        stage.service.send_message("sendMessage", {})
    stage.service.disconnect()
    await asyncio.gather(*[connecting] if connecting else [], return_exceptions=True)


async def test_a_frame_is_measured_in_bytes_of_utf_8():
    stage = Stage()
    socket = await stage.connect()
    envelope = len(json.dumps({"action": "a", "c": ""}, separators=(",", ":")))
    fits = "あ" * ((32 * 1024 - envelope) // 3)
    stage.service.send_message("a", {"c": fits})
    assert socket.sent[-1]["c"] == fits
    with pytest.raises(FrameTooLarge) as caught:
        stage.service.send_message("a", {"c": fits + "あ"})
    assert (caught.value.size, caught.value.limit) == (envelope + 3 * len(fits) + 3, 32 * 1024)
    assert "bytes" in str(caught.value)
    assert stage.service.is_connected()


async def test_a_frame_of_exactly_the_limit_goes_out():
    stage = Stage()
    socket = await stage.connect()
    room = 32 * 1024 - len(json.dumps({"action": "a", "c": ""}, separators=(",", ":")))
    stage.service.send_message("a", {"c": "x" * room})
    assert len(socket.sent[-1]["c"]) == room
    with pytest.raises(FrameTooLarge):
        stage.service.send_message("a", {"c": "x" * (room + 1)})


async def test_half_a_surrogate_pair_stops_nobody():
    stage = Stage()
    socket = await stage.connect()
    stage.service.send_message("a", {"c": "\ud83d"})
    assert socket.sent[-1] == {"action": "a", "c": "\ud83d"}


async def test_a_socket_that_refuses_a_frame_is_not_connected(caplog: pytest.LogCaptureFixture):
    stage = Stage()
    socket = await stage.connect()

    def refuse(text: str) -> None:
        raise RuntimeError("InvalidStateError")

    socket.send = refuse  # type: ignore[method-assign]
    with pytest.raises(NotConnected):
        stage.service.send_message("a")
    socket.receive({"type": "pong"})
    await stage.platform.advance(30)  # a ping that cannot be sent ends nothing: silence will
    assert "no ping was sent" in caplog.text
    await stage.platform.advance(15)
    assert len(stage.platform.sockets) == 2


# --- preparing ---


async def test_the_application_prepares_each_new_link_before_it_counts():
    stage = Stage()
    gates: list[asyncio.Event] = []

    async def prepare(link: LinkHandle) -> None:
        gates.append(asyncio.Event())
        link.send_message("hello", {"v": 1})
        link.send_message("more")
        await gates[-1].wait()

    stage.service.on_open(prepare)
    connecting = await stage.begin()
    await stage.serve()
    assert stage.socket.actions == ["hello", "more"]
    assert stage.status == "connecting"
    gates[0].set()
    await connecting
    assert stage.socket.actions == ["hello", "more", "ping"]
    stage.socket.drop()
    await stage.platform.advance(1)
    await stage.serve()
    assert (stage.status, len(gates)) == ("connecting", 2)
    gates[1].set()
    await stage.platform.settle()
    assert stage.status == "connected"


async def test_preparations_run_one_after_the_other_plain_ones_too_and_can_be_taken_back():
    stage = Stage()
    order: list[str] = []

    async def slow(link: LinkHandle) -> None:
        await asyncio.sleep(0)
        order.append("slow")

    def plain(link: LinkHandle) -> None:
        order.append("plain")

    once = stage.service.on_open(plain)
    stage.service.on_open(slow)
    stage.service.on_open(plain)
    await stage.connect()
    assert order == ["plain", "slow", "plain"]
    once()
    once()  # a second call takes nobody else's back
    stage.socket.drop()
    await stage.platform.advance(1)
    await stage.serve()
    assert order[3:] == ["slow", "plain"]


async def test_a_preparation_that_raises_is_tried_again(caplog: pytest.LogCaptureFixture):
    stage = Stage()
    outcomes = iter([LookupError("no such room"), None])

    async def prepare(link: LinkHandle) -> None:
        outcome = next(outcomes)
        if outcome:
            raise outcome

    stage.service.on_open(prepare)
    connecting = await stage.begin()
    await stage.serve()
    assert stage.status == "waiting"
    assert stage.service.state.reason is not None
    assert stage.service.state.reason.words == "no such room"
    assert "prepare failed" in caplog.text
    await stage.platform.advance(1)
    await stage.serve()
    await connecting


async def test_a_link_that_is_gone_takes_no_words_and_its_preparation_is_cancelled():
    stage = Stage()
    links: list[LinkHandle] = []
    ends: list[str] = []

    async def prepare(link: LinkHandle) -> None:
        links.append(link)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    stage.service.on_open(prepare)
    connecting = await stage.begin()
    stage.socket.accept()
    await stage.platform.settle()
    stage.socket.drop()
    await stage.platform.settle()
    assert ends == ["cancelled"]
    with pytest.raises(NotConnected):
        links[0].send_message("hello")
    await stage.platform.advance(1)
    await stage.serve()
    with pytest.raises(NotConnected):  # an old link's words do not go over the new one
        links[0].send_message("hello")
    links[1].send_message("hello")
    assert stage.socket.actions == ["hello"]
    stage.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    await stage.platform.settle()
    stage.assert_nothing_is_left()


async def test_a_frame_that_is_too_large_for_prepare_is_its_failure():
    stage = Stage(max_frame_bytes=100)
    stage.service.on_open(lambda link: link.send_message("hello", {"x": "y" * 200}))
    connecting = await stage.begin()
    await stage.serve()
    assert stage.status == "waiting"
    stage.service.disconnect()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_link_whose_socket_is_closing_takes_no_words():
    stage = Stage()
    refused: list[bool] = []

    async def prepare(link: LinkHandle) -> None:
        stage.socket.is_open = False
        with pytest.raises(NotConnected):
            link.send_message("hello")
        refused.append(True)

    stage.service.on_open(prepare)
    connecting = await stage.begin()
    await stage.serve()
    await connecting
    assert refused == [True]
    assert stage.socket.sent == []


async def test_a_preparation_that_disconnects_ends_at_its_next_await():
    stage = Stage()
    ends: list[str] = []

    async def prepare(link: LinkHandle) -> None:
        stage.service.disconnect()
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("over")

    stage.service.on_open(prepare)
    connecting = await stage.begin()
    stage.socket.accept()
    await stage.platform.settle()
    with pytest.raises(Disconnected):
        await connecting
    assert ends == ["over"]
    stage.assert_nothing_is_left()


# --- looking ---


async def test_the_state_is_frozen():
    stage = Stage()
    await stage.connect()
    with pytest.raises(dataclasses.FrozenInstanceError):
        stage.service.state.attempt = 3  # type: ignore[misc]


async def test_a_listener_hears_of_its_part_alone():
    stage = Stage()
    seen: list[str] = []
    unsubscribe = stage.service.subscribe(lambda state: state.status.value, seen.append)
    await stage.connect()
    await stage.platform.advance(25)
    assert seen[:2] == ["connecting", "connected"]
    unsubscribe()
    stage.service.disconnect()
    assert seen[-1] != "closed"


async def test_exhaustion_is_told_once():
    stage = Stage(idle_retry_interval=60)
    seen: list[str] = []
    stage.service.subscribe(lambda state: state.status.value, seen.append)
    connecting = await stage.begin()
    await stage.exhaust()
    with pytest.raises(Exhausted):
        await connecting
    for _ in range(5):
        await stage.platform.advance(60)
        stage.socket.drop()
    assert seen.count("exhausted") == 1


async def test_try_now_attempts_at_once():
    stage = Stage()
    await stage.connect()
    stage.socket.drop()
    assert len(stage.platform.sockets) == 1
    stage.service.try_now()
    assert len(stage.platform.sockets) == 2
    stage.service.try_now()
    assert len(stage.platform.sockets) == 2


async def test_on_the_articles_wire_an_open_socket_is_a_connection():
    stage = Stage(wire=ARTICLE)
    connecting = await stage.begin()
    stage.socket.accept()
    await connecting
    await stage.platform.advance(65)
    assert stage.socket.sent == [{"action": "ping"}] * 3


async def test_a_ping_carries_a_time_that_comes_back_as_a_round_trip():
    stage = Stage()
    socket = await stage.connect()
    assert socket.sent == [{"action": "ping", "t": 1_000_000}]
    await stage.platform.advance(0.125)
    socket.receive({"type": "pong", "t": socket.sent[-1]["t"]})
    assert stage.service.state.rtt == pytest.approx(0.125)
