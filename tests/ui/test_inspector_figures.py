"""The figures of the inspector, and the geometry of its diagram."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

from chat.store import ChatState
from kizuna import ConnectionState, Statistics, Status, Trigger, transitions
from kizuna.delivery import DeliveryStatistics
from ui.inspector import diagram
from ui.inspector.figures import (
    CLOSE_CODES,
    DRAWN,
    close_words,
    count_figures,
    duration,
    milliseconds,
    round_trip_words,
    share_words,
    sparkline,
    state_figures,
)
from ui.kit.texts import Texts

CATALOGUE = json.loads(
    (Path(__file__).resolve().parents[2] / "static" / "i18n" / "en.json").read_text(encoding="utf-8")
)
NOTHING = Statistics(0, 0, 0, 0, 0, 0, 0.0, None, None, None)


def words_of(
    state: ChatState, statistics: Statistics, texts: Texts, code: int | None = None
) -> dict[str, str]:
    return {each.name: each.words for each in state_figures(state, statistics, code, 1000.0, texts)}


def test_a_page_that_never_connected_has_no_figures_yet(keys: Texts):
    words = words_of(ChatState(), NOTHING, keys)
    assert words.pop("outbox") == "0"
    assert set(words.values()) == {"<figure.none>"}


def test_the_figures_of_a_wait_are_attempt_next_try_and_close_code(keys: Texts):
    connection = ConnectionState(Status.WAITING, attempt=3, retry_at=1007.9)
    state = ChatState(connection=connection, waiting=2)
    words = words_of(state, NOTHING._replace(seconds=80, seconds_connected=79.99), keys, 1006)
    assert words == {
        "uptime": "<figure.none>",
        "share": "<figure.percent share=99.9>",
        "attempt": "3",
        "next_try": "<duration.seconds seconds=7>",
        "close_code": "<figure.close_code_words code=1006 meaning=<close.1006>>",
        "outbox": "2",
    }


def test_a_connection_that_stands_has_an_uptime_and_no_next_try(keys: Texts):
    connection = ConnectionState(Status.CONNECTED, retry_at=5.0, connected_since=400.0)
    words = words_of(ChatState(connection=connection), NOTHING, keys)
    assert (words["uptime"], words["next_try"]) == ("<duration.whole_minutes minutes=10>", "<figure.none>")


@pytest.mark.parametrize(
    ("connected", "share"), [(0, "0"), (50, "50"), (99.999, "99.9"), (100, "100"), (120, "100")]
)
def test_only_all_of_the_time_is_a_hundred_percent(keys: Texts, connected: float, share: str):
    words = share_words(NOTHING._replace(seconds=100, seconds_connected=connected), keys)
    assert words == f"<figure.percent share={share}>"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.9, "<duration.seconds seconds=0>"),
        (61, "<duration.minutes minutes=1 seconds=1>"),
        (120, "<duration.whole_minutes minutes=2>"),
        (7_260, "<duration.hours hours=2 minutes=1>"),
    ],
)
def test_a_duration_is_told_in_its_largest_units(keys: Texts, seconds: float, words: str):
    assert duration(seconds, keys) == words


def test_close_codes_without_words_of_their_own_have_general_ones(keys: Texts):
    assert close_words(4999, keys) == "<figure.close_code_words code=4999 meaning=<close.other>>"
    assert {f"close.{code}" for code in CLOSE_CODES} <= CATALOGUE.keys()


def test_round_trips_are_told_in_milliseconds(keys: Texts):
    assert round_trip_words(NOTHING, keys) == "<rtt.none>"
    measured = NOTHING._replace(rtt_last=0.0042, rtt_median=0.02, rtt_p95=1.5)
    assert round_trip_words(measured, keys) == "<rtt.words now=4.2 median=20 p95=1,500>"
    assert milliseconds(0.0099) == "9.9"


def test_the_sparkline_begins_at_zero_and_ends_at_the_edge():
    assert sparkline([0.1], 100, 10) == ""
    assert sparkline([0.1, 0.2, 0.0], 100, 10) == "0.0,5.0 50.0,0.0 100.0,10.0"
    assert sparkline([0.0, 0.0], 100, 10) == "0.0,10.0 100.0,10.0"
    assert sparkline([float(n) for n in range(200)], 100, 10).count(",") == DRAWN


def test_the_counters_are_those_of_delivery_and_connection():
    numbers = NOTHING._replace(attempts=9, drops=4, rollovers=2, frames_received=12_345)
    counted = count_figures(numbers, DeliveryStatistics(1, 2, 3, 4, 5, 6, 7))
    assert {figure.name: figure.words for figure in counted} == {
        "sent": "1",
        "resent": "2",
        "acknowledged": "3",
        "received": "4",
        "duplicates": "5",
        "gaps": "6",
        "fetched": "7",
        "attempts": "9",
        "drops": "4",
        "rollovers": "2",
        "frames": "12,345",
    }


# --- the diagram ---


def test_no_two_boxes_of_the_diagram_touch_and_none_leaves_it():
    assert diagram.PLACES.keys() == set(Status)
    for across, down in diagram.PLACES.values():
        assert diagram.HALF_WIDTH <= across <= diagram.WIDTH - diagram.HALF_WIDTH
        assert diagram.HALF_HEIGHT <= down <= diagram.HEIGHT - diagram.HALF_HEIGHT
    for one, other in combinations(diagram.PLACES.values(), 2):
        apart = (
            abs(one[0] - other[0]) > 2 * diagram.HALF_WIDTH,
            abs(one[1] - other[1]) > 2 * diagram.HALF_HEIGHT,
        )
        assert any(apart), (one, other)


def test_there_is_an_arrow_for_each_way_of_the_library_table():
    drawn = diagram.arrows(transitions())
    ways = {(each.source, each.target) for each in transitions() if each.source is not each.target}
    assert {(arrow.source, arrow.target) for arrow in drawn} == ways
    assert len(drawn) == len(ways)
    number = r"-?\d+\.\d"
    for arrow in drawn:
        assert re.fullmatch(rf"M{number} {number}Q{number} {number} {number} {number}", arrow.line)
        assert arrow.head.startswith(f"M{arrow.line.rpartition(' ')[0].rpartition(' ')[2]} ")
    assert len({arrow.line for arrow in drawn}) == len(drawn)


def test_the_ways_from_a_status_are_those_of_the_table():
    ways = diagram.ways_from(Status.CLOSED, transitions())
    assert ways == [Status.CONNECTING]
    assert Status.CONNECTED not in diagram.ways_from(Status.CONNECTED, transitions())
    assert any(each.trigger is Trigger.RETRY_DUE for each in transitions())
