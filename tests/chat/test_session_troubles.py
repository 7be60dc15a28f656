"""What goes wrong at the worst moment: storage that answers late, a room that cannot be served, a server that errs."""

from __future__ import annotations

from chat.admission import Answer
from chat.presence import MAX_TYPING_USERS
from chat.restore_wait import RESTORE_TIMEOUT
from chat.store import NoticeKind
from chat.timeline import Delivery
from kizuna.core.states import Status
from kizuna.delivery.pending_message import Failure
from kizuna.delivery.requests import MAX_TRIES, REQUEST_TIMEOUT
from kizuna.delivery.sender import ADOPT_INTERVAL, MAX_PAUSE
from kizuna.wire import ARTICLE
from tests.chat.session_harness import Browser, SessionHarness, ack, batch, message
from tests.chat.test_session_rooms import enter

READY = {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1}


async def in_two_rooms_after_a_drop() -> SessionHarness:
    """The new link is open, and hello is said for general and tea."""
    harness = SessionHarness()
    await harness.join()
    await enter(harness, "tea")
    harness.socket.drop()
    await harness.platform.advance(2)
    harness.socket.accept()
    await harness.platform.settle()
    await harness.receive(READY)
    return harness


# --- storage that answers late, or lost what it had ---


async def test_words_said_while_storage_was_silent_are_nobody_elses() -> None:
    for comes_next in (None, "Ren"):
        harness = SessionHarness()
        harness.browser.storage.is_stuck = True
        harness.session.join("Mika")
        await harness.platform.settle()
        assert harness.session.send_message("I am Mika")
        await harness.platform.settle()
        harness.session.leave()
        if comes_next:
            harness.session.join(comes_next)
        harness.browser.storage.release()
        await harness.platform.settle()
        assert harness.entries() == []
        assert [key.split("/")[1:] for key in harness.browser.rows("outbox")] == [["tab-1", "c1"]]
        harness.session.leave()


async def test_a_storage_that_never_answers_keeps_nobody_from_connecting() -> None:
    harness = SessionHarness()
    harness.browser.storage.is_stuck = True
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.advance(RESTORE_TIMEOUT)
    await harness.receive(READY, batch(1, [message(1)]))
    assert harness.state.is_connected
    assert harness.entries() == [("words 1", Delivery.RECEIVED)]


async def test_a_shown_message_is_sent_after_its_storage_was_cleared() -> None:
    harness = SessionHarness()
    await harness.join()
    harness.socket.drop()
    await harness.send("hello")
    harness.browser.storage.tables.clear()
    await harness.platform.advance(2)
    await harness.open_link()
    assert harness.entries() == [("hello", Delivery.SENDING)]
    assert len(harness.browser.rows("outbox")) == 1


async def test_a_failed_deletion_at_sign_out_is_repeated_at_start() -> None:
    harness = SessionHarness()
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(1.1)
    harness.browser.storage.is_broken = True
    harness.session.leave()
    await harness.platform.settle()
    harness.browser.storage.is_broken = False
    assert harness.browser.rows("rooms") != {}
    again = harness.reloaded()
    again.session.start()
    await again.platform.settle()
    assert again.browser.rows("rooms") == {}


async def test_a_row_left_after_its_ack_is_one_message_without_user_id() -> None:
    harness = SessionHarness()
    await harness.join()
    await harness.send("hello")
    rows = dict(harness.browser.rows("outbox"))
    await harness.receive(ack("c1", 1))
    await harness.platform.advance(1.1)
    harness.browser.rows("outbox").update(rows)
    for key in [key for key in harness.settings if key.startswith("kizuna.user.")]:
        del harness.settings[key]
    again = harness.reloaded()
    again.session.start()
    await again.open_link(head=1)
    await again.receive(ack("c1", 1, duplicate=True))
    assert len(again.entries()) == 1


async def test_nothing_is_written_anew_by_an_empty_catching_up() -> None:
    harness = SessionHarness()
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(2)
    written: list[str] = []
    write = harness.browser.storage.write

    async def noted(table: str, *args: object) -> None:
        written.append(table)
        await write(table, *args)  # type: ignore[arg-type]

    harness.browser.storage.write = noted  # type: ignore[method-assign, assignment]
    harness.socket.drop()
    await harness.platform.advance(2)
    await harness.open_link(head=1)
    await harness.platform.advance(2)
    assert written == []


# --- several tabs, several people, clocks ---


async def test_two_people_in_two_tabs_of_one_browser_stay_who_they_are() -> None:
    browser = Browser()
    mika, ren = SessionHarness(browser), SessionHarness(browser)
    await mika.join()
    ren.session.join("Ren")
    await ren.open_link()
    again = mika.reloaded()
    again.session.start()
    await again.platform.settle()
    assert again.state.name == "Mika"
    again.session.leave()
    await ren.receive(message(1))
    await ren.platform.advance(1.1)
    assert "words 1" in str(browser.rows("rooms"))  # whose sign-out was Mika's


async def test_a_clock_that_is_set_back_changes_no_order() -> None:
    harness = SessionHarness()
    await harness.join()
    harness.socket.drop()
    await harness.send("one")
    harness.platform.clock.sleep(-3600)
    await harness.send("two")
    again = harness.reloaded()
    again.session.start()
    await again.platform.settle()
    assert [content for content, _ in again.entries()] == ["one", "two"]


async def test_deleting_where_another_tab_has_taken_over_deletes_it_there() -> None:
    browser = Browser()
    first, second = SessionHarness(browser), SessionHarness(browser)
    await first.join()
    await second.join()
    first.socket.drop()
    second.socket.drop()
    await first.send("better not")
    first.locks.end()
    await second.platform.advance(ADOPT_INTERVAL + 0.1)
    first.session.discard("c1")
    await first.platform.settle()
    assert browser.rows("outbox") == {}


async def test_what_another_tab_took_and_deleted_does_not_come_back_as_failed() -> None:
    browser = Browser()
    first, second = SessionHarness(browser), SessionHarness(browser)
    await first.join()
    await second.join()
    first.socket.drop()
    second.socket.drop()
    await first.send("better not")
    first.locks.end()
    await second.platform.advance(ADOPT_INTERVAL + 0.1)
    second.session.discard("c1")
    await second.platform.settle()
    first.platform.clock.sleep(4 * 24 * 3600)
    await first.platform.advance(2)
    await first.open_link()
    assert first.entries() == []
    assert browser.rows("outbox") == {}


# --- a room that cannot be served ---


async def test_one_room_that_cannot_be_read_keeps_nobody_out_of_the_others() -> None:
    harness = await in_two_rooms_after_a_drop()
    await harness.receive(
        batch(0, []), {"type": "error", "code": "internal", "message": "tea: not now", "roomId": "tea"}
    )
    assert harness.state.is_connected
    assert not harness.state.caught_up
    heads = [{"roomId": room_id, "epoch": "e", "seq": 0} for room_id in ("general", "tea")]
    await harness.receive({"type": "pong", "heads": heads})
    question = harness.sent("join")[-1]
    await harness.receive(batch(0, [], roomId="tea", ref=question["ref"]))
    assert harness.state.caught_up


async def test_one_unanswered_room_delays_the_others_only_briefly() -> None:
    harness = await in_two_rooms_after_a_drop()
    await harness.receive(batch(0, []))
    await harness.platform.advance(REQUEST_TIMEOUT * (MAX_TRIES + 1))
    assert harness.state.is_connected


async def test_answers_of_a_link_that_broke_do_not_count_on_the_next() -> None:
    harness = await in_two_rooms_after_a_drop()
    await harness.receive(batch(0, []))
    harness.socket.drop()
    await harness.platform.advance(5)
    harness.socket.accept()
    await harness.platform.settle()
    await harness.receive(READY, batch(0, [], roomId="tea"))
    assert not harness.state.is_connected
    await harness.receive(batch(0, []))
    assert harness.state.is_connected


async def test_a_link_on_which_no_room_is_served_is_given_up() -> None:
    harness = SessionHarness()
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    await harness.receive(
        READY, {"type": "error", "code": "internal", "message": "not now", "roomId": "general"}
    )
    assert harness.state.connection.status is Status.WAITING
    await harness.platform.advance(2)
    await harness.open_link()
    assert harness.state.is_connected


async def test_leaving_a_room_while_it_catches_up_is_waited_for_by_nobody() -> None:
    harness = await in_two_rooms_after_a_drop()
    await harness.receive(batch(0, []))
    harness.session.leave_room("tea")
    await harness.platform.settle()
    assert harness.state.is_connected
    assert [frame["roomId"] for frame in harness.sent("leave")] == ["tea"]


async def test_a_refused_join_is_repeated_after_the_next_pong() -> None:
    harness = SessionHarness()
    await harness.join()
    harness.session.enter_room("tea")
    question = harness.sent("join")[-1]
    await harness.receive(
        {"type": "error", "code": "too_many_rooms", "message": "", "ref": question["ref"], "roomId": "tea"},
        {"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 0}]},
    )
    assert [frame["roomId"] for frame in harness.sent("join")] == ["tea", "tea"]


async def test_a_room_that_was_closed_and_opened_again_is_caught_up() -> None:
    harness = SessionHarness()
    await harness.join()
    harness.session.enter_room("secret")
    question = harness.sent("join")[-1]
    await harness.receive({"type": "error", "code": "forbidden", "message": "no", "ref": question["ref"]})
    harness.session.notify_typing()
    assert harness.sent("typing") == []
    harness.session.leave_room("secret")
    await enter(harness, "secret")
    assert harness.state.caught_up


async def test_a_message_that_fails_in_a_room_that_was_left_is_told() -> None:
    harness = SessionHarness()
    await harness.join()
    await enter(harness, "tea")
    await harness.send("later")
    harness.session.leave_room("tea")
    await harness.receive(
        {"type": "nack", "clientMessageId": "c1", "code": "forbidden", "message": "not you"}
    )
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.FAILED_UNSEEN
    harness.session.enter_room("tea")
    assert harness.state.timeline.failed[0].failure == Failure("forbidden", "not you")


# --- a server that errs ---


async def test_a_history_that_brings_nothing_is_not_asked_again_and_again() -> None:
    harness = SessionHarness()
    await harness.join(head=10, messages=[message(10)])
    for _ in range(20):
        await harness.receive(batch(10, [], ref=harness.sent("history")[-1]["ref"]))
    assert len(harness.sent("history")) == 1


async def loading_earlier() -> SessionHarness:
    """The question for the messages before 21 is asked."""
    harness = SessionHarness()
    await harness.join(head=60, messages=[message(seq) for seq in range(21, 61)])
    harness.session.show_earlier()
    assert harness.state.loading_earlier
    return harness


async def test_a_history_that_is_refused_can_be_asked_for_again() -> None:
    harness = await loading_earlier()
    ref = harness.sent("history")[0]["ref"]
    await harness.receive({"type": "error", "code": "internal", "message": "not now", "ref": ref})
    assert not harness.state.loading_earlier
    assert harness.state.caught_up
    harness.session.show_earlier()
    assert [frame["before"] for frame in harness.sent("history")] == [21, 21]


async def test_a_history_without_an_answer_leaves_the_room_caught_up() -> None:
    harness = await loading_earlier()
    for _ in range(MAX_TRIES):
        await harness.receive({"type": "pong"})
        await harness.platform.advance(REQUEST_TIMEOUT)
    assert len(harness.sent("history")) == MAX_TRIES
    assert not harness.state.loading_earlier
    assert harness.state.caught_up


async def test_a_sync_that_brings_nothing_is_not_asked_again_at_once() -> None:
    harness = SessionHarness()
    await harness.join(head=1, messages=[message(1)])
    await harness.receive(message(5))
    await harness.platform.advance(0.3)
    for _ in range(20):
        await harness.receive(batch(5, [], ref=harness.sent("sync")[-1]["ref"], complete=False))
    assert len(harness.sent("sync")) == 1


async def test_a_head_that_was_wrong_is_corrected_by_the_next_answer() -> None:
    harness = SessionHarness()
    await harness.join(head=1, messages=[message(1)])
    await harness.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 9}]})
    await harness.platform.advance(0.3)
    await harness.receive(batch(1, [], ref=harness.sent("sync")[-1]["ref"]))
    await harness.platform.advance(2)
    assert len(harness.sent("sync")) == 1
    await harness.receive(message(2))
    assert len(harness.entries()) == 2


async def test_patience_without_end_is_not_had() -> None:
    harness = SessionHarness()
    await harness.join()
    await harness.send("hello")
    busy = {"type": "nack", "clientMessageId": "c1", "code": "busy", "message": "", "retryable": True}
    await harness.receive({**busy, "retryAfter": 1e9})
    for _ in range(round(MAX_PAUSE / 10)):
        await harness.receive({"type": "pong"})
        await harness.platform.advance(10)
    assert len(harness.sent("sendMessage")) == 2


async def test_unread_is_counted_after_a_backup_was_restored() -> None:
    harness = SessionHarness()
    await harness.join(head=100, messages=[message(seq) for seq in range(1, 101)])
    await enter(harness, "tea")
    harness.socket.drop()
    await harness.platform.advance(2)
    harness.socket.accept()
    await harness.platform.settle()
    older = [message(seq, epoch="f") for seq in range(1, 61)]
    await harness.receive(READY, batch(0, [], roomId="tea"), batch(60, older, epoch="f"))
    await harness.receive(message(61, epoch="f"), message(62, epoch="f"))
    assert harness.state.rooms[0].unread == 2


async def test_a_crowd_that_writes_is_named_only_in_part() -> None:
    harness = SessionHarness()
    await harness.join()
    for number in range(MAX_TYPING_USERS + 5):
        name = f"P{number}"
        await harness.receive({"type": "typing", "roomId": "general", "senderId": name, "senderName": name})
        await harness.receive({"type": "typing", "roomId": f"r{number}", "senderId": "x", "senderName": "x"})
    assert len(harness.state.typing) == MAX_TYPING_USERS


async def test_an_old_count_is_not_shown_after_returning_to_a_room() -> None:
    harness = SessionHarness()
    await harness.join()
    await enter(harness, "tea")
    await harness.receive({"type": "presence", "roomId": "tea", "count": 7, "joined": [], "left": []})
    assert harness.state.present == 7
    harness.session.leave_room("tea")
    harness.session.enter_room("tea")
    assert harness.state.present is None


async def test_a_refused_typing_notification_gives_no_notice() -> None:
    harness = SessionHarness()
    await harness.join()
    await harness.receive({"type": "error", "code": "not_in_room", "message": "roomId: ...", "roomId": "tea"})
    assert harness.state.notice is None


# --- the article's server ---


async def article_page(browser: Browser) -> SessionHarness:
    harness = SessionHarness(browser, wire=ARTICLE)
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.socket.accept()
    await harness.platform.settle()
    return harness


async def test_where_nothing_is_acknowledged_a_crash_sends_nothing_twice() -> None:
    harness = await article_page(Browser())
    await harness.send("hello")
    assert len(harness.sent("sendMessage")) == 1
    harness.crash()
    again = await article_page(harness.browser)
    assert again.sent("sendMessage") == []
    assert again.state.timeline.failed[0].failure == Failure("unconfirmed")


async def test_an_echo_without_a_room_matches_the_pending_message() -> None:
    harness = await article_page(Browser())
    await harness.send("hello")
    harness.session.enter_room("tea")
    echo = {"messageId": "m1", "senderId": "id-of-Mika", "content": "hello", "timestamp": 1_800_000_000_000}
    await harness.receive(echo)
    assert harness.entries() == []
    harness.session.enter_room("general")
    assert harness.entries() == [("hello", Delivery.SENT)]


# --- what stands between page and server ---

FIREWALL: Answer = (403, None, None)
BANNED: Answer = (403, {"code": "forbidden", "field": None, "message": "no", "reason": "banned"}, None)
REFUSED: Answer = (403, {"code": "forbidden_origin", "field": None, "message": "no"}, None)


async def test_a_firewalls_403_now_and_then_is_a_failed_attempt() -> None:
    harness = SessionHarness()
    await harness.join()
    harness.ticket_answer = FIREWALL
    harness.socket.drop()
    await harness.platform.advance(2)
    assert (harness.state.connection.status, harness.state.reason) == (
        Status.WAITING,
        "intercepted",
    )
    harness.ticket_answer = None
    await harness.platform.advance(4)
    await harness.open_link()
    assert (harness.state.connection.status, harness.state.reason) == (Status.CONNECTED, None)


async def test_a_server_that_lets_no_page_of_this_origin_in_says_so() -> None:
    harness = SessionHarness()
    harness.ticket_answer = REFUSED
    harness.session.join("Mika")
    await harness.platform.settle()
    assert (harness.state.connection.status, harness.state.reason) == (
        Status.REJECTED,
        "forbidden_origin",
    )


async def test_a_banned_person_gets_the_reason_and_no_further_attempt() -> None:
    harness = SessionHarness()
    await harness.join()
    tickets = harness.tickets_asked
    harness.ticket_answer = BANNED
    await harness.receive({"type": "bye", "reason": "unknown_connection", "reconnect": True})
    harness.socket.drop()
    await harness.platform.advance(10)
    assert (harness.state.connection.status, harness.state.reason) == (Status.REJECTED, "banned")
    assert harness.tickets_asked == tickets + 1
    await harness.platform.advance(3600)
    assert harness.state.connection.status is Status.REJECTED
    assert harness.tickets_asked == tickets + 1


async def test_a_busy_ticket_endpoint_is_asked_again_when_it_said() -> None:
    harness = SessionHarness()
    harness.ticket_answer = (503, None, 20.0)
    harness.session.join("Mika")
    await harness.platform.settle()
    assert (harness.state.connection.status, harness.state.reason) == (Status.WAITING, "busy")
    assert harness.state.connection.retry_at is not None
    assert harness.state.connection.retry_at - harness.platform.now().monotonic >= 20
