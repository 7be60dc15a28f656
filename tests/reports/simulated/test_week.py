"""Some hours of every profile: what a connection must reach, and that a broken one is found."""

from __future__ import annotations

from functools import cache

import pytest

from kizuna.core import Connection
from tests.kizuna.core.machine import MakeConnection
from tests.reports.simulated import week
from tests.reports.simulated.page import DAY, HOUR
from tests.reports.simulated.profiles import PROFILES
from tests.reports.simulated.week import Measurements, percentile
from tests.simulation.broken_connections import NeverDoubts, NeverRetries
from tools.reports import documents

NAMED = {profile.name: profile for profile in PROFILES}
#: A dead link is found by the ping after at most 30 s, the pong's 10 s; the status then says SUSPECT.
NOTICED_WITHIN = 30 + 10 + 0.5


#: The hour at which something begins to happen, and for how many hours to look.
HOURS = {
    "gateway idle and 2 h cuts": (0, 4.5),
    "rolling deploy": (2.5, 2),
    "train tunnel": (7.4, 1),
    "laptop lid": (8, 3),
    "flaky Wi-Fi": (8, 2),
    "hidden overnight, timers throttled": (21.9, 10),
    "hidden overnight, worker ticks": (21.9, 3),
    "frozen overnight, back/forward cache": (9.9, 1),
}


@cache
def some_hours(name: str, make: MakeConnection = Connection) -> Measurements:
    begins_at, hours = HOURS[name]
    return week.live(NAMED[name], seed=7, days=hours / 24, begins_at=begins_at, make=make)


def assert_connected(name: str, measured: Measurements, *, days: float, share: float) -> None:
    assert measured.lived == pytest.approx(days * DAY, abs=2)
    assert measured.connected / measured.usable > share
    throttled = "throttled" in name
    assert max(measured.detections, default=0) < (2 * 60 + NOTICED_WITHIN if throttled else NOTICED_WITHIN)
    assert (percentile(measured.recoveries, 0.5) or 0) < 16


@pytest.mark.deep
@pytest.mark.parametrize("name", NAMED)
def test_a_day_of_every_profile_is_connected(name: str):
    day = week.live(NAMED[name], seed=7, days=1)
    assert_connected(name, day, days=1, share=0.97 if "Wi-Fi" in name else 0.995)


@pytest.mark.parametrize("name", NAMED)
def test_the_hard_hours_of_every_profile_are_connected(name: str):
    share = 0.9 if name == "train tunnel" else 0.95
    assert_connected(name, some_hours(name), days=HOURS[name][1] / 24, share=share)


def test_a_gateway_that_cuts_every_two_hours_is_never_seen_to_cut():
    measured = some_hours("gateway idle and 2 h cuts")
    assert measured.recoveries == []
    assert measured.attempts > 2  # it was replaced each time, before the cut


def test_the_same_seed_lives_the_same_day():
    first, second = (week.live(NAMED["flaky Wi-Fi"], seed=7, days=0.05) for _ in range(2))
    assert first == second


def test_a_connection_that_never_retries_is_noticed():
    sound, broken = some_hours("rolling deploy"), some_hours("rolling deploy", NeverRetries)
    assert broken.connected < sound.connected / 2
    assert max(broken.recoveries) > 50 * max(sound.recoveries)


def test_a_connection_that_never_doubts_is_noticed():
    sound, broken = some_hours("train tunnel"), some_hours("train tunnel", NeverDoubts)
    assert broken.connected < sound.connected - 5 * 60
    assert max(broken.recoveries) > 5 * max(sound.recoveries)


def test_the_row_of_a_profile_adds_its_weeks_up():
    one = Measurements(lived=DAY, usable=HOUR, connected=0.9 * HOUR, attempts=5, detections=[1, 3])
    cells = week.row(NAMED["laptop lid"], [one, one]).values()
    assert list(cells) == [
        "laptop lid", "90.000 %", "360", "4", "1.0 / 3.0 / 3.0", "0", "- / - / -", "5.0",
    ]  # fmt: skip


def test_percentiles():
    numbers = [4.0, 1.0, 3.0, 2.0]
    assert [percentile(numbers, share) for share in (0.0, 0.5, 0.51, 1.0)] == [1, 2, 3, 4]
    assert percentile([], 0.5) is None


def test_the_command_line_prints_a_table_with_its_seed_and_command(capsys: pytest.CaptureFixture[str]):
    week.main(["--days", "0.01", "--seeds", "1", "--seed", "3", "--profile", "train"])
    printed = capsys.readouterr().out
    assert "| train tunnel | 100.000 % |" in printed
    assert "`python -m tests.reports.simulated.week --days 0.01 --seed 3 --seeds 1 --options chat`" in printed


def test_every_table_has_its_place_in_the_document():
    page = documents.SIMULATIONS.read_text(encoding="utf-8")
    names = [f"week-{name}" for name in week.NUMBERS] + ["storm-0", "storm-20", "storm-300"]
    for name in names:
        assert documents.rewritten(page, name, "new").count("\nnew\n") == 1
    with pytest.raises(ValueError, match="storm-7"):
        documents.rewritten(page, "storm-7", "new")
