"""The platform whose faults happen on command."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from kizuna import PLAIN, WebSocketService, Wire, connect, testing
from kizuna.core.states import Status
from kizuna.platform import (
    Instant,
    MachineSlept,
    PageEvent,
    PageHidden,
    PageSuspended,
    PausableSocket,
    WentOffline,
    WentOnline,
)
from kizuna.testing import FakePlatform, FakeServer, FakeSocket, Fault, FaultPlatform

URL = "wss://example.org/ws"
ANSWERING = Wire(ping="ping", pong="pong")


class Ear:
    """A listener that records a socket's events."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_open(self) -> None:
        self.heard.append("open")

    def on_text(self, text: str) -> None:
        self.heard.append(text)

    def on_binary(self, data: bytes) -> None:
        self.heard.append(data)

    def on_close(self, code: int, reason: str) -> None:
        self.heard.append((code, reason))


class World:
    """A fault platform around a fake one, where the test plays the server."""

    def __init__(self) -> None:
        self.real = FakePlatform()
        self.faults = FaultPlatform(self.real)
        self.ear = Ear()

    def open(self) -> Any:
        """Return a socket that the server has accepted."""
        socket = self.begin()
        self.real.socket.accept()
        return socket

    def begin(self) -> Any:
        """Return a socket that is not open yet."""
        return self.faults.open_socket(URL, self.ear, ["a"])

    def drawn(self) -> list[Any]:
        """Return what was heard since the last call."""
        heard, self.ear.heard = self.ear.heard, []
        return heard


@pytest.fixture
def world() -> World:
    return World()


async def run_with(
    server: FakeServer, wire: Wire = PLAIN
) -> tuple[FakePlatform, FaultPlatform, WebSocketService[Any]]:
    """Return a connected service on a fault platform around a fake one."""
    real = FakePlatform(server)
    faults = FaultPlatform(real)
    connection = connect(URL, wire=wire, platform=faults)
    await real.connected(connection)
    return real, faults, connection


def test_the_faults_load_no_fakes_and_no_conformance():
    code = (
        "import sys; from kizuna.testing import FaultPlatform;"
        "print(*sorted(n for n in sys.modules if n.startswith('kizuna.testing')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kizuna.testing", "kizuna.testing.faults"]


def test_the_names_of_the_package_are_listed():
    assert {"FakePlatform", "FaultPlatform"} <= {*dir(testing)} == {*testing.__all__}


def test_a_name_that_is_not_exported_is_an_error():
    with pytest.raises(ImportError, match="cannot import name 'FakeWorld'"):
        from kizuna.testing import FakeWorld  # noqa: F401


# --- without faults ---


def test_without_faults_frames_pass_by_none_of_its_code(world: World):
    socket = world.open()
    real = world.real.socket
    assert (socket.is_open, socket.protocol, real.protocols) == (True, "", ("a",))
    assert socket.send == real.send
    assert real._listener is not None
    assert (real._listener.on_text, real._listener.on_binary) == (world.ear.on_text, world.ear.on_binary)
    socket.send("1")
    real.receive("a")
    real.receive(b"b")
    real.drop(4000, "bye")
    assert real.sent == [1]
    assert world.drawn() == ["open", "a", b"b", (4000, "bye")]
    assert not socket.is_open


def test_an_abandoned_socket_hears_and_sends_nothing(world: World):
    socket = world.open()
    socket.abandon(4001, "left")
    socket.abandon(1000, "")
    socket.send("late")
    socket.drop()
    assert world.real.socket.closed_with == 4001
    assert world.drawn() == ["open"]
    assert world.real.socket.sent == []


def test_clock_chance_timers_and_page_are_the_real_ones(world: World):
    called: list[str] = []
    faults, real = world.faults, world.real
    assert (faults.now(), faults.random(), faults.page()) == (real.now(), real.random(), real.page())
    faults.call_at(real.now().monotonic, lambda: called.append("timer"))
    faults.call_soon(lambda: called.append("soon"))
    real.run_soon()
    real.clock.fire_next()
    assert called == ["soon", "timer"]


def test_a_url_that_no_socket_takes_is_refused_at_once(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world.real, "open_socket", refuse)
    with pytest.raises(ValueError, match="no URL"):
        world.begin()
    world.faults.arm(Fault.DROP)
    assert world.drawn() == []


def refuse(*_: object) -> FakeSocket:
    raise ValueError("no URL")


async def test_a_socket_that_can_pause_still_can(monkeypatch: pytest.MonkeyPatch):
    class Pausable(FakeSocket):
        def pause_reading(self) -> None: ...

        def resume_reading(self) -> None: ...

    world = World()
    assert not isinstance(world.begin(), PausableSocket)
    monkeypatch.setattr("kizuna.testing.fake_platform.FakeSocket", Pausable)
    assert isinstance(world.begin(), PausableSocket)


# --- names ---


def test_faults_are_armed_and_lifted_by_name(world: World):
    world.faults.arm("slow", 3)
    world.faults.arm(Fault.OFFLINE)
    assert world.faults.armed == {"slow": 3, "offline": 0}
    world.faults.lift("slow")
    world.faults.lift("slow")
    assert [*world.faults.armed] == [Fault.OFFLINE]


@pytest.mark.parametrize("name", ["arm", "lift"])
def test_a_fault_that_nobody_knows_is_refused(world: World, name: str):
    with pytest.raises(ValueError, match="is not a valid Fault"):
        getattr(world.faults, name)("earthquake")


# --- each fault ---


def test_a_dropped_socket_is_1006_at_once(world: World):
    socket = world.open()
    connecting = world.begin()
    world.faults.arm("drop")
    assert world.drawn() == ["open", (1006, ""), (1006, "")]
    assert not socket.is_open
    assert not connecting.is_open
    assert world.faults.armed == {}
    assert world.real.live_sockets == []


def test_a_black_hole_holds_all_back_until_lifted_in_order(world: World):
    socket = world.open()
    world.drawn()
    world.faults.arm("black hole")
    for frame in ("1", "2"):
        socket.send(frame)
        world.real.socket.receive(frame)
    world.real.socket.receive(b"3")
    assert (world.drawn(), world.real.socket.sent, socket.is_open) == ([], [], True)
    world.faults.lift("black hole")
    assert (world.drawn(), world.real.socket.sent) == (["1", "2", b"3"], [1, 2])
    assert socket.send == world.real.socket.send


def test_a_close_does_not_come_out_of_a_black_hole(world: World):
    socket = world.open()
    world.faults.arm("black hole")
    socket.send("1")
    world.real.socket.drop()
    assert (world.drawn(), socket.is_open) == (["open"], False)
    world.faults.lift("black hole")
    assert world.drawn() == [(1006, "")]


def test_a_socket_begun_in_a_black_hole_opens_behind_it(world: World):
    world.faults.arm("black hole")
    socket = world.begin()
    world.faults.arm("slow")
    assert world.real.sockets == []
    assert not socket.is_open
    world.faults.lift("slow")
    world.faults.lift("black hole")
    world.real.socket.accept()
    assert (world.drawn(), socket.is_open) == (["open"], True)


def test_a_socket_abandoned_in_a_black_hole_never_opens(world: World):
    world.faults.arm("black hole")
    world.begin().abandon(1000, "")
    world.faults.lift("black hole")
    assert world.real.sockets == []


def test_a_bad_url_in_a_black_hole_ends_with_it(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(world.real, "open_socket", refuse)
    world.faults.arm("black hole")
    world.begin()
    world.faults.lift("black hole")
    assert world.drawn() == [(1006, "")]


async def test_slow_frames_come_late_and_in_order(world: World):
    world.faults.arm("slow", 2)
    socket = world.begin()
    world.real.socket.accept()
    assert world.drawn() == []
    await world.real.advance(2)
    assert world.drawn() == ["open"]
    socket.send("1")
    world.real.socket.receive("a")
    await world.real.advance(1)
    world.real.socket.receive("b")
    world.faults.lift("slow")
    world.real.socket.receive("c")  # behind the slow ones
    socket.send("2")
    assert (world.drawn(), world.real.socket.sent) == ([], [])
    await world.real.advance(1)
    assert (world.drawn(), world.real.socket.sent) == (["a"], [1, 2])
    await world.real.advance(1)
    assert world.drawn() == ["b", "c"]
    assert socket.send == world.real.socket.send
    assert world.real.clock.armed == 0


async def test_what_is_slow_is_dropped_with_its_socket(world: World):
    socket = world.open()
    world.faults.arm("slow")
    socket.send("1")
    world.real.socket.receive("a")
    socket.abandon(1000, "")
    await world.real.advance(5)
    assert (world.drawn(), world.real.clock.armed) == (["open"], 0)


@pytest.mark.parametrize(("fault", "after"), [(Fault.REFUSE, 0.0), (Fault.FIREWALL, 0.2)])
async def test_no_new_socket_opens_and_old_ones_stay(world: World, fault: Fault, after: float):
    socket = world.open()
    world.faults.arm(fault)
    refused = world.begin()
    assert world.drawn() == ["open"]
    await world.real.advance(after)
    assert (world.drawn(), refused.is_open) == ([(1006, "")], False)
    assert socket.is_open
    world.faults.lift(fault)
    world.begin()
    world.real.socket.accept()
    assert world.drawn() == ["open"]


async def test_a_socket_abandoned_before_its_refusal_hears_nothing(world: World):
    world.faults.arm("firewall")
    world.begin().abandon(1000, "")
    world.faults.arm("refuse")
    world.faults.lift("firewall")
    world.begin().abandon(1000, "")
    await world.real.advance(1)
    assert (world.drawn(), world.real.clock.armed) == ([], 0)


def test_the_offline_flag_lies_until_it_is_lifted(world: World):
    told: list[PageEvent] = []
    unwatch = world.faults.watch_page(told.append)
    world.faults.arm("offline")
    assert not world.faults.page().online
    world.real.go_offline()
    world.real.go_online()  # nobody may hear of it
    world.real.hide()
    world.faults.lift("offline")
    assert world.faults.page().online
    assert told == [WentOffline(), PageHidden(), WentOnline()]
    world.real.go_offline()
    world.faults.arm("offline")
    world.faults.lift("offline")  # there is really no network
    assert told[3:] == [WentOffline(), WentOffline()]
    unwatch()
    world.faults.arm("clock jump")
    assert len(told) == 5


def test_the_wall_clock_jumps_and_sleep_is_reported(world: World):
    told: list[PageEvent] = []
    world.faults.watch_page(told.append)
    before = world.real.now()
    world.faults.arm("clock jump", 90)
    assert world.faults.now() == Instant(before.monotonic, before.wall + 90)
    world.faults.arm("slow")
    world.faults.lift("clock jump")
    assert world.faults.now() == before
    assert told == [MachineSlept()]


def test_duplicates_come_in_twice_and_go_out_once(world: World):
    socket = world.open()
    world.faults.arm("duplicates")
    socket.send("1")
    world.real.socket.receive("a")
    world.real.socket.receive(b"b")
    assert world.drawn() == ["open", "a", "a", b"b", b"b"]
    assert world.real.socket.sent == [1]


def test_no_goodbye_keeps_the_end_of_the_page_secret(world: World):
    told: list[PageEvent] = []
    world.faults.watch_page(told.append)
    world.faults.arm("no goodbye")
    world.real.suspend()
    world.faults.lift("no goodbye")
    world.real.suspend()
    assert told == [PageSuspended()]


# --- a connection heals ---


async def test_a_drop_is_healed_by_the_first_retry():
    real, faults, connection = await run_with(FakeServer())
    faults.arm("drop")
    await real.settle()
    assert connection.state.status is Status.WAITING
    await real.advance(1)
    assert connection.is_connected()
    connection.disconnect()


async def test_a_black_hole_is_noticed_and_left_behind():
    real, faults, connection = await run_with(FakeServer(wire=ANSWERING), ANSWERING)
    faults.arm("black hole")
    await real.until(lambda: connection.state.status == "suspect", within=45)
    await real.until(lambda: not connection.is_connected(), within=5)
    faults.lift("black hole")
    await real.connected(connection)
    connection.disconnect()


async def test_slow_frames_break_no_connection():
    real, faults, connection = await run_with(FakeServer(wire=ANSWERING), ANSWERING)
    faults.arm("slow", 1.5)
    await real.advance(120)
    assert connection.statistics().drops == 0
    assert connection.state.rtt == pytest.approx(3.0)
    connection.disconnect()


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.FIREWALL])
async def test_a_refused_connection_comes_back_when_it_may(fault: Fault):
    real, faults, connection = await run_with(FakeServer())
    faults.arm(fault)
    faults.arm("drop")
    await real.until(lambda: connection.state.status == "exhausted")
    faults.lift(fault)
    connection.try_now()
    await real.connected(connection)
    connection.disconnect()


@pytest.mark.parametrize("fault", [Fault.OFFLINE, Fault.CLOCK_JUMP])
async def test_a_false_alarm_costs_a_probe_and_no_link(fault: Fault):
    real, faults, connection = await run_with(FakeServer(wire=ANSWERING), ANSWERING)
    faults.arm(fault)
    assert connection.state.status == "suspect"
    await real.until(lambda: connection.state.status == "connected", within=5)
    faults.lift(fault)
    await real.advance(60)
    assert (connection.statistics().drops, connection.state.link) == (0, 1)
    connection.disconnect()


async def test_each_duplicate_reaches_the_application_twice():
    real, faults, connection = await run_with(server := FakeServer())
    heard: list[Any] = []
    connection.on_message(heard.append)
    faults.arm("duplicates")
    server.broadcast(7)
    await real.settle()
    assert heard == [7, 7]
    connection.disconnect()
