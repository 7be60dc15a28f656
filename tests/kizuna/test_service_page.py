"""The page as the service sees it, with events and without."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kizuna.platform import PageHidden, PageShown, PageSuspended, WentOnline
from kizuna.testing import FakePlatform
from tests.kizuna.service_harness import ServiceHarness


def become(harness: ServiceHarness, **page: Any) -> None:
    """Change the page without telling anybody: browsers lose edges."""
    harness.platform._page = dataclasses.replace(harness.platform._page, **page)


async def waiting_stage() -> ServiceHarness:
    harness = ServiceHarness()
    await harness.connect()
    harness.socket.drop()
    assert harness.status == "waiting"
    return harness


async def test_a_visible_page_that_lost_its_connection_connects_at_once():
    harness = await waiting_stage()
    harness.platform.hide()
    harness.platform.show()
    assert harness.status == "connecting"
    await harness.serve()
    assert harness.service.is_connected()


@pytest.mark.parametrize("left", [False, True])
async def test_a_page_that_never_joined_or_left_on_purpose_connects_never(left: bool):
    harness = ServiceHarness()
    if left:
        await harness.connect()
        harness.service.disconnect()
    before = len(harness.platform.sockets)
    for event in (
        harness.platform.hide,
        harness.platform.show,
        harness.platform.go_offline,
        harness.platform.go_online,
    ):
        event()
    harness.platform.resume()
    await harness.platform.advance(1000)
    assert len(harness.platform.sockets) == before
    assert harness.platform.watchers == []


async def test_suspended_page_closes_cleanly_and_reconnects_on_resume():
    harness = ServiceHarness()
    socket = await harness.connect()
    harness.platform.suspend()
    assert (harness.status, socket.closed_with) == ("suspended", 1000)
    assert harness.platform.clock.armed == 0
    harness.platform.resume()
    await harness.serve()
    assert harness.service.is_connected()


async def test_a_network_that_flickers_makes_one_socket():
    harness = ServiceHarness()
    await harness.connect()
    for _ in range(30):
        harness.platform.go_offline()
        harness.platform.go_online()
    assert len(harness.platform.sockets) == 1


async def test_levels_are_read_at_connect():
    harness = ServiceHarness()
    become(harness, visible=False, online=False)
    connecting = await harness.begin()
    harness.socket.drop()
    assert harness.status == "offline"
    harness.service.disconnect()
    await harness.platform.settle()
    assert connecting.exception() is not None


async def test_a_lost_edge_is_found_at_the_next_timer():
    harness = await waiting_stage()
    become(harness, online=False)
    await harness.platform.advance(1)
    assert harness.status == "offline"  # and the timer that found it is not taken for the one it armed
    assert harness.platform.clock.armed == 1
    assert len(harness.platform.sockets) == 1
    await harness.platform.advance(29)
    assert len(harness.platform.sockets) == 1
    await harness.platform.advance(1)
    assert len(harness.platform.sockets) == 2
    harness.service.disconnect()
    harness.assert_nothing_is_left()


async def test_a_budget_is_not_spent_by_a_page_whose_hiding_nobody_told():
    harness = await waiting_stage()
    become(harness, visible=False)
    for _ in range(12):
        await harness.platform.advance(16)
        if harness.platform.live_sockets:
            harness.socket.drop()
    assert harness.status == "waiting"


async def test_a_lost_edge_is_found_at_the_next_edge_of_another_kind():
    harness = await waiting_stage()
    become(harness, online=False)
    for tell in harness.platform.watchers:
        tell(PageHidden())
        become(harness, visible=False)
    assert harness.status == "offline"


async def test_an_edge_that_the_level_contradicts_does_not_stick():
    harness = await waiting_stage()
    for tell in harness.platform.watchers:
        tell(PageHidden())  # late: the page is in front again
    assert harness.status == "connecting"


async def test_lost_event_does_not_wake_a_suspended_page():
    harness = ServiceHarness()
    become(harness, online=False)
    await harness.connect()
    become(harness, online=True, visible=False)
    for tell in harness.platform.watchers:
        tell(PageSuspended())
    assert harness.status == "suspended"
    assert harness.platform.live_sockets == []


async def test_an_edge_and_its_level_make_one_attempt():
    harness = await waiting_stage()
    harness.platform.hide()
    harness.platform.go_offline()
    become(harness, visible=True, online=True)
    for tell in harness.platform.watchers:
        tell(PageShown())
        tell(WentOnline())
    assert len(harness.platform.sockets) == 2


async def test_a_machine_that_slept_probes_its_link_and_replaces_a_dead_one():
    harness = ServiceHarness()
    first = await harness.connect()
    first.receive({"type": "pong"})
    harness.platform.clock.sleep(3600)
    await harness.platform.advance(1)
    assert harness.status == "suspect"
    await harness.platform.advance(5)
    assert first.closed_with == 1000
    assert len(harness.platform.sockets) == 2


async def test_busy_page_reads_waiting_frames_before_the_silence_deadline():
    harness = ServiceHarness()
    socket = await harness.connect()
    harness.platform.clock.move_to(harness.platform.clock.now().monotonic + 60)
    while harness.platform.clock.fire_next():
        pass
    assert harness.status == "suspect"
    socket.receive({"type": "pong"})
    assert (harness.status, len(harness.platform.sockets)) == ("connected", 1)


@pytest.mark.parametrize(("throttled", "status"), [(True, "suspect"), (False, "connected")])
async def test_a_late_tick_is_a_doubt_where_no_worker_is_heard(throttled: bool, status: str):
    harness = ServiceHarness()
    socket = await harness.connect()
    socket.receive({"type": "pong"})
    become(harness, throttled=throttled)
    clock = harness.platform.clock
    await harness.platform.advance(1)  # a tick on time
    clock.move_to(clock.now().monotonic + 1 + 3.1)
    clock.fire_next()
    assert harness.status == status


async def test_the_application_may_doubt_its_connection():
    harness = ServiceHarness()
    socket = await harness.connect()
    socket.receive({"type": "pong"})
    harness.service.doubt()
    assert harness.status == "suspect"
    await harness.platform.advance(5)
    assert len(harness.platform.sockets) == 2


async def test_a_change_of_network_and_a_sleep_are_doubts():
    for happen in (FakePlatform.change_network, FakePlatform.wake):
        harness = ServiceHarness()
        socket = await harness.connect()
        socket.receive({"type": "pong"})
        happen(harness.platform)
        assert harness.status == "suspect"
        socket.receive({"type": "pong"})
        assert harness.status == "connected"
