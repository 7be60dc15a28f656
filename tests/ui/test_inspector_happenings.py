"""What the inspector tells and draws of the journal."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from kizuna import JournalEntry, Status
from tests.kizuna.service_harness import ServiceHarness
from ui.inspector.happenings import (
    _TOLD,
    LONGEST,
    LOOKS,
    SHORTEST,
    Look,
    happenings,
    last_close_code,
    strip,
)

START = 1_700_000_000.0
CATALOGUE = json.loads(
    (Path(__file__).resolve().parents[2] / "static" / "i18n" / "en.json").read_text(encoding="utf-8")
)


def entry(at: float, kind: str, status: Status, *, link: int | None = None, detail: str = "") -> JournalEntry:
    return JournalEntry(START + at, kind, status, 1, kind, link, detail)


def told(*entries: JournalEntry) -> list[tuple[str, dict[str, str | int]]]:
    return [(happening.key, dict(happening.params)) for happening in happenings(entries)]


CONNECTED = (
    entry(0, "connect requested", Status.CONNECTING),
    entry(0.1, "token obtained", Status.CONNECTING, link=1),
    entry(0.2, "link prepared", Status.CONNECTED, link=1),
)


def test_nothing_is_told_of_nothing():
    assert happenings([]) == []
    assert last_close_code([]) is None


def test_a_connect_a_drop_and_the_attempts_are_told_with_their_waits():
    assert told(
        *CONNECTED,
        entry(10, "socket closed", Status.WAITING, link=1, detail="1006"),
        entry(11.5, "timer fired", Status.CONNECTING, detail="retry"),
        entry(11.6, "socket closed", Status.WAITING, link=2, detail="1006"),
        entry(13.6, "timer fired", Status.CONNECTING, detail="retry"),
        entry(14, "link prepared", Status.CONNECTED, link=3),
    ) == [
        ("attempt", {"number": 1}),
        ("connected", {"seconds": "0.2"}),
        ("dropped_code", {"code": "1006"}),
        ("attempt_after", {"number": 1, "seconds": "1.5"}),
        ("failed_code", {"code": "1006"}),
        ("attempt_after", {"number": 2, "seconds": "2.0"}),
        ("connected", {"seconds": "0.4"}),
    ]


def test_probes_are_told_with_how_they_ended():
    probed = (*CONNECTED, entry(9, "doubt raised", Status.SUSPECT))
    assert told(*probed, entry(9.1, "frame received", Status.CONNECTED, link=1, detail="pong"))[2:] == [
        ("doubt", {}),
        ("suspect", {}),
        ("trusted", {}),
    ]
    assert told(*probed, entry(14, "timer fired", Status.CONNECTING, detail="silence"))[4:] == [
        ("dropped", {}),
        ("attempt", {"number": 1}),
    ]
    assert told(*probed, entry(10, "link prepared", Status.CONNECTED, link=2))[4:] == [("rollover", {})]


def test_a_rollover_is_told_once():
    assert told(
        *CONNECTED,
        entry(5, "socket opened", Status.CONNECTED, link=2),
        entry(6, "link prepared", Status.CONNECTED, link=2),
        entry(7, "socket closed", Status.CONNECTED, link=1, detail="1000"),
    )[2:] == [("rollover", {})]


@pytest.mark.parametrize(("kind", "key"), _TOLD.items())
def test_events_of_page_and_person_are_told_whatever_they_lead_to(kind: str, key: str):
    assert told(*CONNECTED, entry(3, kind, Status.CONNECTED))[2:] == [(key, {})]


def test_the_ends_are_told():
    for status in (Status.OFFLINE, Status.SUSPENDED, Status.EXHAUSTED, Status.REJECTED, Status.CLOSED):
        assert told(entry(0, "connect requested", Status.CONNECTING), entry(1, "x", status))[-1] == (
            str(status),
            {},
        )
    failed = told(entry(0, "x", Status.CONNECTING), entry(1, "token failed", Status.EXHAUSTED))
    assert failed[-2:] == [("failed", {}), ("exhausted", {})]


def test_quiet_attempts_and_a_goodbye_are_told():
    assert told(
        entry(0, "x", Status.EXHAUSTED),
        entry(30, "timer fired", Status.EXHAUSTED, detail="retry"),
        entry(31, "link prepared", Status.CONNECTED, link=9),
        entry(32, "frame received", Status.CONNECTED, link=9, detail="bye"),
    ) == [("exhausted", {}), ("quiet_attempt", {}), ("connected", {"seconds": "31.0"}), ("bye", {})]


def test_the_last_close_code_is_the_latest():
    entries = [entry(1, "socket closed", Status.WAITING, detail=code) for code in ("1006", "1012")]
    assert last_close_code([*entries, entry(2, "page shown", Status.WAITING)]) == 1012


async def test_every_happening_of_a_real_connection_has_a_text():
    harness = ServiceHarness()
    await harness.connect()
    for act in ("hide", "show", "go_offline", "go_online", "suspend", "resume", "change_network", "wake"):
        getattr(harness.platform, act)()
        await harness.platform.advance(3)
    harness.service.try_now()
    harness.socket.drop()
    await harness.platform.advance(200)
    harness.service.disconnect()
    keys = {happening.key for happening in happenings(harness.service.journal.entries)}
    assert keys >= {"connected", "attempt_after", "suspended", "slept", "exhausted", "closed", "hidden"}
    assert {f"happened.{key}" for key in keys} <= CATALOGUE.keys()


# --- the drawing ---


def test_every_status_has_a_look():
    assert LOOKS.keys() == set(Status)


def test_the_strip_shows_a_minute_at_least_and_ten_at_most():
    assert strip([], START).seconds == SHORTEST
    assert strip(CONNECTED, START + 300).seconds == 300
    assert strip(CONNECTED, START + 90_000).seconds == LONGEST


def test_the_strip_has_a_span_for_each_status_without_holes():
    drop = entry(60, "socket closed", Status.WAITING, link=1, detail="1006")
    drawn = strip((*CONNECTED, drop), START + 120)
    assert [span.look for span in drawn.spans] == [Look.BUSY, Look.OK, Look.WARN]
    assert drawn.spans[0].start == 0
    assert drawn.spans[-1].end == 1
    assert all(one.end == other.start for one, other in itertools.pairwise(drawn.spans))
    assert drawn.spans[1].end == pytest.approx(0.5)
    assert drawn.marks == pytest.approx((0, 0.2 / 120, 0.5), abs=0.001)


def test_the_strip_leaves_out_what_was_before_it():
    drop = entry(60, "socket closed", Status.WAITING, link=1, detail="1006")
    drawn = strip((*CONNECTED, drop), START + 5_000)
    assert ([span.look for span in drawn.spans], drawn.marks) == ([Look.WARN], ())


def test_a_clock_that_was_set_back_draws_no_span_backwards():
    ahead = entry(90, "machine slept", Status.SUSPECT)
    drawn = strip((*CONNECTED, ahead, entry(31, "x", Status.CONNECTED)), START + 40)
    assert all(0 <= span.start < span.end <= 1 for span in drawn.spans)
