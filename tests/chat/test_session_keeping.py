"""What waits to be sent outlives leaving, reloads, crashes and closed tabs; and arrives once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chat.restore_wait import RESTORE_TIMEOUT
from chat.store import NoticeKind
from chat.timeline import Delivery
from kizuna.delivery.outbox import DEFAULT_LIMIT
from kizuna.delivery.pending_message import Failure
from kizuna.wire import Options
from tests.chat.session_harness import SessionHarness, ack, message

DAY = 24 * 3600


async def started(harness: SessionHarness) -> SessionHarness:
    harness.session.start()
    await harness.platform.settle()
    return harness


# --- shown at once, kept at once, stored a little later ---


async def test_a_message_shows_at_once_and_is_sent_once_it_is_stored(harness: SessionHarness) -> None:
    await harness.join()
    harness.browser.storage.is_stuck = True
    assert harness.session.send_message("hello")
    assert harness.entries() == [("hello", Delivery.QUEUED)]
    await harness.platform.settle()
    assert (harness.entries(), harness.state.waiting) == ([("hello", Delivery.QUEUED)], 1)
    assert harness.sent("sendMessage") == []
    harness.browser.storage.release()
    await harness.platform.settle()
    assert (harness.entries(), harness.state.waiting) == ([("hello", Delivery.SENDING)], 1)
    assert harness.browser.drafts == []


@pytest.mark.parametrize("loses", [True, False])
async def test_a_crash_before_the_commit_loses_and_doubles_nothing(
    harness: SessionHarness, loses: bool
) -> None:
    """``loses``: the commit is lost, else the browser completes it after the crash."""
    await harness.join()
    harness.browser.storage.is_stuck = True
    texts = ["one", "two", "three"]
    for text in texts:
        assert harness.session.send_message(text)
    await harness.platform.settle()
    assert harness.browser.drafts == ["c1", "c2", "c3"]
    kept = dict(harness.settings)
    if loses:
        harness.browser.storage.is_broken = True
    harness.browser.storage.release()
    await harness.platform.settle()
    harness.browser.storage.is_broken = False
    harness.settings.update(kept)  # the crash came before they were dropped
    again = await started(harness.reloaded())
    assert again.entries() == [(text, Delivery.QUEUED) for text in texts]
    assert (again.browser.drafts, len(again.browser.rows("outbox"))) == ([], 3)
    await again.open_link()
    for seq in range(1, 4):
        await again.receive(ack(f"c{seq}", seq))
    assert [frame["content"] for frame in again.sent("sendMessage")] == texts
    again.session.leave()


async def test_a_crash_right_after_saying_loses_nothing(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("hello")
    assert (harness.browser.drafts, len(harness.browser.rows("outbox"))) == ([], 1)
    again = await started(harness.reloaded())
    assert again.entries() == [("hello", Delivery.QUEUED)]
    again.session.leave()


async def test_a_draft_of_a_message_that_arrived_is_not_said_twice(harness: SessionHarness) -> None:
    """Another tab had adopted and sent it, and the crashed one had not dropped it: the id tells."""
    await harness.join()
    await harness.send("hello")
    ((key, row),) = harness.browser.rows("outbox").items()
    harness.browser.rows("outbox").clear()
    harness.settings[f"kizuna.unstored.{key}"] = row
    again = await started(harness.reloaded())
    mine = message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello")
    await again.open_link(head=1, messages=[mine])
    assert again.entries() == [("hello", Delivery.SENT)]
    assert again.sent("sendMessage") == []
    assert (again.browser.drafts, again.browser.rows("outbox")) == ([], {})
    again.session.leave()


async def test_a_living_tab_sends_what_a_crashed_one_had_not_stored(harness: SessionHarness) -> None:
    await harness.join()
    other = await started(SessionHarness(harness.browser))
    await other.open_link()
    harness.browser.storage.is_stuck = True
    assert harness.session.send_message("hello")
    await harness.platform.advance(6)
    assert other.entries() == []
    harness.crash()
    harness.browser.storage.tables.clear()
    harness.browser.storage.release()
    await other.platform.advance(6)
    assert [frame["clientMessageId"] for frame in other.sent("sendMessage")] == ["c1"]
    assert harness.browser.drafts == []
    other.session.leave()


async def test_earlier_messages_go_first_however_long_their_storage_takes(harness: SessionHarness) -> None:
    """A busy browser answers after the page has connected: what is typed meanwhile waits, on the screen too."""
    await harness.join()
    harness.socket.drop()
    for text in ("one", "two"):
        await harness.send(text)
    again = harness.reloaded()
    again.browser.storage.is_stuck = True
    again.session.start()
    await again.platform.settle()
    again.socket.accept()
    await again.platform.advance(RESTORE_TIMEOUT)
    await again.open_link()
    assert again.state.caught_up
    assert again.session.send_message("three")
    await again.platform.advance(3)
    assert (again.entries(), again.state.waiting) == ([("three", Delivery.QUEUED)], 1)
    assert again.sent("sendMessage") == []
    again.browser.storage.release()
    await again.platform.settle()
    assert [text for text, _ in again.entries()] == ["one", "two", "three"]
    for seq in range(1, 4):
        await again.receive(ack(again.sent("sendMessage")[-1]["clientMessageId"], seq))
    assert [frame["content"] for frame in again.sent("sendMessage")] == ["one", "two", "three"]
    again.session.leave()
    await again.platform.settle()


@pytest.mark.parametrize("waits", [0, RESTORE_TIMEOUT])
async def test_words_stored_after_their_author_left_wait_for_them(
    harness: SessionHarness, waits: float
) -> None:
    """Before the stored data is loaded (``waits``), and after that."""
    if waits:
        harness.browser.storage.is_stuck = True
        harness.session.join("Mika")
        await harness.platform.advance(waits)
    else:
        await harness.join()
        harness.browser.storage.is_stuck = True
    assert harness.session.send_message("hello")
    await harness.platform.settle()
    harness.session.leave()
    harness.session.join("Ren")
    harness.browser.storage.release()
    await harness.platform.settle()
    assert harness.entries() == []
    assert (harness.browser.drafts, len(harness.browser.rows("outbox"))) == ([], 1)
    harness.session.leave()
    harness.session.join("Mika")
    await harness.platform.settle()
    assert harness.entries() == [("hello", Delivery.QUEUED)]


async def test_words_deleted_while_they_are_stored_are_not_sent(harness: SessionHarness) -> None:
    await harness.join()
    harness.browser.storage.is_stuck = True
    for text in ("better not", "hello"):
        assert harness.session.send_message(text)
    await harness.platform.settle()
    harness.session.discard("c1")
    assert harness.browser.drafts == ["c2"]
    harness.browser.storage.release()
    await harness.platform.settle()
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["hello"]
    assert harness.entries() == [("hello", Delivery.SENDING)]
    assert len(harness.browser.rows("outbox")) == 1
    assert harness.state.notice is None


async def test_words_written_in_another_room_meanwhile_are_shown_there(harness: SessionHarness) -> None:
    await harness.join()
    harness.browser.storage.is_stuck = True
    harness.session.enter_room("tea")
    assert harness.session.send_message("a cup?")
    harness.session.enter_room("general")
    harness.session.leave_room("tea")
    harness.session.enter_room("tea")
    assert harness.entries() == [("a cup?", Delivery.QUEUED)]
    harness.browser.storage.release()
    await harness.platform.settle()


async def test_a_message_for_a_closing_socket_goes_out_over_the_next_link(harness: SessionHarness) -> None:
    await harness.join()
    assert harness.session.send_message("hello")
    while not harness.browser.rows("outbox"):  # noqa: ASYNC110 - nothing tells of a commit
        await asyncio.sleep(0)
    harness.socket.is_open = False  # CLOSING: the page has not been told yet
    await harness.platform.settle()
    assert harness.entries() == [("hello", Delivery.QUEUED)]
    harness.socket.drop()
    await harness.platform.advance(2)
    await harness.open_link()
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["hello"]


async def test_a_message_too_large_for_a_frame_fails_alone() -> None:
    harness = SessionHarness(options=Options(max_frame_bytes=300))
    harness.session.join("Mika")
    await harness.send("x" * 300)
    await harness.send("short")
    await harness.open_link()
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["short"]
    (entry,) = harness.state.timeline.failed
    assert entry.failure is not None
    assert entry.failure.code == "too_large"
    assert "300" in entry.failure.words


async def test_what_is_acknowledged_leaves_no_row(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    assert len(harness.browser.rows("outbox")) == 1
    await harness.receive(ack("c1", 1))
    assert harness.browser.rows("outbox") == {}


async def test_a_full_outbox_refuses_the_next_message_with_the_reason(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    for number in range(DEFAULT_LIMIT):
        assert harness.session.send_message(f"words {number}")
    assert not harness.session.send_message("one too many")
    await harness.platform.settle()
    assert harness.state.notice is not None
    assert (harness.state.notice.kind, harness.state.notice.params) == (
        NoticeKind.OUTBOX_FULL,
        {"limit": DEFAULT_LIMIT},
    )
    assert len(harness.browser.rows("outbox")) == DEFAULT_LIMIT


async def test_a_message_behind_a_full_outbox_of_a_closed_tab_fails_visibly(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    for number in range(DEFAULT_LIMIT):
        assert harness.session.send_message(f"words {number}")
    await harness.platform.settle()
    again = harness.reloaded()
    again.session.start()
    assert again.session.send_message("one too many")
    await again.platform.settle()
    assert [entry.content for entry in again.state.timeline.failed] == ["one too many"]
    again.session.leave()


async def test_who_has_not_joined_sends_nothing(harness: SessionHarness) -> None:
    assert not harness.session.send_message("hello")
    assert harness.browser.drafts == []


# --- the same person comes back ---


async def test_who_comes_back_finds_what_was_left_waiting(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    assert await harness.send("for later")
    harness.session.leave()
    assert harness.state.notice is not None
    assert (harness.state.notice.kind, harness.state.notice.params) == (
        NoticeKind.STILL_WAITING,
        {"count": 1, "name": "Mika"},
    )
    harness.session.join("Ren")
    await harness.platform.settle()
    assert harness.entries() == []
    harness.session.leave()
    harness.session.join("Mika")
    await harness.platform.settle()
    assert harness.entries() == [("for later", Delivery.QUEUED)]
    await harness.open_link()
    mine = message(1, clientMessageId="c1", senderId="id-of-Mika", content="for later")
    await harness.receive(ack("c1", 1), mine)
    assert harness.entries() == [("for later", Delivery.SENT)]


async def test_a_renamed_person_never_sends_what_the_former_one_left(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("as Mika")
    harness.session.leave()
    harness.session.join("Ren")
    await harness.open_link()
    await harness.send("as Ren")
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["as Ren"]


async def test_what_waits_survives_a_reload_and_arrives_once(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(1.1)  # kept by now
    harness.socket.drop()
    assert await harness.send("first")
    assert await harness.send("second")
    again = await started(harness.reloaded())
    waiting = [("first", Delivery.QUEUED), ("second", Delivery.QUEUED)]
    assert again.entries() == [("words 1", Delivery.RECEIVED), *waiting]
    assert again.state.waiting == 2
    await again.open_link(head=1)
    (sent,) = again.sent("sendMessage")
    assert (sent["clientMessageId"], sent["content"]) == ("c1", "first")
    await again.receive(ack("c1", 2), ack("c2", 3))
    assert [content for content, _ in again.entries()] == ["words 1", "first", "second"]
    assert again.browser.rows("outbox") == {}
    again.session.leave()


async def test_words_that_the_server_had_before_the_reload_are_not_said_twice(
    harness: SessionHarness,
) -> None:
    await harness.join()
    await harness.send("hello")
    again = await started(harness.reloaded())
    mine = message(1, clientMessageId="c1", senderId="id-of-Mika", content="hello")
    await again.open_link(head=1, messages=[mine])
    assert again.entries() == [("hello", Delivery.SENT)]
    assert again.sent("sendMessage") == []
    assert again.browser.rows("outbox") == {}
    again.session.leave()


async def test_a_row_left_after_its_ack_is_not_shown_or_sent_again(
    harness: SessionHarness,
) -> None:
    await harness.join()
    await harness.send("hello")
    (row,) = harness.browser.rows("outbox").items()
    await harness.receive(ack("c1", 1))
    await harness.platform.advance(1.1)
    harness.browser.rows("outbox")[row[0]] = row[1]  # the crash came before the row was deleted
    again = await started(harness.reloaded())
    assert again.entries() == [("hello", Delivery.SENT)]
    assert again.state.waiting == 0
    assert again.browser.rows("outbox") == {}
    again.session.leave()


async def test_a_failed_message_outlives_a_reload_with_its_reason(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    await harness.receive(
        {"type": "nack", "clientMessageId": "c1", "code": "forbidden", "message": "not you"}
    )
    again = await started(harness.reloaded())
    (entry,) = again.state.timeline.failed
    assert entry.failure == Failure("forbidden", "not you")
    await again.open_link()
    assert again.sent("sendMessage") == []
    again.session.retry("c1")
    await again.platform.settle()
    assert [frame["clientMessageId"] for frame in again.sent("sendMessage")] == ["c1"]
    again.session.leave()


@pytest.mark.parametrize("kept", ["{", "[7]", "null", "{}", '{"id": 1}'])
async def test_a_row_that_cannot_be_read_stops_nobody_and_stays(harness: SessionHarness, kept: str) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("hello")
    rows = harness.browser.rows("outbox")
    broken = next(iter(rows)) + "-broken"
    rows[broken] = kept
    again = await started(harness.reloaded())
    assert again.entries() == [("hello", Delivery.QUEUED)]
    assert rows[broken] == kept
    again.session.leave()


@pytest.mark.parametrize(
    "frame",
    [
        {"action": "leave", "roomId": "general"},
        {"action": "sendMessage", "clientMessageId": "c1", "roomId": "no such room", "content": "hello"},
    ],
)
async def test_a_row_with_another_frame_in_it_is_not_sent(
    harness: SessionHarness, frame: dict[str, Any]
) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("hello")
    rows = harness.browser.rows("outbox")
    for key, text in rows.items():
        rows[key] = json.dumps({**json.loads(text), "data": frame})
    again = await started(harness.reloaded())
    await again.open_link()
    assert again.entries() == []
    assert again.sent("leave") == again.sent("sendMessage") == []
    assert len(rows) == 1
    again.session.leave()


# --- age ---


async def test_a_week_old_message_is_not_sent_but_shown_as_failed(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("let us meet tomorrow")
    again = harness.reloaded()
    again.platform.clock.sleep(7 * DAY)
    await started(again)
    await again.open_link()
    (entry,) = again.state.timeline.failed
    assert entry.failure == Failure("too_old")
    assert again.sent("sendMessage") == []
    assert again.state.waiting == 0
    again.session.retry("c1")
    await again.platform.settle()
    assert [frame["clientMessageId"] for frame in again.sent("sendMessage")] == ["c1"]
    again.session.leave()


async def test_a_week_old_message_deleted_while_it_fails_does_not_come_back(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("let us meet tomorrow")
    again = harness.reloaded()
    again.platform.clock.sleep(7 * DAY)
    await started(again)
    again.browser.storage.is_stuck = True
    await again.open_link()
    again.session.discard("c1")
    again.browser.storage.release()
    await again.platform.settle()
    assert again.entries() == []
    assert again.browser.rows("outbox") == {}
    again.session.leave()


async def test_what_waits_for_less_than_three_days_is_sent(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("hello")
    again = harness.reloaded()
    again.platform.clock.sleep(3 * DAY - 60)
    await started(again)
    await again.open_link()
    assert len(again.sent("sendMessage")) == 1
    again.session.leave()


# --- deleting ---


async def test_deleting_what_was_never_sent_says_nothing(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("better not")
    harness.session.discard("c1")
    await harness.platform.settle()
    assert harness.state.notice is None
    assert harness.entries() == []
    assert harness.browser.rows("outbox") == {}


async def test_deleting_an_unacknowledged_message_warns_that_it_may_have_arrived(
    harness: SessionHarness,
) -> None:
    await harness.join()
    await harness.send("better not")
    again = await started(harness.reloaded())  # also when an earlier page sent it
    again.session.discard("c1")
    assert again.state.notice is not None
    assert again.state.notice.kind is NoticeKind.MAY_HAVE_ARRIVED
    mine = message(1, clientMessageId="c1", senderId="id-of-Mika", content="better not")
    await again.open_link(head=1, messages=[mine])
    assert again.entries() == [("better not", Delivery.SENT)]  # and so it had
    again.session.leave()


async def test_deleting_what_the_server_refused_says_nothing(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    await harness.receive(
        {"type": "nack", "clientMessageId": "c1", "code": "forbidden", "message": "not you"}
    )
    harness.session.discard("c1")
    assert harness.state.notice is None
    assert harness.entries() == []


async def test_deleting_a_message_twice_tells_once_that_it_may_have_arrived(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("better not")
    harness.session.discard("c1")
    harness.session.dismiss_notice()
    harness.session.discard("c1")
    assert harness.state.notice is None


async def test_a_message_deleted_just_before_it_goes_out_is_not_sent(harness: SessionHarness) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("better not")
    harness.browser.storage.is_stuck = True  # the row is being claimed
    await harness.platform.advance(2)
    await harness.open_link()
    harness.session.discard("c1")
    harness.browser.storage.release()
    await harness.platform.settle()
    assert harness.sent("sendMessage") == []
    assert harness.browser.rows("outbox") == {}


async def test_retrying_a_message_on_its_way_changes_nothing(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("hello")
    await harness.receive(
        {"type": "nack", "clientMessageId": "c1", "code": "forbidden", "message": "not you"}
    )
    harness.session.retry("c1")
    await harness.platform.settle()
    harness.session.retry("c1")
    assert harness.entries() == [("hello", Delivery.SENDING)]
    await harness.platform.settle()
    assert len(harness.sent("sendMessage")) == 2


async def test_deleting_the_message_at_the_head_lets_the_next_go(harness: SessionHarness) -> None:
    await harness.join()
    await harness.send("one")
    await harness.send("two")
    harness.session.discard("c1")
    await harness.platform.settle()
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["one", "two"]


async def test_all_that_failed_is_sent_again_in_the_order_typed(harness: SessionHarness) -> None:
    await harness.join()
    for number, text in enumerate(("one", "two", "three"), start=1):
        await harness.send(text)
        nack = {"type": "nack", "clientMessageId": f"c{number}", "code": "forbidden", "message": "not you"}
        await harness.receive(nack)
    harness.session.retry_all()
    for number in (1, 2, 3):
        await harness.platform.settle()
        await harness.receive(ack(f"c{number}", number))
    assert [frame["content"] for frame in harness.sent("sendMessage")] == ["one", "two", "three"] * 2
    assert [content for content, _ in harness.entries()] == ["one", "two", "three"]


# --- storage that fails ---


async def test_without_storage_everything_works_and_the_person_is_told_once_it_matters(
    harness: SessionHarness,
) -> None:
    harness.browser.storage.is_broken = True
    await harness.join()
    assert harness.state.notice is None
    assert await harness.send("hello")
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.NOT_KEPT
    await harness.receive(ack("c1", 1))
    assert harness.entries() == [("hello", Delivery.SENT)]


async def test_storage_that_breaks_while_a_message_waits_loses_and_hides_nothing(
    harness: SessionHarness,
) -> None:
    await harness.join()
    harness.socket.drop()
    await harness.send("hello")
    harness.browser.storage.is_broken = True
    await harness.platform.advance(2)
    await harness.open_link()
    assert harness.entries() == [("hello", Delivery.SENDING)]
    await harness.receive(ack("c1", 1))
    assert harness.entries() == [("hello", Delivery.SENT)]
