"""Options: numbers that cannot work are rejected by the name that the user wrote."""

from __future__ import annotations

from typing import Any

import pytest

from kizuna.errors import ConfigurationError
from kizuna.options import Options
from kizuna.wire import KIZUNA


def test_the_defaults_are_the_designs():
    options = Options()
    assert (options.first_retry_delay, options.max_retries, options.jitter) == (1.0, 5, 0.5)
    assert (options.heartbeat_interval, options.pong_timeout, options.probe_timeout) == (30, 10, 5)
    assert (options.connect_timeout, options.stable_after, options.offline_interval) == (10, 5, 30)
    assert (options.stale_attempt_after, options.try_now_interval, options.idle_retry_interval) == (2, 1, 0)
    assert (options.max_retry_after, options.sleep_threshold, options.max_frame_bytes) == (300, 3, 32_768)
    assert options.wire is KIZUNA


@pytest.mark.parametrize("value", ["5", None, True, [], float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_number_is_refused(value: Any):
    with pytest.raises(ConfigurationError, match="^idle_retry_interval: must be a number") as caught:
        Options(idle_retry_interval=value)
    assert caught.value.key == "idle_retry_interval"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("idle_retry_interval", -1, "at least 0"),
        ("connect_timeout", 0, "more than 0"),
        ("first_retry_delay", 0, "more than 0"),
        ("max_retries", 2.5, "a whole number"),
        ("jitter", 1.1, "from 0 to 1"),
    ],
)
def test_a_number_that_cannot_work_is_named(name: str, value: Any, problem: str):
    with pytest.raises(ConfigurationError, match=f"^{name}: .*{problem}"):
        Options(**{name: value})


@pytest.mark.parametrize(
    "name",
    [
        "max_retries",
        "idle_retry_interval",
        "jitter",
        "stable_after",
        "stale_attempt_after",
        "try_now_interval",
    ],
)
def test_zero_is_a_number_where_it_can_work(name: str):
    numbers: dict[str, Any] = {name: 0}
    assert getattr(Options(**numbers), name) == 0
