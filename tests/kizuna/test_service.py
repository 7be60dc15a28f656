"""The public face: connect() and how it ends, sending, preparing, and the state."""

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
from tests.kizuna.service_harness import READY, ServiceHarness

# --- connect() and its endings ---


async def test_connect_returns_once_connected():
    harness = ServiceHarness()
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    assert not connecting.done()
    harness.socket.receive(READY)
    await connecting
    assert harness.service.is_connected()
    assert harness.status == "connected"


async def test_connect_joins_an_attempt_and_returns_at_once_when_connected():
    harness = ServiceHarness()
    connecting = [await harness.begin() for _ in range(20)]
    assert len(harness.platform.sockets) == 1
    await harness.serve()
    await asyncio.gather(*connecting)
    await harness.service.connect()
    harness.platform.hide()
    harness.platform.show()
    assert harness.status == "suspect"
    await harness.service.connect()
    assert len(harness.platform.sockets) == 1


async def test_connect_goes_on_waiting_through_failed_attempts():
    harness = ServiceHarness()
    connecting = await harness.begin()
    for _ in range(4):
        harness.socket.drop()
        await harness.platform.advance(16)
    assert not connecting.done()
    await harness.serve()
    await connecting


async def test_connect_raises_exhausted_with_the_reason_where_nothing_goes_on():
    harness = ServiceHarness(idle_retry_interval=0)
    connecting = await harness.begin()
    joining = await harness.begin()
    await harness.exhaust()
    for waiting in (connecting, joining):
        with pytest.raises(Exhausted, match="cannot be reached"):
            await waiting
    assert len(harness.platform.sockets) == 6


async def test_connect_without_a_budget_raises_at_the_first_failure():
    def provider() -> str:
        raise OSError

    harness = ServiceHarness(provider, max_retries=0, idle_retry_interval=0)
    with pytest.raises(Exhausted):
        await harness.service.connect()


async def test_connect_raises_rejected_with_the_servers_words():
    harness = ServiceHarness()
    connecting = await harness.begin()
    harness.socket.accept()
    harness.socket.receive({"type": "bye", "reason": "banned", "reconnect": False})
    with pytest.raises(Rejected, match="banned"):
        await connecting


async def test_connect_raises_disconnected_when_it_is_called_off():
    harness = ServiceHarness()
    connecting = await harness.begin()
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    harness.assert_nothing_is_left()


@pytest.mark.parametrize("ending", ["exhausted", "rejected", "closed"])
async def test_connect_begins_again_after_any_ending_whatever_the_page_did_meanwhile(ending: str):
    harness = ServiceHarness(max_retries=0, idle_retry_interval=0)
    if ending == "exhausted":
        connecting = await harness.begin()
        harness.socket.drop()
        with pytest.raises(Exhausted):
            await connecting
    else:
        await harness.connect()
        harness.socket.drop(1008) if ending == "rejected" else harness.service.disconnect()
    assert harness.status == ending
    harness.platform._page = dataclasses.replace(harness.platform._page, visible=False, online=False)
    await harness.connect()


async def test_cancelling_the_wait_stops_nothing():
    harness = ServiceHarness()
    connecting = await harness.begin()
    joining = await harness.begin()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    assert connecting.cancelled()
    await harness.serve()
    await joining
    assert harness.service.is_connected()


async def test_a_wait_that_is_cancelled_as_it_fails_leaves_no_warning_behind():
    harness = ServiceHarness(max_retries=0, idle_retry_interval=0)
    connecting = await harness.begin()
    harness.socket.drop()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    assert connecting.cancelled()


async def test_a_connect_that_nobody_waits_for_any_more_warns_of_nothing():
    problems: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    harness = ServiceHarness(max_retries=0, idle_retry_interval=0)
    connecting = await harness.begin()
    connecting.cancel()
    await harness.platform.settle()
    del connecting
    harness.socket.drop()
    await harness.platform.settle()
    assert harness.status == "exhausted"
    assert problems == []


async def test_disconnect_from_within_then_connect_again_keeps_the_new():
    harness = ServiceHarness()
    first = await harness.connect()
    harness.service.disconnect()
    second = await harness.connect()
    assert first.closed_with == 1000
    assert harness.platform.live_sockets == [second]


async def test_disconnect_twice_and_disconnect_before_anything_are_harmless():
    harness = ServiceHarness()
    harness.service.disconnect()
    harness.service.disconnect()
    assert harness.status == "closed"
    harness.assert_nothing_is_left()


async def test_the_block_connects_and_disconnects():
    harness = ServiceHarness()

    async def visit() -> None:
        async with harness.service as service:
            assert service is harness.service
            assert service.is_connected()

    visiting = asyncio.create_task(visit())
    await harness.platform.settle()
    await harness.serve()
    await visiting
    assert harness.status == "closed"
    harness.assert_nothing_is_left()


async def test_a_block_that_is_not_entered_leaves_nothing_behind():
    harness = ServiceHarness(max_retries=0, idle_retry_interval=0)

    async def visit() -> None:
        async with harness.service:
            raise AssertionError("not reached")

    visiting = asyncio.create_task(visit())
    await harness.platform.settle()
    harness.socket.drop()
    with pytest.raises(Exhausted):
        await visiting
    harness.assert_nothing_is_left()
    visiting = asyncio.create_task(visit())
    await harness.platform.settle()
    visiting.cancel()
    await asyncio.gather(visiting, return_exceptions=True)
    assert visiting.cancelled()
    harness.assert_nothing_is_left()


async def test_an_error_in_the_block_closes_too():
    harness = ServiceHarness()

    async def visit() -> None:
        async with harness.service:
            raise LookupError

    visiting = asyncio.create_task(visit())
    await harness.platform.settle()
    await harness.serve()
    with pytest.raises(LookupError):
        await visiting
    harness.assert_nothing_is_left()


@pytest.mark.parametrize(
    "url",
    [
        "ws://",
        "wss://example.org/#top",
        "ws://[",
        "ws://h:99999",
        "ws://h:x",
    ],
)
def test_a_url_that_cannot_work_is_refused_by_name(url: str):
    with pytest.raises(ConfigurationError, match="^url: "):
        _ = WebSocketService(url, platform=FakePlatform())


@pytest.mark.parametrize("url", ["", "example.org"])
def test_a_relative_url_is_refused_where_there_is_no_page(url: str):
    with pytest.raises(ConfigurationError, match="^url: "):
        _ = WebSocketService(url, platform=FakePlatform())


# --- sending ---


async def test_a_message_is_an_object_with_its_action():
    harness = ServiceHarness()
    socket = await harness.connect()
    harness.service.send_message("sendMessage", {"roomId": "general", "content": "こんにちは"})
    harness.service.send_message("list")
    assert socket.sent[-2:] == [
        {"action": "sendMessage", "roomId": "general", "content": "こんにちは"},
        {"action": "list"},
    ]


@pytest.mark.parametrize("moment", ["idle", "connecting", "opened", "waiting", "closed", "closing"])
async def test_nothing_can_be_sent_while_not_connected(moment: str):
    harness = ServiceHarness()
    connecting = await harness.begin() if moment != "idle" else None
    if moment in ("opened", "waiting", "closed", "closing"):
        harness.socket.accept()
    if moment in ("waiting", "closed", "closing"):
        harness.socket.receive(READY)
        await harness.platform.settle()
    match moment:
        case "waiting":
            harness.socket.drop()
        case "closed":
            harness.service.disconnect()
        case "closing":
            harness.socket.is_open = False  # the browser says CLOSING, its close event is still to come
    assert not harness.service.is_connected()
    with pytest.raises(NotConnected, match="nothing was sent, as the "):
        harness.service.send_message("sendMessage", {})
    harness.service.disconnect()
    await asyncio.gather(*[connecting] if connecting else [], return_exceptions=True)


async def test_a_frame_is_measured_in_bytes_of_utf_8():
    harness = ServiceHarness()
    socket = await harness.connect()
    envelope = len(json.dumps({"action": "a", "c": ""}, separators=(",", ":")))
    fits = "あ" * ((32 * 1024 - envelope) // 3)
    harness.service.send_message("a", {"c": fits})
    assert socket.sent[-1]["c"] == fits
    with pytest.raises(FrameTooLarge) as caught:
        harness.service.send_message("a", {"c": fits + "あ"})
    assert (caught.value.size, caught.value.limit) == (envelope + 3 * len(fits) + 3, 32 * 1024)
    assert "bytes" in str(caught.value)
    assert harness.service.is_connected()


async def test_a_frame_of_exactly_the_limit_goes_out():
    harness = ServiceHarness()
    socket = await harness.connect()
    room = 32 * 1024 - len(json.dumps({"action": "a", "c": ""}, separators=(",", ":")))
    harness.service.send_message("a", {"c": "x" * room})
    assert len(socket.sent[-1]["c"]) == room
    with pytest.raises(FrameTooLarge):
        harness.service.send_message("a", {"c": "x" * (room + 1)})


async def test_half_a_surrogate_pair_stops_nobody():
    harness = ServiceHarness()
    socket = await harness.connect()
    harness.service.send_message("a", {"c": "\ud83d"})
    assert socket.sent[-1] == {"action": "a", "c": "\ud83d"}


async def test_a_socket_that_refuses_a_frame_is_not_connected(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    harness = ServiceHarness()
    socket = await harness.connect()

    def refuse(data: str | bytes) -> None:
        raise RuntimeError("InvalidStateError")

    socket.send = refuse  # type: ignore[method-assign]
    with pytest.raises(NotConnected):
        harness.service.send_message("a")
    socket.receive({"type": "pong"})
    await harness.platform.advance(30)  # a ping that cannot be sent ends nothing: silence will
    assert "could not send a ping" in caplog.text
    await harness.platform.advance(15)
    assert len(harness.platform.sockets) == 2


# --- preparing ---


async def test_the_application_prepares_each_new_link_before_it_counts():
    harness = ServiceHarness()
    gates: list[asyncio.Event] = []

    async def prepare(link: LinkHandle) -> None:
        gates.append(asyncio.Event())
        link.send_message("hello", {"v": 1})
        link.send_message("more")
        await gates[-1].wait()

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    await harness.serve()
    assert harness.socket.actions == ["hello", "more"]
    assert harness.status == "connecting"
    gates[0].set()
    await connecting
    assert harness.socket.actions == ["hello", "more", "ping"]
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.serve()
    assert (harness.status, len(gates)) == ("connecting", 2)
    gates[1].set()
    await harness.platform.settle()
    assert harness.status == "connected"


async def test_preparations_run_in_order_and_can_be_unsubscribed():
    harness = ServiceHarness()
    order: list[str] = []

    async def slow(link: LinkHandle) -> None:
        await asyncio.sleep(0)
        order.append("slow")

    def plain(link: LinkHandle) -> None:
        order.append("plain")

    once = harness.service.before_connected(plain)
    harness.service.before_connected(slow)
    harness.service.before_connected(plain)
    await harness.connect()
    assert order == ["plain", "slow", "plain"]
    once()
    once()  # a second call takes nobody else's back
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.serve()
    assert order[3:] == ["slow", "plain"]


async def test_a_preparation_that_raises_is_tried_again(caplog: pytest.LogCaptureFixture):
    harness = ServiceHarness()
    outcomes = iter([LookupError("no such room"), None])

    async def prepare(link: LinkHandle) -> None:
        outcome = next(outcomes)
        if outcome:
            raise outcome

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    await harness.serve()
    assert harness.status == "waiting"
    assert harness.service.state.reason is not None
    assert harness.service.state.reason.words == "no such room"
    assert "error in before_connected" in caplog.text
    await harness.platform.advance(1)
    await harness.serve()
    await connecting


async def test_abandoned_link_sends_nothing_and_its_preparation_is_cancelled():
    harness = ServiceHarness()
    links: list[LinkHandle] = []
    ends: list[str] = []

    async def prepare(link: LinkHandle) -> None:
        links.append(link)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    harness.socket.drop()
    await harness.platform.settle()
    assert ends == ["cancelled"]
    with pytest.raises(NotConnected):
        links[0].send_message("hello")
    await harness.platform.advance(1)
    await harness.serve()
    with pytest.raises(NotConnected):  # an old link's words do not go over the new one
        links[0].send_message("hello")
    links[1].send_message("hello")
    assert harness.socket.actions == ["hello"]
    harness.service.disconnect()
    with pytest.raises(Disconnected):
        await connecting
    await harness.platform.settle()
    harness.assert_nothing_is_left()


async def test_a_frame_that_is_too_large_for_prepare_is_its_failure():
    harness = ServiceHarness(max_frame_bytes=100)
    harness.service.before_connected(lambda link: link.send_message("hello", {"x": "y" * 200}))
    connecting = await harness.begin()
    await harness.serve()
    assert harness.status == "waiting"
    harness.service.disconnect()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_a_link_whose_socket_is_closing_takes_no_words():
    harness = ServiceHarness()
    refused: list[bool] = []

    async def prepare(link: LinkHandle) -> None:
        harness.socket.is_open = False
        with pytest.raises(NotConnected):
            link.send_message("hello")
        refused.append(True)

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    await harness.serve()
    await connecting
    assert refused == [True]
    assert harness.socket.sent == []


async def test_a_preparation_that_disconnects_ends_at_its_next_await():
    harness = ServiceHarness()
    ends: list[str] = []

    async def prepare(link: LinkHandle) -> None:
        harness.service.disconnect()
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("over")

    harness.service.before_connected(prepare)
    connecting = await harness.begin()
    harness.socket.accept()
    await harness.platform.settle()
    with pytest.raises(Disconnected):
        await connecting
    assert ends == ["over"]
    harness.assert_nothing_is_left()


# --- looking ---


async def test_the_state_is_frozen():
    harness = ServiceHarness()
    await harness.connect()
    with pytest.raises(AttributeError):
        harness.service.state.attempt = 3  # type: ignore[misc]


async def test_a_listener_hears_of_its_part_alone():
    harness = ServiceHarness()
    seen: list[str] = []
    unsubscribe = harness.service.subscribe(lambda state: state.status.value, seen.append)
    await harness.connect()
    await harness.platform.advance(25)
    assert seen[:2] == ["connecting", "connected"]
    unsubscribe()
    harness.service.disconnect()
    assert seen[-1] != "closed"


async def test_exhaustion_is_told_once():
    harness = ServiceHarness(idle_retry_interval=60)
    seen: list[str] = []
    harness.service.subscribe(lambda state: state.status.value, seen.append)
    connecting = await harness.begin()
    await harness.exhaust()
    for _ in range(5):
        await harness.platform.advance(60)
        harness.socket.drop()
    assert seen.count("exhausted") == 1
    assert not connecting.done()
    harness.service.disconnect()
    await asyncio.gather(connecting, return_exceptions=True)


async def test_try_now_attempts_at_once():
    harness = ServiceHarness()
    await harness.connect()
    harness.socket.drop()
    assert len(harness.platform.sockets) == 1
    harness.service.try_now()
    assert len(harness.platform.sockets) == 2
    harness.service.try_now()
    assert len(harness.platform.sockets) == 2


async def test_on_the_articles_wire_an_open_socket_is_a_connection():
    harness = ServiceHarness(wire=ARTICLE)
    connecting = await harness.begin()
    harness.socket.accept()
    await connecting
    await harness.platform.advance(65)
    assert harness.socket.sent == [{"action": "ping"}] * 3


async def test_a_ping_carries_a_time_that_comes_back_as_a_round_trip():
    harness = ServiceHarness()
    socket = await harness.connect()
    assert socket.sent == [{"action": "ping", "t": 1_000_000}]
    await harness.platform.advance(0.125)
    socket.receive({"type": "pong", "t": socket.sent[-1]["t"]})
    assert harness.service.state.rtt == pytest.approx(0.125)


async def test_times_in_the_state_are_on_one_clock_in_seconds():
    harness = ServiceHarness()
    await harness.connect()
    await harness.platform.advance(7)
    assert harness.service.state.connected_since == harness.platform.now().monotonic - 7
    harness.socket.drop()
    assert harness.service.state.retry_at == harness.platform.now().monotonic + 1
    harness.service.disconnect()
