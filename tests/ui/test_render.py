"""Views draw together, once per frame, and only when they have to."""

import logging
from collections.abc import Callable

import pytest

from chat.store import ChatState
from ui.kit.render import RenderScheduler


class FakeHost:
    """A browser whose frames and timers come when the test says so."""

    def __init__(self) -> None:
        self.requested = 0
        self.after = 0.0
        self.wake_at: float | None = None
        self.closed = False

    def start(self, on_frame: Callable[[], None], on_wake: Callable[[], None]) -> None:
        self.frame, self.wake = on_frame, on_wake

    def request_frame(self, after: float) -> None:
        self.requested += 1
        self.after = after

    def wake_in(self, seconds: float | None) -> None:
        self.wake_at = seconds

    def close(self) -> None:
        self.closed = True


class FakeView:
    def __init__(self, log: list[str], name: str, wake: float | None = None) -> None:
        self.log, self.name, self.wake = log, name, wake

    def part(self, state: ChatState) -> object:
        return state.notice if self.name == "notice" else (state.room_id, state.waiting)

    def draw(self, state: ChatState, now: float) -> float | None:
        self.log.append(self.name)
        return self.wake


class Broken(FakeView):
    def draw(self, state: ChatState, now: float) -> float | None:
        raise ValueError("broken")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Slow(FakeView):
    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__([], "slow")
        self.clock, self.seconds = clock, seconds

    def draw(self, state: ChatState, now: float) -> float | None:
        self.clock.now += self.seconds
        return None


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def frames(host: FakeHost, clock: Clock) -> RenderScheduler:
    return RenderScheduler(host, ChatState, clock)


@pytest.mark.parametrize(("seconds", "rest"), [(0.005, 0.0), (0.01, 0.04), (0.5, 0.08)])
def test_a_long_draw_is_followed_by_a_rest(
    frames: RenderScheduler, host: FakeHost, clock: Clock, seconds: float, rest: float
):
    view = Slow(clock, seconds)
    frames.add(view)
    host.frame()
    frames.mark(view)
    assert host.after == pytest.approx(rest)
    clock.now += 1.0
    host.frame()
    clock.now += 1.0
    frames.mark(view)
    assert host.after == 0.0


def test_many_marks_are_one_drawing(frames: RenderScheduler, host: FakeHost):
    log: list[str] = []
    first, second = FakeView(log, "first"), FakeView(log, "second")
    frames.add(first)
    frames.add(second)
    for _ in range(10):
        frames.mark(second)
    assert host.requested == 1
    host.frame()
    assert log == ["first", "second"]


def test_only_marked_views_draw_in_the_order_they_were_added(frames: RenderScheduler, host: FakeHost):
    log: list[str] = []
    views = [FakeView(log, name) for name in "abc"]
    for view in views:
        frames.add(view)
    host.frame()
    log.clear()
    frames.mark(views[2])
    frames.mark(views[0])
    host.frame()
    assert log == ["a", "c"]


def test_a_view_draws_when_its_part_of_the_state_changes(frames: RenderScheduler, host: FakeHost):
    log: list[str] = []
    frames.add(FakeView(log, "rooms"))
    frames.add(FakeView(log, "notice"))
    host.frame()
    log.clear()
    requested = host.requested
    frames.update(ChatState(name="Mika", room_id="general"))  # an equal part
    assert host.requested == requested
    frames.update(ChatState(waiting=1))
    frames.update(ChatState(waiting=1, name="Mika"))
    assert host.requested == requested + 1
    host.frame()
    assert log == ["rooms"]


def test_a_view_that_fails_stops_no_other(
    frames: RenderScheduler, host: FakeHost, caplog: pytest.LogCaptureFixture
):
    log: list[str] = []
    frames.add(Broken(log, "broken"))
    frames.add(FakeView(log, "sound"))
    with caplog.at_level(logging.ERROR):
        host.frame()
    assert log == ["sound"]
    assert "a view could not be drawn" in caplog.text


def test_a_view_is_woken_when_it_asked_to_be(frames: RenderScheduler, host: FakeHost, clock: Clock):
    log: list[str] = []
    frames.add(FakeView(log, "soon", wake=2.0))
    frames.add(FakeView(log, "late", wake=9.0))
    host.frame()
    assert host.wake_at == 2.0
    log.clear()
    clock.now = 2.0
    host.wake()
    host.frame()
    assert log == ["soon"]


def test_a_timer_that_comes_early_is_set_again(frames: RenderScheduler, host: FakeHost, clock: Clock):
    log: list[str] = []
    frames.add(FakeView(log, "view", wake=2.0))
    host.frame()
    requested = host.requested
    clock.now = 1.5
    host.wake()
    assert host.requested == requested
    assert host.wake_at == 0.5


def test_a_wake_in_the_past_does_not_keep_the_page_busy(
    frames: RenderScheduler, host: FakeHost, clock: Clock
):
    clock.now = 50.0
    frames.add(FakeView([], "view", wake=1.0))
    host.frame()
    assert host.wake_at is not None
    assert host.wake_at >= 0.01


def test_nothing_to_wait_for_no_timer(frames: RenderScheduler, host: FakeHost):
    frames.add(FakeView([], "view"))
    host.frame()
    assert host.wake_at is None


def test_a_view_may_mark_another_while_drawing(frames: RenderScheduler, host: FakeHost):
    log: list[str] = []
    other = FakeView(log, "other")

    class Marking(FakeView):
        def draw(self, state: ChatState, now: float) -> float | None:
            frames.mark(other)
            return None

    frames.add(Marking(log, "marking"))
    host.frame()
    frames.add(other)
    assert host.requested == 2
    host.frame()
    assert log == ["other"]


def test_closed_draws_nothing(frames: RenderScheduler, host: FakeHost):
    log: list[str] = []
    frames.add(FakeView(log, "view"))
    frames.close()
    host.frame()
    assert (log, host.closed) == ([], True)


def test_a_removed_view_is_neither_drawn_nor_woken(host: FakeHost, frames: RenderScheduler):
    log: list[str] = []
    view = FakeView(log, "a", wake=3.0)
    frames.add(view)
    host.frame()
    assert host.wake_at == 3.0
    frames.mark(view)
    frames.remove(view)
    assert host.wake_at is None
    frames.update(ChatState(room_id="other"))
    host.frame()
    assert log == ["a"]
    frames.remove(view)  # no effect
