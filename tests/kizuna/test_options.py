"""Options: numbers that cannot work are rejected by the name that the user wrote."""

from __future__ import annotations

from typing import Any

import pytest

from kizuna.errors import ConfigurationError
from kizuna.options import Options
from kizuna.wire import ARTICLE, KIZUNA


def test_the_defaults_are_the_designs():
    options = Options()
    assert (options.first_retry_delay, options.max_retries, options.jitter) == (1.0, 5, 0.5)
    assert (options.heartbeat_interval, options.pong_timeout, options.probe_timeout) == (30, 10, 5)
    assert (options.connect_timeout, options.stable_after, options.offline_interval) == (10, 5, 30)
    assert (options.stale_attempt_after, options.try_now_interval, options.idle_retry_interval) == (2, 1, 0)
    assert (options.max_retry_after, options.sleep_threshold, options.max_frame_bytes) == (300, 3, 32_768)
    assert options.wire is KIZUNA


def test_options_are_read_from_a_configuration():
    options = Options.from_mapping(
        {"idleRetryInterval": 60, "maxRetries": 3, "firstRetryDelay": 0.1}, wire=ARTICLE
    )
    assert options == Options(idle_retry_interval=60, max_retries=3, first_retry_delay=0.1, wire=ARTICLE)


@pytest.mark.parametrize("value", ["5", None, True, [], float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_number_is_refused(value: Any):
    with pytest.raises(ConfigurationError, match="^idleRetryInterval: must be a number") as caught:
        Options(idle_retry_interval=value)
    assert caught.value.key == "idleRetryInterval"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("idleRetryInterval", -1, "at least 0"),
        ("connectTimeout", 0, "more than 0"),
        ("firstRetryDelay", 0, "more than 0"),
        ("maxRetries", 2.5, "a whole number"),
        ("jitter", 1.1, "from 0 to 1"),
        ("colour", 1, "is not known; known are .*maxRetries"),
        ("wire", 1, "is not known"),
        ("max_retries", 1, "is not known"),
    ],
)
def test_a_key_of_a_configuration_is_named_with_its_place(key: str, value: Any, problem: str):
    with pytest.raises(ConfigurationError, match=f"^config.json: {key}: .*{problem}") as caught:
        Options.from_mapping({key: value}, prefix="config.json: ")
    assert caught.value.key == f"config.json: {key}"


@pytest.mark.parametrize(
    "key",
    ["maxRetries", "idleRetryInterval", "jitter", "stableAfter", "staleAttemptAfter", "tryNowInterval"],
)
def test_zero_is_a_number_where_it_can_work(key: str):
    Options.from_mapping({key: 0})


@pytest.mark.parametrize(
    ("earlier", "name"),
    [
        ("impatience", "stale_attempt_after"),
        ("manualInterval", "try_now_interval"),
        ("rest", "idle_retry_interval"),
        ("sleepGap", "sleep_threshold"),
    ],
)
def test_an_earlier_name_of_a_key_is_read_with_a_warning(earlier: str, name: str):
    with pytest.warns(FutureWarning, match=f"^connection.{earlier} is now called .*: rename it$"):
        options = Options.from_mapping({earlier: 7}, prefix="connection.")
    assert getattr(options, name) == 7


def test_wrong_number_under_an_earlier_key_is_reported_under_that_key():
    with pytest.warns(FutureWarning), pytest.raises(ConfigurationError, match="^rest: must be a number"):
        Options.from_mapping({"rest": True})


def test_earlier_and_present_name_of_one_key_together_are_refused():
    with pytest.raises(ConfigurationError, match="rest: is the earlier name of idleRetryInterval"):
        Options.from_mapping({"rest": 60, "idleRetryInterval": 60})
