"""The world of the simulations does what it says: time, page, network and gateway, before any connection is in it."""

from __future__ import annotations

from functools import partial

import pytest

from kizuna.core.events import FrameReceived, LinkEvent, SocketClosed, SocketOpened, Timer, TimerFired
from kizuna.platform import PageEvent, PageHidden, PageResumed, PageShown, PageSuspended
from tests.reports.simulated.network import (
    BLACK_HOLE,
    DEAF,
    GOING_AWAY,
    GOOD,
    HARD_CUT,
    IDLE_CUT,
    MUTE,
    REFUSED,
    Gateway,
    Network,
    Socket,
    Turnstile,
)
from tests.reports.simulated.page import HOUR, MINUTE, Page, World

PING = {"action": "ping", "t": 1}
PONG = {"type": "pong", "t": 1}


class Ear:
    """Responsible for remembering what a page heard of one socket."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def __call__(self, event: LinkEvent) -> None:
        match event:
            case SocketOpened():
                self.heard.append("open")
            case FrameReceived(frame=frame):
                self.heard.append(frame)
            case SocketClosed(code=code):
                self.heard.append(code)


@pytest.fixture
def world() -> World:
    return World(1)


@pytest.fixture
def gateway(world: World) -> Gateway:
    return Gateway(world)


@pytest.fixture
def network(world: World, gateway: Gateway) -> Network:
    return Network(world, gateway)


def opened(world: World, network: Network) -> tuple[Socket, Ear]:
    ear = Ear()
    socket = Socket(network, 1, ear)
    world.run(world.now + 1)
    assert ear.heard == ["open"]
    ear.heard.clear()
    return socket, ear


def test_things_happen_in_order_and_those_of_one_moment_in_the_order_of_asking(world: World):
    happened: list[str] = []
    for when, name in ((2, "c"), (1, "a"), (1, "b"), (9, "too late")):
        world.at(when, partial(happened.append, name))
    world.run(until=5)
    assert (happened, world.now) == (["a", "b", "c"], 5)


class TestTurnstile:
    def test_lets_so_many_through_in_each_second(self):
        turnstile = Turnstile(3)
        admitted = [turnstile.admits(now) for now in (0.0, 0.1, 0.2, 0.3, 0.9, 1.0, 1.1, 1.2, 1.3)]
        assert admitted == [True, True, True, False, False, True, True, True, False]

    def test_the_surplus_is_refused_at_once(self, world: World):
        gateway, ears = Gateway(world, per_second=2), [Ear(), Ear(), Ear()]
        for ear in ears:
            Socket(Network(world, gateway), 1, ear)
        world.run(until=1)
        assert [ear.heard for ear in ears] == [["open"], ["open"], [1006]]


class TestGateway:
    def test_answers_a_ping(self, world: World, network: Network):
        socket, ear = opened(world, network)
        socket.send(PING)
        world.run(world.now + 1)
        assert ear.heard == [PONG]

    def test_cuts_who_is_silent_for_ten_minutes(self, world: World, network: Network):
        _, ear = opened(world, network)
        world.run(IDLE_CUT + 1)
        assert ear.heard == [GOING_AWAY]

    def test_cuts_everyone_after_two_hours(self, world: World, network: Network):
        socket, ear = opened(world, network)
        while socket.is_served:
            socket.send(PING)
            world.run(world.now + MINUTE)
        assert ear.heard[-1] == GOING_AWAY
        assert HARD_CUT <= world.now <= HARD_CUT + MINUTE + 1

    def test_a_deploy_says_bye_and_closes_after_its_grace(
        self, world: World, network: Network, gateway: Gateway
    ):
        _, ear = opened(world, network)
        gateway.deploy(retry_after=3)
        world.run(world.now + 4)
        assert [frame["type"] for frame in ear.heard if isinstance(frame, dict)] == ["bye"]
        world.run(world.now + 2)
        assert ear.heard[-1] == 1012

    def test_refuses_while_down(self, world: World, network: Network, gateway: Gateway):
        _, old = opened(world, network)
        with gateway.being_down():
            new = Ear()
            Socket(network, 1, new)
            world.run(world.now + 1)
        assert (old.heard, new.heard) == ([1006], [1006])


class TestNetwork:
    @pytest.mark.parametrize("path", [BLACK_HOLE, DEAF, MUTE])
    def test_frames_that_meet_a_broken_way_arrive_once_it_is_whole(
        self, world: World, network: Network, path
    ):
        socket, ear = opened(world, network)
        with network.being(path):
            assert not socket.works
            socket.send(PING)
            world.run(world.now + 20)
            assert ear.heard == []
        world.run(world.now + 41)
        assert ear.heard == [PONG]
        assert socket.works

    def test_a_handshake_in_a_black_hole_hangs_until_a_syn_gets_through(self, world: World, network: Network):
        ear = Ear()
        with network.being(BLACK_HOLE):
            Socket(network, 1, ear)
            world.run(until=5)
        assert ear.heard == []
        world.run(until=8)
        assert ear.heard == ["open"]

    def test_a_refused_handshake_fails_at_once_and_open_sockets_stay(self, world: World, network: Network):
        socket, _ = opened(world, network)
        network.become(REFUSED)
        ear = Ear()
        Socket(network, 1, ear)
        world.run(world.now + 1)
        assert ear.heard == [1006]
        assert socket.works

    def test_a_stranded_socket_stays_open_and_silent(self, world: World, network: Network):
        socket, ear = opened(world, network)
        network.strand()
        socket.send(PING)
        world.run(world.now + HOUR)
        assert ear.heard == []
        assert not socket.works

    def test_a_stranded_socket_may_tell_at_the_next_frame(self, world: World, network: Network):
        socket, ear = opened(world, network)
        network.strand(tells=True)
        socket.send(PING)
        world.run(world.now + 1)
        assert ear.heard == [1006]

    def test_no_frame_overtakes_another(self, world: World, network: Network):
        socket, ear = opened(world, network)
        with network.being(DEAF):
            socket.push({"n": 1})
        socket.push({"n": 2})
        world.run(world.now + 61)
        assert ear.heard == [{"n": 1}, {"n": 2}]

    def test_an_abandoned_socket_is_heard_of_no_more_and_leaves_nothing(
        self, world: World, network: Network, gateway: Gateway
    ):
        socket, ear = opened(world, network)
        socket.push(PONG)
        socket.abandon()
        world.run(world.now + 1)
        assert (ear.heard, gateway.active_at, network.sockets) == ([], {}, [])
        network.become(GOOD)


class TestPage:
    @pytest.fixture
    def told(self) -> list[PageEvent | tuple[Timer, float]]:
        return []

    @pytest.fixture
    def page(self, world: World, told: list[PageEvent | tuple[Timer, float]]) -> Page:
        return self.made(world, told)

    def made(self, world: World, told: list[PageEvent | tuple[Timer, float]], **named: bool) -> Page:
        def tell(event: PageEvent | TimerFired) -> None:
            told.append((event.timer, world.now) if isinstance(event, TimerFired) else event)

        return Page(world, tell, **named)

    def test_timers_fire_when_due_and_the_last_of_a_kind_counts(self, world: World, page: Page, told):
        page.arm(Timer.RETRY, 3)
        page.arm(Timer.RETRY, 5)
        page.arm(Timer.TICK, 4)
        page.disarm(Timer.TICK)
        world.run(until=9)
        assert told == [(Timer.RETRY, 5)]

    def test_hidden_timers_run_once_a_second_and_after_five_minutes_once_a_minute(
        self, world: World, page: Page, told
    ):
        page.hide()
        page.arm(Timer.TICK, 1.5)
        world.run(until=6 * MINUTE)
        page.arm(Timer.TICK, 6 * MINUTE + 1)
        world.run(until=8 * MINUTE)
        assert told == [PageHidden(), (Timer.TICK, 2), (Timer.TICK, 7 * MINUTE)]

    def test_showing_a_page_lets_its_late_timers_run(self, world: World, page: Page, told):
        page.hide()
        world.run(until=6 * MINUTE)
        page.arm(Timer.TICK, 6 * MINUTE + 1)
        world.run(until=6 * MINUTE + 10)
        page.show()
        world.run(until=6 * MINUTE + 11)
        assert told == [PageHidden(), PageShown(), (Timer.TICK, 6 * MINUTE + 10)]

    def test_a_worker_keeps_hidden_timers_exact(self, world: World, told):
        page = self.made(world, told, has_worker=True)
        page.hide()
        page.arm(Timer.TICK, 10 * MINUTE + 0.5)
        world.run(until=11 * MINUTE)
        assert told == [PageHidden(), (Timer.TICK, 10 * MINUTE + 0.5)]

    def test_a_sleeping_machine_lets_its_monotonic_clock_stand(self, world: World, page: Page, told):
        page.arm(Timer.TICK, 10)
        page.sleep()
        world.run(until=HOUR)
        page.wake(clock_stood=HOUR)
        assert page.instant().monotonic == 0
        world.run(until=2 * HOUR)
        assert told == [(Timer.TICK, HOUR + 10)]

    def test_or_lets_it_go_on(self, world: World, page: Page, told):
        page.arm(Timer.TICK, 10)
        page.sleep()
        world.run(until=HOUR)
        page.wake(clock_stood=0)
        world.run(until=2 * HOUR)
        assert told == [(Timer.TICK, HOUR)]

    def test_a_frozen_page_reads_only_when_it_is_back(self, page: Page, told):
        page.freeze()
        page.deliver(lambda: told.append("late"))
        assert told == [PageSuspended()]
        page.resume()
        assert told == [PageSuspended(), PageResumed(), "late"]

    def test_a_kept_page_hears_late_socket_events_after_pageshow(self, page: Page, told):
        page.leave()
        page.deliver(lambda: told.append("late"))
        told.clear()
        page.come_back()
        assert told == [PageResumed(), PageShown(), PageResumed(), "late"]
