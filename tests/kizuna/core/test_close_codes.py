"""The meaning of close codes."""

from __future__ import annotations

import pytest

from kizuna.core import links
from kizuna.core.links import Policy


@pytest.mark.parametrize(
    ("policy", "codes"),
    [
        (Policy.STOP, [1008, 1010, 3003, 4400, 4403]),
        (Policy.RENEW_TOKEN, [3000, 4401]),
        (Policy.RETRY_LATER, [1013, 4429, 4503]),
        (
            Policy.RETRY,
            [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011, 1012, 1014, 1015, 3999, 4999, 0, -1],
        ),
    ],
)
def test_each_code_has_its_policy_and_unknown_ones_are_retried(policy: Policy, codes: list[int]):
    assert {links.close_policy(code) for code in codes} == {policy}


def test_every_code_has_words_for_a_person():
    for code in range(1000, 5000):
        assert links.close_words(code)
    assert links.close_words(1006) == "the connection broke"
    assert "4999" in links.close_words(4999)


@pytest.mark.parametrize(
    ("code", "part"),
    [
        (1000, "closed the connection"),
        (1001, "going away"),
        (1003, "kind of frame"),
        (1006, "broke"),
        (1008, "refused"),
        (1009, "too large"),
        (1011, "failed"),
        (1012, "restarting"),
        (1013, "busy"),
        (3000, "token"),
        (3003, "forbids"),
        (4401, "token"),
        (4403, "forbids"),
        (4429, "try later"),
    ],
)
def test_known_close_code_is_described_without_its_number(code: int, part: str):
    assert part in links.close_words(code)
    assert str(code) not in links.close_words(code)


def test_a_server_that_names_no_time_is_given_five_seconds():
    assert links.RETRY_LATER_SECONDS == 5.0
