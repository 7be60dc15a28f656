"""Timers that a hidden page does not delay: set in the page and in a worker, the first counts, nothing is left."""

from __future__ import annotations

import gc
import logging
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kizuna.platform import MachineSlept, PageEvent
from tests.kizuna.browser.conftest import JsException

ROOT = Path(__file__).parents[3]


def platform(worker_url: str | None = "ticks.js") -> Any:
    """A platform, imported while the fake browser is in place."""
    from kizuna.browser import BrowserPlatform

    return BrowserPlatform(worker_url)


def in_seconds(platform: Any, seconds: float, callback: Any) -> Any:
    return platform.call_at(platform.now().monotonic + seconds, callback)


def watched(platform: Any) -> Any:
    """Watch the page, as every connected service does; returns the function that ends it."""
    return platform.watch_page(lambda event: None)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_file_that_the_page_serves_is_the_source_in_the_package(js: Any) -> None:
    from kizuna.browser.ticks import WORKER_SOURCE

    assert (ROOT / "static" / "boot" / "ticks.js").read_text(encoding="utf-8") == WORKER_SOURCE


def test_a_page_that_nobody_watches_has_no_worker_and_its_timers_run(js: Any) -> None:
    calls: list[str] = []
    in_seconds(platform(), 1, lambda: calls.append("on time"))
    js.fire(*js.timeouts)
    assert (calls, js.Worker.made) == (["on time"], [])


def test_a_timer_is_armed_in_the_page_and_in_the_worker(js: Any) -> None:
    here = platform()
    unwatch = watched(here)
    timer = in_seconds(here, 2, lambda: None)
    (worker,) = js.Worker.made
    assert worker.url == "ticks.js"
    assert [1900 < delay <= 2000 for delay in worker.armed.values()] == [True]
    assert len(js.timeouts) == 1
    timer.cancel()
    timer.cancel()
    assert (worker.armed, js.timeouts) == ({}, {})
    unwatch()


def test_the_worker_comes_first_and_the_page_stays_silent(js: Any) -> None:
    here, calls = platform(), []
    unwatch = watched(here)
    timer = in_seconds(here, 2, lambda: calls.append(1))
    (worker,) = js.Worker.made
    (number,) = worker.armed
    worker.tick(number)
    assert js.timeouts == {}
    worker.tick(number)
    timer.cancel()
    assert calls == [1]
    unwatch()


def test_the_page_comes_first_and_the_tick_of_the_worker_means_nothing(js: Any) -> None:
    here, calls = platform(), []
    unwatch = watched(here)
    timer = in_seconds(here, 2, lambda: calls.append(1))
    js.fire(*js.timeouts)
    (worker,) = js.Worker.made
    (number,) = worker.armed
    worker.tick(number)
    timer.cancel()
    assert calls == [1]
    unwatch()


def test_a_worker_that_is_made_later_takes_over_what_is_armed(js: Any) -> None:
    here, calls = platform(), []
    for name in "ab":
        in_seconds(here, 2, lambda name=name: calls.append(name))
    unwatch = watched(here)
    (worker,) = js.Worker.made
    for number in tuple(worker.armed):
        worker.tick(number)
    assert (calls, js.timeouts) == (["a", "b"], {})
    unwatch()


def test_one_worker_serves_all_who_watch_and_ends_with_the_last(js: Any) -> None:
    here = platform()
    first, second = watched(here), watched(here)
    timer = in_seconds(here, 2, lambda: None)
    (worker,) = js.Worker.made
    first()
    first()
    assert not worker.is_terminated
    second()
    assert worker.is_terminated
    assert (worker.onmessage, worker.onerror) == (None, None)
    assert len(js.timeouts) == 1, "what is armed stays armed in the page"
    timer.cancel()
    third = watched(here)
    assert len(js.Worker.made) == 2
    third()


def test_the_last_one_may_leave_in_a_callback_of_the_worker(js: Any) -> None:
    here = platform()
    unwatch = watched(here)
    in_seconds(here, 2, unwatch)
    (worker,) = js.Worker.made
    worker.tick(*worker.armed)
    assert worker.is_terminated


def test_without_a_file_the_worker_is_a_blob_freed_once_running(js: Any) -> None:
    from kizuna.browser.ticks import WORKER_SOURCE

    here = platform(None)
    unwatch = watched(here)
    in_seconds(here, 2, lambda: None)
    (worker,) = js.Worker.made
    assert js.blobs == {worker.url: WORKER_SOURCE}
    worker.tick(*worker.armed)
    assert js.blobs == {}
    unwatch()


def test_a_blob_is_freed_though_its_worker_never_ran(js: Any) -> None:
    here = platform(None)
    watched(here)()
    assert js.blobs == {}


def test_timers_are_throttled_unless_a_worker_has_answered(js: Any) -> None:
    here = platform()
    assert here.page().throttled
    unwatch = watched(here)
    in_seconds(here, 1, lambda: None)
    assert here.page().throttled
    (worker,) = js.Worker.made
    worker.tick(*worker.armed)
    assert not here.page().throttled
    unwatch()
    assert here.page().throttled


def test_a_sleep_that_the_worker_saw_is_told_to_all_who_watch(js: Any) -> None:
    here, told = platform(), list[PageEvent]()
    ends = [here.watch_page(told.append), here.watch_page(told.append)]
    (worker,) = js.Worker.made
    worker.onmessage(SimpleNamespace(data=SimpleNamespace(slept=3600_000.0)))
    assert told == [MachineSlept(), MachineSlept()]
    assert not here.page().throttled, "it was heard"
    for end in ends:
        end()


def test_broken_worker_is_logged_once_and_page_timers_go_on(
    js: Any, caplog: pytest.LogCaptureFixture
) -> None:
    here, calls = platform(), []
    unwatch = watched(here)
    in_seconds(here, 2, lambda: calls.append(1))
    js.Worker.made[0].fail()
    assert js.Worker.made[0].is_terminated
    js.fire(*js.timeouts)
    assert calls == [1]
    unwatch()
    unwatch = watched(here)
    js.Worker.made[1].fail()
    assert len(warnings(caplog)) == 1
    assert "ticks.js could not be loaded" in warnings(caplog)[0]
    unwatch()


@pytest.mark.parametrize(
    ("has_workers", "worker_url", "named"),
    [(False, None, "has no workers"), (True, "http://elsewhere/ticks.js", "SecurityError")],
)
def test_a_browser_that_makes_no_worker_is_no_failure(
    js: Any, caplog: pytest.LogCaptureFixture, has_workers: bool, worker_url: str | None, named: str
) -> None:
    if not has_workers:
        js.Worker = None
    here, calls = platform(worker_url), []
    unwatch = watched(here)
    in_seconds(here, 2, lambda: calls.append(1))
    js.fire(*js.timeouts)
    assert calls == [1]
    assert named in warnings(caplog)[0]
    unwatch()


def test_unreachable_worker_file_is_requested_again_with_the_next_socket(js: Any) -> None:
    here = platform()
    unwatch = watched(here)
    here.open_socket("ws://127.0.0.1/ws", SimpleNamespace()).abandon(1000, "")
    assert len(js.Worker.made) == 1
    js.Worker.made[0].fail()
    here.open_socket("ws://127.0.0.1/ws", SimpleNamespace()).abandon(1000, "")
    assert len(js.Worker.made) == 2
    unwatch()
    here.open_socket("ws://127.0.0.1/ws", SimpleNamespace()).abandon(1000, "")
    assert len(js.Worker.made) == 2, "nobody watches"


def test_unreachable_worker_file_is_requested_again_when_hidden(js: Any) -> None:
    unwatch = watched(platform())
    js.Worker.made[0].fail()
    js.document.visibilityState = "hidden"
    js.document.dispatch("visibilitychange")
    assert len(js.Worker.made) == 2
    js.document.visibilityState = "visible"
    js.document.dispatch("visibilitychange")
    js.Worker.made[1].fail()
    js.document.dispatch("visibilitychange")
    assert len(js.Worker.made) == 2, "a page that is seen needs none"
    unwatch()


def test_overdue_timers_fire_in_order_when_a_worker_starts(js: Any) -> None:
    here, calls = platform(), []
    for seconds in (-1, -5, -3):
        in_seconds(here, seconds, lambda seconds=seconds: calls.append(seconds))
    unwatch = watched(here)
    (worker,) = js.Worker.made
    for number in tuple(worker.armed):
        worker.tick(number)
    assert calls == [-5, -3, -1]
    unwatch()


def test_failing_callback_is_called_once_whichever_timer_fires_first(js: Any) -> None:
    here, calls = platform(), []

    def fail() -> None:
        calls.append("failed")
        raise RuntimeError("a handler's mistake")

    unwatch = watched(here)
    (worker,) = js.Worker.made
    in_seconds(here, 1, fail)
    with pytest.raises(RuntimeError):
        worker.tick(*worker.armed)
    assert js.timeouts == {}
    in_seconds(here, 1, fail)
    (number,) = worker.armed
    with pytest.raises(RuntimeError):
        js.fire(*js.timeouts)
    worker.tick(number)
    assert calls == ["failed", "failed"]
    unwatch()


@pytest.mark.parametrize("end", ["the worker", "the page", "cancelling"])
def test_a_timer_that_has_ended_is_free_without_a_collector(js: Any, end: str) -> None:
    here = platform()
    unwatch = watched(here)
    (worker,) = js.Worker.made
    gc.disable()
    try:
        timer = in_seconds(here, 1, lambda: None)
        kept = weakref.ref(timer)
        if end == "the worker":
            worker.tick(*worker.armed)
        elif end == "the page":
            js.fire(*js.timeouts)
        else:
            timer.cancel()
        del timer
        assert kept() is None
    finally:
        gc.enable()
    unwatch()


def test_refused_blob_is_not_tried_again_with_the_next_socket(js: Any) -> None:
    here = platform(None)
    unwatch = watched(here)
    js.Worker.made[0].fail()
    here.open_socket("ws://127.0.0.1/ws", SimpleNamespace()).abandon(1000, "")
    assert len(js.Worker.made) == 1
    unwatch()


def test_a_service_that_is_given_a_platform_uses_it(js: Any) -> None:
    from kizuna.browser import disconnect_websocket, get_websocket_service

    here = platform()
    service = get_websocket_service("ws://127.0.0.1/ws", platform=here)
    assert service.platform is here
    disconnect_websocket()


class TrustedTypes:
    """What a page has that asks for Trusted Types. ``allowed``: the policies that its rules name."""

    def __init__(self, *allowed: str) -> None:
        self._allowed = set(allowed)

    def createPolicy(self, name: str, rules: dict[str, Any]) -> SimpleNamespace:
        if name not in self._allowed:
            raise JsException("TypeError", f"policy {name} is not allowed, or was made before")
        self._allowed.remove(name)
        return SimpleNamespace(createScriptURL=lambda url: f"trusted {rules['createScriptURL'](url)}")


def test_with_trusted_types_one_policy_creates_every_worker_url(js: Any) -> None:
    js.trustedTypes = TrustedTypes("kizuna-ticks")
    js.String = str
    for unwatch in [watched(platform()), watched(platform())]:
        unwatch()
    assert [worker.url for worker in js.Worker.made] == ["trusted ticks.js"] * 2


def test_with_a_forbidden_policy_the_url_stays_a_plain_string(js: Any) -> None:
    js.trustedTypes = TrustedTypes()
    js.String = str
    watched(platform())()
    assert [worker.url for worker in js.Worker.made] == ["ticks.js"]
