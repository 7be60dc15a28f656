"""Short lives under every profile: what a connection must reach there, and that a broken one is noticed."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from kizuna.connection import Connection
from tests.reports.simulated import configurations, documents, plot, week
from tests.reports.simulated.broken import NeverDoubts, NeverRetries
from tests.reports.simulated.client import ConnectionFactory
from tests.reports.simulated.meter import Measurements, percentile
from tests.reports.simulated.profiles import PROFILES, Profile
from tests.reports.simulated.world import DAY, HOUR

NAMED = {profile.name: profile for profile in PROFILES}
#: A dead link is found by the ping after at most 30 s, the pong's 10 s; the status then says SUSPECT.
NOTICED_WITHIN = 30 + 10 + 0.5


def day(name: str, *, make: ConnectionFactory = Connection, days: float = 1.0) -> Measurements:
    return week.live(NAMED[name], seed=7, days=days, make=make)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_day_of_every_profile_is_a_connected_one(profile: Profile):
    lived = day(profile.name)
    assert lived.lived == pytest.approx(DAY, abs=2)
    assert lived.connected / lived.usable > (0.97 if "Wi-Fi" in profile.name else 0.995)
    throttled = "throttled" in profile.name
    assert max(lived.detections, default=0) < (2 * 60 + NOTICED_WITHIN if throttled else NOTICED_WITHIN)
    assert (percentile(lived.recoveries, 0.5) or 0) < 16


def test_a_day_behind_a_gateway_that_cuts_every_two_hours_sees_no_cut():
    lived = day("gateway idle and 2 h cuts")
    assert lived.recoveries == []
    assert lived.attempts > 10  # it was replaced each time, before the cut


def test_the_same_seed_lives_the_same_day():
    assert day("flaky Wi-Fi", days=0.05) == day("flaky Wi-Fi", days=0.05)


def test_one_that_never_retries_is_noticed():
    sound = day("rolling deploy", days=0.5)
    broken = day("rolling deploy", days=0.5, make=NeverRetries)
    assert broken.connected < sound.connected / 2
    assert max(broken.recoveries) > 100 * max(sound.recoveries)


def test_one_that_never_doubts_is_noticed():
    sound = day("train tunnel", days=0.4)
    broken = day("train tunnel", days=0.4, make=NeverDoubts)
    assert broken.connected < sound.connected - 5 * 60
    assert max(broken.recoveries) > 10 * max(sound.recoveries)


def test_the_row_of_a_profile_adds_its_weeks_up():
    one = Measurements(lived=DAY, usable=HOUR, connected=0.9 * HOUR, attempts=5, sockets=4, detections=[1, 3])
    cells = week.row(NAMED["laptop lid"], [one, one])
    assert cells == [
        "laptop lid", "90.000 %", "360", "4", "1.0 / 3.0 / 3.0", "0", "- / - / -", "5.0", "4.0",
    ]  # fmt: skip
    assert len(cells) == len(week.HEADINGS)


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
    page = documents.PAGE.read_text(encoding="utf-8")
    names = [f"week-{name}" for name in configurations.BY_NAME] + ["storm-0", "storm-20", "storm-300"]
    for name in names:
        assert documents.replace_part(page, name, "new").count("\nnew\n") == 1
    with pytest.raises(ValueError, match="has no part storm-7"):
        documents.replace_part(page, "storm-7", "new")


def test_a_plot_is_well_formed_and_has_a_line_for_each_name():
    panel = plot.Panel("a < b", 10, {"one & two": [(0, 0.0), (5, 0.5)], "three": [(0, 1.0)]})
    tree = ElementTree.fromstring(plot.picture([panel, panel]))  # noqa: S314 - our own
    assert len(tree.findall(".//{*}polyline")) == 4
    assert "one & two" in [text.text for text in tree.findall(".//{*}text")]
