"""The simulated time, page, network and gateway, without a connection."""

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
    ConnectionLimit,
    Gateway,
    Network,
    Socket,
)
from tests.reports.simulated.page import HOUR, MINUTE, BrowserPage, Simulation

PING = {"action": "ping", "t": 1}
PONG = {"type": "pong", "t": 1}


class SocketRecorder:
    """Records the events of one socket."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def __call__(self, event: LinkEvent) -> None:
        match event:
            case SocketOpened():
                self.events.append("open")
            case FrameReceived(frame=frame):
                self.events.append(frame)
            case SocketClosed(code=code):
                self.events.append(code)


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(1)


@pytest.fixture
def gateway(simulation: Simulation) -> Gateway:
    return Gateway(simulation)


@pytest.fixture
def network(simulation: Simulation, gateway: Gateway) -> Network:
    return Network(simulation, gateway)


def opened(simulation: Simulation, network: Network) -> tuple[Socket, SocketRecorder]:
    recorder = SocketRecorder()
    socket = Socket(network, 1, recorder)
    simulation.run(simulation.now + 1)
    assert recorder.events == ["open"]
    recorder.events.clear()
    return socket, recorder


def test_callbacks_run_in_order_of_time_then_of_request(simulation: Simulation):
    happened: list[str] = []
    for when, name in ((2, "c"), (1, "a"), (1, "b"), (9, "too late")):
        simulation.at(when, partial(happened.append, name))
    simulation.run(until=5)
    assert (happened, simulation.now) == (["a", "b", "c"], 5)


class TestConnectionLimit:
    def test_lets_so_many_through_in_each_second(self):
        limit = ConnectionLimit(3)
        admitted = [limit.admits(now) for now in (0.0, 0.1, 0.2, 0.3, 0.9, 1.0, 1.1, 1.2, 1.3)]
        assert admitted == [True, True, True, False, False, True, True, True, False]

    def test_the_surplus_is_refused_at_once(self, simulation: Simulation):
        gateway, recorders = (
            Gateway(simulation, per_second=2),
            [SocketRecorder(), SocketRecorder(), SocketRecorder()],
        )
        for recorder in recorders:
            Socket(Network(simulation, gateway), 1, recorder)
        simulation.run(until=1)
        assert [recorder.events for recorder in recorders] == [["open"], ["open"], [1006]]


class TestGateway:
    def test_answers_a_ping(self, simulation: Simulation, network: Network):
        socket, recorder = opened(simulation, network)
        socket.send(PING)
        simulation.run(simulation.now + 1)
        assert recorder.events == [PONG]

    def test_cuts_who_is_silent_for_ten_minutes(self, simulation: Simulation, network: Network):
        _, recorder = opened(simulation, network)
        simulation.run(IDLE_CUT + 1)
        assert recorder.events == [GOING_AWAY]

    def test_cuts_everyone_after_two_hours(self, simulation: Simulation, network: Network):
        socket, recorder = opened(simulation, network)
        while socket.is_served:
            socket.send(PING)
            simulation.run(simulation.now + MINUTE)
        assert recorder.events[-1] == GOING_AWAY
        assert HARD_CUT <= simulation.now <= HARD_CUT + MINUTE + 1

    def test_a_deploy_says_bye_and_closes_after_its_grace(
        self, simulation: Simulation, network: Network, gateway: Gateway
    ):
        _, recorder = opened(simulation, network)
        gateway.deploy(retry_after=3)
        simulation.run(simulation.now + 4)
        assert [frame["type"] for frame in recorder.events if isinstance(frame, dict)] == ["bye"]
        simulation.run(simulation.now + 2)
        assert recorder.events[-1] == 1012

    def test_refuses_while_down(self, simulation: Simulation, network: Network, gateway: Gateway):
        _, old = opened(simulation, network)
        with gateway.while_down():
            new = SocketRecorder()
            Socket(network, 1, new)
            simulation.run(simulation.now + 1)
        assert (old.events, new.events) == ([1006], [1006])


class TestNetwork:
    @pytest.mark.parametrize("path", [BLACK_HOLE, DEAF, MUTE])
    def test_frames_that_meet_a_broken_way_arrive_once_it_is_whole(
        self, simulation: Simulation, network: Network, path
    ):
        socket, recorder = opened(simulation, network)
        with network.during(path):
            assert not socket.works
            socket.send(PING)
            simulation.run(simulation.now + 20)
            assert recorder.events == []
        simulation.run(simulation.now + 41)
        assert recorder.events == [PONG]
        assert socket.works

    def test_a_handshake_in_a_black_hole_hangs_until_a_syn_gets_through(
        self, simulation: Simulation, network: Network
    ):
        recorder = SocketRecorder()
        with network.during(BLACK_HOLE):
            Socket(network, 1, recorder)
            simulation.run(until=5)
        assert recorder.events == []
        simulation.run(until=8)
        assert recorder.events == ["open"]

    def test_a_refused_handshake_fails_at_once_and_open_sockets_stay(
        self, simulation: Simulation, network: Network
    ):
        socket, _ = opened(simulation, network)
        network.set_path(REFUSED)
        recorder = SocketRecorder()
        Socket(network, 1, recorder)
        simulation.run(simulation.now + 1)
        assert recorder.events == [1006]
        assert socket.works

    def test_a_stranded_socket_stays_open_and_silent(self, simulation: Simulation, network: Network):
        socket, recorder = opened(simulation, network)
        network.strand()
        socket.send(PING)
        simulation.run(simulation.now + HOUR)
        assert recorder.events == []
        assert not socket.works

    def test_a_stranded_socket_may_tell_at_the_next_frame(self, simulation: Simulation, network: Network):
        socket, recorder = opened(simulation, network)
        network.strand(tells=True)
        socket.send(PING)
        simulation.run(simulation.now + 1)
        assert recorder.events == [1006]

    def test_no_frame_overtakes_another(self, simulation: Simulation, network: Network):
        socket, recorder = opened(simulation, network)
        with network.during(DEAF):
            socket.push({"n": 1})
        socket.push({"n": 2})
        simulation.run(simulation.now + 61)
        assert recorder.events == [{"n": 1}, {"n": 2}]

    def test_an_abandoned_socket_is_heard_of_no_more_and_leaves_nothing(
        self, simulation: Simulation, network: Network, gateway: Gateway
    ):
        socket, recorder = opened(simulation, network)
        socket.push(PONG)
        socket.abandon()
        simulation.run(simulation.now + 1)
        assert (recorder.events, gateway.active_at, network.sockets) == ([], {}, [])
        network.set_path(GOOD)


class TestPage:
    @pytest.fixture
    def told(self) -> list[PageEvent | tuple[Timer, float]]:
        return []

    @pytest.fixture
    def page(self, simulation: Simulation, told: list[PageEvent | tuple[Timer, float]]) -> BrowserPage:
        return self.made(simulation, told)

    def made(
        self, simulation: Simulation, told: list[PageEvent | tuple[Timer, float]], **named: bool
    ) -> BrowserPage:
        def tell(event: PageEvent | TimerFired) -> None:
            told.append((event.timer, simulation.now) if isinstance(event, TimerFired) else event)

        return BrowserPage(simulation, tell, **named)

    def test_timers_fire_when_due_and_the_last_of_a_kind_counts(
        self, simulation: Simulation, page: BrowserPage, told
    ):
        page.arm(Timer.RETRY, 3)
        page.arm(Timer.RETRY, 5)
        page.arm(Timer.TICK, 4)
        page.disarm(Timer.TICK)
        simulation.run(until=9)
        assert told == [(Timer.RETRY, 5)]

    def test_hidden_timers_run_each_second_and_later_each_minute(
        self, simulation: Simulation, page: BrowserPage, told
    ):
        page.hide()
        page.arm(Timer.TICK, 1.5)
        simulation.run(until=6 * MINUTE)
        page.arm(Timer.TICK, 6 * MINUTE + 1)
        simulation.run(until=8 * MINUTE)
        assert told == [PageHidden(), (Timer.TICK, 2), (Timer.TICK, 7 * MINUTE)]

    def test_showing_a_page_lets_its_late_timers_run(self, simulation: Simulation, page: BrowserPage, told):
        page.hide()
        simulation.run(until=6 * MINUTE)
        page.arm(Timer.TICK, 6 * MINUTE + 1)
        simulation.run(until=6 * MINUTE + 10)
        page.show()
        simulation.run(until=6 * MINUTE + 11)
        assert told == [PageHidden(), PageShown(), (Timer.TICK, 6 * MINUTE + 10)]

    def test_a_worker_keeps_hidden_timers_exact(self, simulation: Simulation, told):
        page = self.made(simulation, told, has_worker=True)
        page.hide()
        page.arm(Timer.TICK, 10 * MINUTE + 0.5)
        simulation.run(until=11 * MINUTE)
        assert told == [PageHidden(), (Timer.TICK, 10 * MINUTE + 0.5)]

    def test_a_sleeping_machine_lets_its_monotonic_clock_stand(
        self, simulation: Simulation, page: BrowserPage, told
    ):
        page.arm(Timer.TICK, 10)
        page.sleep()
        simulation.run(until=HOUR)
        page.wake(clock_stood=HOUR)
        assert page.instant().monotonic == 0
        simulation.run(until=2 * HOUR)
        assert told == [(Timer.TICK, HOUR + 10)]

    def test_or_lets_it_go_on(self, simulation: Simulation, page: BrowserPage, told):
        page.arm(Timer.TICK, 10)
        page.sleep()
        simulation.run(until=HOUR)
        page.wake(clock_stood=0)
        simulation.run(until=2 * HOUR)
        assert told == [(Timer.TICK, HOUR)]

    def test_a_frozen_page_reads_only_when_it_is_back(self, page: BrowserPage, told):
        page.freeze()
        page.deliver(lambda: told.append("late"))
        assert told == [PageSuspended()]
        page.resume()
        assert told == [PageSuspended(), PageResumed(), "late"]

    def test_a_kept_page_hears_late_socket_events_after_pageshow(self, page: BrowserPage, told):
        page.leave()
        page.deliver(lambda: told.append("late"))
        told.clear()
        page.come_back()
        assert told == [PageResumed(), PageShown(), PageResumed(), "late"]
