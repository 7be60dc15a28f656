"""The server's bye and close reasons, and the close code where these leave it open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kizuna.core import links
from kizuna.core.links import Policy
from kizuna.core.states import Reason, ReasonKind
from kizuna.wire import finite_number


def closed(code: int, **payload: Any) -> links.ServerClose:
    return links.from_close(code, json.dumps(payload))


def test_a_bye_without_words_is_a_restart_to_come_back_from():
    reason = Reason(ReasonKind.SERVER_RESTARTING, "the server closed the connection")
    assert links.from_bye({"type": "bye"}) == links.ServerClose(reason, Policy.RETRY, None)


def test_a_bye_says_why_and_when_to_come_back():
    end = links.from_bye({"type": "bye", "reason": "new version", "retryAfter": 20})
    assert end == links.ServerClose(Reason(ReasonKind.SERVER_RESTARTING, "new version"), Policy.RETRY, 20)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1008, 1013, 4401])
def test_a_close_without_a_word_is_weighed_by_its_code(code: int):
    end = links.from_close(code, "")
    kind = ReasonKind.REJECTED if code == 1008 else ReasonKind.CLOSED_BY_SERVER
    assert end.reason == Reason(kind, links.close_words(code), code)
    assert end.policy is links.close_policy(code)


def test_json_close_reason_counts_as_bye_and_keeps_its_code():
    end = closed(1012, reason="deploying", retryAfter=7)
    assert end.reason == Reason(ReasonKind.SERVER_RESTARTING, "deploying", 1012)
    assert end.retry_after == 7


def test_a_close_reason_that_is_prose_is_no_word():
    end = links.from_close(1001, "going away")
    assert end.reason == Reason(ReasonKind.CLOSED_BY_SERVER, links.close_words(1001), 1001)


@pytest.mark.parametrize(
    ("reconnect", "policy"), [(False, Policy.STOP), (True, Policy.RETRY), ("no", Policy.STOP)]
)
def test_reconnect_field_overrides_the_close_code(reconnect: object, policy: Policy):
    assert links.close_policy(1008) is Policy.STOP
    assert closed(1008, reconnect=reconnect).policy is policy


def test_a_bye_may_forbid_to_come_back():
    assert links.from_bye({"reconnect": False}).policy is Policy.STOP
    assert links.from_bye({"reconnect": 0}).policy is Policy.RETRY, "nothing but false itself is a no"


@pytest.mark.parametrize(
    ("words", "kind"), [("unsupported", ReasonKind.UNSUPPORTED), ("banned", ReasonKind.REJECTED)]
)
def test_a_server_that_does_not_want_us_back_is_not_restarting(words: str, kind: ReasonKind):
    assert links.from_bye({"reason": words, "reconnect": False}).reason == Reason(kind, words)
    assert closed(1008, reason=words, reconnect=False).reason == Reason(kind, words, 1008)
    assert links.from_bye({"reason": words}).reason.kind is ReasonKind.SERVER_RESTARTING


def test_busy_server_names_a_delay_or_gets_the_default():
    assert links.from_close(1013, "").retry_after == links.RETRY_LATER_SECONDS
    assert closed(1013, retryAfter=3).retry_after == 3
    assert closed(1001).retry_after is None


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
def test_a_server_that_names_no_time_asks_for_none(seconds: float):
    """Else it would give the budget back, and nobody would learn that it closes every connection."""
    assert closed(1001, retryAfter=seconds).retry_after is None
    assert closed(1013, retryAfter=seconds).retry_after == links.RETRY_LATER_SECONDS


@pytest.mark.parametrize("value", [0, 0.5, -3, 2**53 - 1])
def test_a_number_is_taken(value: float):
    assert finite_number(value) == value


@pytest.mark.parametrize(
    "value", [True, False, None, "5", [], 2**53, -(2**53), float("inf"), float("nan"), 10**400]
)
def test_what_is_no_number_that_a_float_can_hold_is_none(value: object):
    assert finite_number(value) is None


def test_only_text_is_text():
    assert links.text("words") == "words"
    assert links.text(None) == links.text(5) == links.text(["words"]) == ""
