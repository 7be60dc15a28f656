"""Options: layers of numbers; those that cannot work are rejected by the name that the user wrote."""

from __future__ import annotations

from typing import Any

import pytest

from kizuna.errors import ConfigurationError
from kizuna.wire import ARTICLE, KIZUNA, Numbers, Options
from tests.kizuna.service_harness import ServiceHarness


def test_the_defaults_are_the_designs():
    numbers = Numbers()
    assert (numbers.first_retry_delay, numbers.max_retries, numbers.jitter) == (1.0, 5, 0.5)
    assert (numbers.heartbeat_interval, numbers.pong_timeout, numbers.probe_timeout) == (30, 10, 5)
    assert (numbers.connect_timeout, numbers.stable_after, numbers.offline_interval) == (10, 5, 30)
    assert (numbers.stale_attempt_after, numbers.try_now_interval, numbers.idle_retry_interval) == (2, 1, 30)
    assert (numbers.max_retry_after, numbers.sleep_threshold) == (300, 3)
    assert (numbers.rollover_after, numbers.max_frame_bytes) == (0, 0)


def test_a_wire_has_defaults_of_its_own():
    kizuna, article = Numbers.of(KIZUNA.defaults), Numbers.of(ARTICLE.defaults)
    assert (kizuna.max_frame_bytes, kizuna.rollover_after, kizuna.idle_retry_interval) == (32_768, 6600, 30)
    assert (article.max_frame_bytes, article.rollover_after) == (32_768, 6600)
    assert (article.max_retries, article.idle_retry_interval) == (5, 0)


def test_a_later_layer_overrides_an_earlier_one():
    numbers = Numbers.of(ARTICLE.defaults, Options(idle_retry_interval=30.0), Options(max_retries=2))
    assert (numbers.idle_retry_interval, numbers.max_retries, numbers.max_frame_bytes) == (30, 2, 32_768)


def test_options_and_numbers_have_the_same_names_and_types():
    numbers = Numbers.__annotations__
    assert {name: kind.__forward_arg__ for name, kind in Options.__annotations__.items()} == numbers
    assert {name: type(getattr(Numbers, name)).__name__ for name in numbers} == numbers
    assert Numbers() == Numbers(max_retries=5) != Numbers(max_retries=4)


def test_an_unknown_option_is_named_at_once():
    with pytest.raises(ConfigurationError, match="^heart_beat: is not known; known are first_retry_delay, "):
        ServiceHarness(heart_beat=5)


def test_a_wire_among_the_options_is_told_where_it_belongs():
    with pytest.raises(ConfigurationError, match="^wire: is not known; give it beside the options"):
        Numbers.of({"wire": ARTICLE})
    assert len({KIZUNA, ARTICLE}) == 2


@pytest.mark.parametrize("value", ["5", None, True, [], float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_number_is_refused(value: Any):
    with pytest.raises(ConfigurationError, match="^idle_retry_interval: must be a number") as caught:
        Numbers.of(Options(idle_retry_interval=value))
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
        ServiceHarness(**{name: value})


@pytest.mark.parametrize(
    "name",
    [
        "max_retries",
        "idle_retry_interval",
        "jitter",
        "stable_after",
        "stale_attempt_after",
        "try_now_interval",
        "max_frame_bytes",
    ],
)
def test_zero_is_a_number_where_it_can_work(name: str):
    numbers: dict[str, Any] = {name: 0}
    assert getattr(Numbers(**numbers), name) == 0
