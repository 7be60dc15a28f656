"""What the inspector gives away holds no token, and no word of a person."""

from __future__ import annotations

import json
from typing import Any

from chat.diagnosis import Diagnosis
from kizuna import Status
from tests.chat.session_harness import SessionHarness, message

#: None of these may be found in a report: name, room, text, ids, token, ticket, secret, words of a close.
SECRETS = ("Mika", "secret-room", "hello-words", "id-of-Ren", "his-1", "a ticket", "secret-1", "close-words")


def diagnosis_of(harness: SessionHarness) -> Diagnosis:
    return Diagnosis(harness.service, harness.session.statistics, lambda: harness.platform.now().wall)


async def report_after_trouble(harness: SessionHarness) -> tuple[Diagnosis, dict[str, Any]]:
    harness.session.enter_room("secret-room")
    await harness.join(roomId="secret-room")
    await harness.send("hello-words")
    await harness.receive(message(1, roomId="secret-room", content="hello-words"))
    harness.socket.drop(1012, '{"reason": "close-words"}')
    await harness.platform.settle()
    diagnosis = diagnosis_of(harness)
    return diagnosis, diagnosis.report(harness.state)


async def test_a_report_holds_no_token_and_no_word_of_a_person() -> None:
    harness = SessionHarness()
    diagnosis, report = await report_after_trouble(harness)
    text = json.dumps([report, diagnosis.events()], ensure_ascii=False)
    assert [secret for secret in SECRETS if secret in text] == []
    assert "close-words" in str(harness.state.connection.reason)  # so it was there to be told
    harness.session.leave()


async def test_a_report_says_what_happened_in_numbers_and_events() -> None:
    harness = SessionHarness()
    diagnosis, report = await report_after_trouble(harness)
    assert (report["status"], report["waiting"], report["rooms"], report["wire"]) == (
        "waiting",
        1,
        1,
        "kizuna",
    )
    assert report["reason"] == {"kind": "server_restarting", "code": 1012}
    assert (report["delivery"]["sent"], report["delivery"]["received"]) == (1, 1)
    assert report["connection"]["drops"] == 1
    assert report["events"] == diagnosis.events()
    assert report["events"][-1]["detail"] == "1012"
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report, default=str))
    harness.session.leave()


def test_a_page_that_never_connected_has_a_report_without_a_reason() -> None:
    harness = SessionHarness()
    report = diagnosis_of(harness).report(harness.state)
    assert (report["status"], report["reason"], report["events"]) == (Status.IDLE, None, [])
