"""The journal: what it records, and that it has no secret and no text of a person."""

from __future__ import annotations

import json

import pytest

from kizuna.core import events
from kizuna.core.events import Event, Timer
from kizuna.core.states import Status
from kizuna.platform import Instant
from kizuna.runtime.journal import Journal, describe
from tests.kizuna.service_harness import ServiceHarness


def at(second: float) -> Instant:
    return Instant(second, 1_700_000_000.0 + second)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (events.ConnectRequested(), "connect requested"),
        (events.TokenObtained(3, "SECRET"), "token obtained (link 3)"),
        (events.TokenFailed(3, unauthorized=True, detail="SECRET"), "token failed: unauthorized (link 3)"),
        (events.TokenFailed(3, unauthorized=False), "token failed: unavailable (link 3)"),
        (events.SocketClosed(3, 1006, "SECRET"), "socket closed: 1006 (link 3)"),
        (
            events.FrameReceived(3, {"type": "message", "content": "SECRET"}),
            "frame received: message (link 3)",
        ),
        (events.FrameReceived(3, {"type": "SECRET words"}), "frame received: ? (link 3)"),
        (events.FrameReceived(3, {"type": 7}), "frame received: ? (link 3)"),
        (events.FrameMalformed(3, "SECRET"), "frame malformed (link 3)"),
        (events.TimerFired(Timer.RETRY), "timer fired: retry"),
        (events.PageHidden(), "page hidden"),
    ],
)
def test_every_event_is_told_in_words_without_what_it_carries(event: Event, words: str):
    assert describe(event) == words


def test_the_same_event_in_a_row_is_one_entry_that_counts():
    journal = Journal()
    for second in range(3):
        journal.record(events.FrameReceived(1, {"type": "message"}), at(second), Status.CONNECTED)
    journal.record(events.SocketClosed(1, 1006), at(3), Status.WAITING)
    assert [(entry.event, entry.times, entry.at) for entry in journal.entries] == [
        ("frame received: message (link 1)", 3, 1_700_000_002.0),
        ("socket closed: 1006 (link 1)", 1, 1_700_000_003.0),
    ]


def test_only_the_latest_are_kept():
    journal = Journal(limit=3)
    for link in range(10):
        journal.record(events.SocketOpened(link), at(link), Status.CONNECTING)
    assert [entry.event for entry in journal.entries] == [f"socket opened (link {n})" for n in (7, 8, 9)]


def test_frames_displace_no_other_events_and_stand_between_them():
    journal = Journal(limit=5)
    for link in (1, 2, 3):
        journal.record(events.SocketOpened(link), at(0), Status.CONNECTING)
    for number in range(10):
        journal.record_frame(3, {"type": f"kind{number}"}, at(number), Status.CONNECTED)
    journal.record(events.SocketClosed(3, 1001), at(10), Status.WAITING)
    assert [(entry.kind, entry.link, entry.detail) for entry in journal.entries] == [
        *(("socket opened", link, "") for link in (1, 2, 3)),
        ("frame received", 3, "kind9"),
        ("socket closed", 3, "1001"),
    ]
    journal.record(events.SocketOpened(4), at(11), Status.CONNECTING)
    assert [entry.event for entry in journal.entries][::3] == [
        "socket opened (link 2)",
        "socket closed: 1001 (link 3)",
    ]


async def test_service_records_a_journal_readable_as_json():
    harness = ServiceHarness(lambda: "SECRET")
    await harness.connect()
    await harness.platform.advance(5)
    harness.socket.drop()
    told = [(entry["event"], entry["status"]) for entry in json.loads(harness.service.journal.to_json())]
    assert told == [
        ("connect requested", "connecting"),
        ("token obtained (link 1)", "connecting"),
        ("socket opened (link 1)", "connecting"),
        ("frame received: ready (link 1)", "connecting"),
        ("link prepared (link 1)", "connected"),
        ("timer fired: stable", "connected"),
        ("socket closed: 1006 (link 1)", "waiting"),
    ]
    assert "SECRET" not in harness.service.journal.to_json()
    harness.service.disconnect()
