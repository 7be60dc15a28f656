"""The page as the service sees it: edges when they come, levels when they do not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from kizuna.platform import PageHidden, PageShown, PageSuspended, WentOnline
from kizuna.testing import FakePlatform
from tests.kizuna.stage import Stage


def become(stage: Stage, **page: Any) -> None:
    """Change the page without telling anybody: browsers lose edges."""
    stage.platform._page = dataclasses.replace(stage.platform._page, **page)


async def waiting_stage() -> Stage:
    stage = Stage()
    await stage.connect()
    stage.socket.drop()
    assert stage.status == "waiting"
    return stage


async def test_a_visible_page_that_lost_its_connection_connects_at_once():
    stage = await waiting_stage()
    stage.platform.hide()
    stage.platform.show()
    assert stage.status == "connecting"
    await stage.serve()
    assert stage.service.is_connected()


@pytest.mark.parametrize("left", [False, True])
async def test_a_page_that_never_joined_or_left_on_purpose_connects_never(left: bool):
    stage = Stage()
    if left:
        await stage.connect()
        stage.service.disconnect()
    before = len(stage.platform.sockets)
    for event in (
        stage.platform.hide,
        stage.platform.show,
        stage.platform.go_offline,
        stage.platform.go_online,
    ):
        event()
    stage.platform.resume()
    await stage.platform.advance(1000)
    assert len(stage.platform.sockets) == before
    assert stage.platform.watchers == []


async def test_a_page_that_is_put_aside_closes_cleanly_and_comes_back_by_itself():
    stage = Stage()
    socket = await stage.connect()
    stage.platform.suspend()
    assert (stage.status, socket.closed_with) == ("suspended", 1000)
    assert stage.platform.clock.armed == 0
    stage.platform.resume()
    await stage.serve()
    assert stage.service.is_connected()


async def test_a_network_that_flickers_makes_one_socket():
    stage = Stage()
    await stage.connect()
    for _ in range(30):
        stage.platform.go_offline()
        stage.platform.go_online()
    assert len(stage.platform.sockets) == 1


async def test_levels_are_read_at_connect():
    stage = Stage()
    become(stage, visible=False, online=False)
    connecting = await stage.begin()
    stage.socket.drop()
    assert stage.status == "offline"
    stage.service.disconnect()
    await stage.platform.settle()
    assert connecting.exception() is not None


async def test_a_lost_edge_is_found_at_the_next_timer():
    stage = await waiting_stage()
    become(stage, online=False)
    await stage.platform.advance(1)
    assert stage.status == "offline"  # and the timer that found it is not taken for the one it armed
    assert stage.platform.clock.armed == 1
    assert len(stage.platform.sockets) == 1
    await stage.platform.advance(29)
    assert len(stage.platform.sockets) == 1
    await stage.platform.advance(1)
    assert len(stage.platform.sockets) == 2
    stage.service.disconnect()
    stage.assert_nothing_is_left()


async def test_a_budget_is_not_spent_by_a_page_whose_hiding_nobody_told():
    stage = await waiting_stage()
    become(stage, visible=False)
    for _ in range(12):
        await stage.platform.advance(16)
        if stage.platform.live_sockets:
            stage.socket.drop()
    assert stage.status == "waiting"


async def test_a_lost_edge_is_found_at_the_next_edge_of_another_kind():
    stage = await waiting_stage()
    become(stage, online=False)
    for tell in stage.platform.watchers:
        tell(PageHidden())
        become(stage, visible=False)
    assert stage.status == "offline"


async def test_an_edge_that_the_level_contradicts_does_not_stick():
    stage = await waiting_stage()
    for tell in stage.platform.watchers:
        tell(PageHidden())  # late: the page is in front again
    assert stage.status == "connecting"


async def test_a_page_that_is_put_aside_is_not_woken_by_an_edge_that_was_lost():
    stage = Stage()
    become(stage, online=False)
    await stage.connect()
    become(stage, online=True, visible=False)
    for tell in stage.platform.watchers:
        tell(PageSuspended())
    assert stage.status == "suspended"
    assert stage.platform.live_sockets == []


async def test_an_edge_and_its_level_make_one_attempt():
    stage = await waiting_stage()
    stage.platform.hide()
    stage.platform.go_offline()
    become(stage, visible=True, online=True)
    for tell in stage.platform.watchers:
        tell(PageShown())
        tell(WentOnline())
    assert len(stage.platform.sockets) == 2


async def test_a_machine_that_slept_probes_its_link_and_replaces_a_dead_one():
    stage = Stage()
    first = await stage.connect()
    first.receive({"type": "pong"})
    stage.platform.clock.sleep(3600)
    await stage.platform.advance(1)
    assert stage.status == "suspect"
    await stage.platform.advance(5)
    assert first.closed_with == 1000
    assert len(stage.platform.sockets) == 2


async def test_a_page_that_was_held_up_reads_what_waits_before_it_believes_the_silence():
    stage = Stage()
    socket = await stage.connect()
    stage.platform.clock.move_to(stage.platform.clock.now().monotonic + 60)
    while stage.platform.clock.fire_next():
        pass
    assert stage.status == "suspect"
    socket.receive({"type": "pong"})
    assert (stage.status, len(stage.platform.sockets)) == ("connected", 1)


@pytest.mark.parametrize(("throttled", "status"), [(True, "suspect"), (False, "connected")])
async def test_a_late_tick_is_a_doubt_where_no_worker_is_heard(throttled: bool, status: str):
    stage = Stage()
    socket = await stage.connect()
    socket.receive({"type": "pong"})
    become(stage, throttled=throttled)
    clock = stage.platform.clock
    await stage.platform.advance(1)  # a tick on time
    clock.move_to(clock.now().monotonic + 1 + 3.1)
    clock.fire_next()
    assert stage.status == status


async def test_the_application_may_doubt_its_connection():
    stage = Stage()
    socket = await stage.connect()
    socket.receive({"type": "pong"})
    stage.service.doubt()
    assert stage.status == "suspect"
    await stage.platform.advance(5)
    assert len(stage.platform.sockets) == 2


async def test_a_change_of_network_and_a_sleep_are_doubts():
    for happen in (FakePlatform.change_network, FakePlatform.wake):
        stage = Stage()
        socket = await stage.connect()
        socket.receive({"type": "pong"})
        happen(stage.platform)
        assert stage.status == "suspect"
        socket.receive({"type": "pong"})
        assert stage.status == "connected"
