"""What goes wrong at the worst moment: storage that answers late, a room that cannot be served, a server that errs."""

from __future__ import annotations

import asyncio

from chat.admission import Answer
from chat.presence import MAX_TYPING_USERS
from chat.requests import MAX_TRIES, REQUEST_TIMEOUT
from chat.sending import ADOPT_INTERVAL, MAX_PAUSE
from chat.session import RESTORE_TIMEOUT
from chat.store import NoticeKind
from chat.timeline import Delivery, Failure
from kizuna.core.states import Status
from kizuna.options import Options
from kizuna.wire import ARTICLE
from tests.chat.stage import Browser, Stage, ack, batch, message
from tests.chat.test_session_rooms import enter

READY = {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1}


async def in_two_rooms_after_a_drop() -> Stage:
    """The new link is open, and hello is said for general and tea."""
    stage = Stage()
    await stage.join()
    await enter(stage, "tea")
    stage.socket.drop()
    await stage.platform.advance(2)
    stage.socket.accept()
    await stage.platform.settle()
    await stage.receive(READY)
    return stage


# --- storage that answers late, or lost what it had ---


async def test_words_said_while_storage_was_silent_are_nobody_elses() -> None:
    for comes_next in (None, "Ren"):
        stage = Stage()
        stage.browser.storage.is_stuck = True
        stage.session.join("Mika")
        await stage.platform.settle()
        saying = asyncio.create_task(stage.session.send_message("I am Mika"))
        await stage.platform.settle()
        stage.session.leave()
        if comes_next:
            stage.session.join(comes_next)
        stage.browser.storage.release()
        await stage.platform.settle()
        assert not await saying
        assert stage.browser.rows("outbox") == {}
        stage.session.leave()


async def test_a_storage_that_never_answers_keeps_nobody_from_connecting() -> None:
    stage = Stage()
    stage.browser.storage.is_stuck = True
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.advance(RESTORE_TIMEOUT)
    await stage.receive(READY, batch(1, [message(1)]))
    assert stage.state.is_connected
    assert stage.entries() == [("words 1", Delivery.RECEIVED)]


async def test_a_shown_message_is_sent_after_its_storage_was_cleared() -> None:
    stage = Stage()
    await stage.join()
    stage.socket.drop()
    await stage.say("hello")
    stage.browser.storage.tables.clear()
    await stage.platform.advance(2)
    await stage.open_link()
    assert stage.entries() == [("hello", Delivery.SENDING)]
    assert len(stage.browser.rows("outbox")) == 1


async def test_a_failed_deletion_at_sign_out_is_repeated_at_start() -> None:
    stage = Stage()
    await stage.join(head=1, messages=[message(1)])
    await stage.platform.advance(1.1)
    stage.browser.storage.is_broken = True
    stage.session.leave()
    await stage.platform.settle()
    stage.browser.storage.is_broken = False
    assert stage.browser.rows("rooms") != {}
    again = stage.reloaded()
    again.session.start()
    await again.platform.settle()
    assert again.browser.rows("rooms") == {}


async def test_a_row_left_after_its_ack_is_one_message_without_user_id() -> None:
    stage = Stage()
    await stage.join()
    await stage.say("hello")
    rows = dict(stage.browser.rows("outbox"))
    await stage.receive(ack("c1", 1))
    await stage.platform.advance(1.1)
    stage.browser.rows("outbox").update(rows)
    for key in [key for key in stage.settings if key.startswith("kizuna.user.")]:
        del stage.settings[key]
    again = stage.reloaded()
    again.session.start()
    await again.open_link(head=1)
    await again.receive(ack("c1", 1, duplicate=True))
    assert len(again.entries()) == 1


async def test_nothing_is_written_anew_by_an_empty_catching_up() -> None:
    stage = Stage()
    await stage.join(head=1, messages=[message(1)])
    await stage.platform.advance(2)
    written: list[str] = []
    write = stage.browser.storage.write

    async def noted(table: str, *args: object) -> None:
        written.append(table)
        await write(table, *args)  # type: ignore[arg-type]

    stage.browser.storage.write = noted  # type: ignore[method-assign, assignment]
    stage.socket.drop()
    await stage.platform.advance(2)
    await stage.open_link(head=1)
    await stage.platform.advance(2)
    assert written == []


# --- several tabs, several people, clocks ---


async def test_two_people_in_two_tabs_of_one_browser_stay_who_they_are() -> None:
    browser = Browser()
    mika, ren = Stage(browser), Stage(browser)
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
    stage = Stage()
    await stage.join()
    stage.socket.drop()
    await stage.say("one")
    stage.platform.clock.sleep(-3600)
    await stage.say("two")
    again = stage.reloaded()
    again.session.start()
    await again.platform.settle()
    assert [content for content, _ in again.entries()] == ["one", "two"]


async def test_deleting_where_another_tab_has_taken_over_deletes_it_there() -> None:
    browser = Browser()
    first, second = Stage(browser), Stage(browser)
    await first.join()
    await second.join()
    first.socket.drop()
    second.socket.drop()
    await first.say("better not")
    first.locks.end()
    await second.platform.advance(ADOPT_INTERVAL + 0.1)
    first.session.discard("c1")
    await first.platform.settle()
    assert browser.rows("outbox") == {}


async def test_what_another_tab_took_and_deleted_does_not_come_back_as_failed() -> None:
    browser = Browser()
    first, second = Stage(browser), Stage(browser)
    await first.join()
    await second.join()
    first.socket.drop()
    second.socket.drop()
    await first.say("better not")
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
    stage = await in_two_rooms_after_a_drop()
    await stage.receive(
        batch(0, []), {"type": "error", "code": "internal", "message": "tea: not now", "roomId": "tea"}
    )
    assert stage.state.is_connected
    assert not stage.state.caught_up
    heads = [{"roomId": room_id, "epoch": "e", "seq": 0} for room_id in ("general", "tea")]
    await stage.receive({"type": "pong", "heads": heads})
    question = stage.sent("join")[-1]
    await stage.receive(batch(0, [], roomId="tea", ref=question["ref"]))
    assert stage.state.caught_up


async def test_one_unanswered_room_delays_the_others_only_briefly() -> None:
    stage = await in_two_rooms_after_a_drop()
    await stage.receive(batch(0, []))
    await stage.platform.advance(REQUEST_TIMEOUT * (MAX_TRIES + 1))
    assert stage.state.is_connected


async def test_answers_of_a_link_that_broke_do_not_count_on_the_next() -> None:
    stage = await in_two_rooms_after_a_drop()
    await stage.receive(batch(0, []))
    stage.socket.drop()
    await stage.platform.advance(5)
    stage.socket.accept()
    await stage.platform.settle()
    await stage.receive(READY, batch(0, [], roomId="tea"))
    assert not stage.state.is_connected
    await stage.receive(batch(0, []))
    assert stage.state.is_connected


async def test_a_link_on_which_no_room_is_served_is_given_up() -> None:
    stage = Stage()
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.settle()
    await stage.receive(
        READY, {"type": "error", "code": "internal", "message": "not now", "roomId": "general"}
    )
    assert stage.state.connection.status is Status.WAITING
    await stage.platform.advance(2)
    await stage.open_link()
    assert stage.state.is_connected


async def test_leaving_a_room_while_it_catches_up_is_waited_for_by_nobody() -> None:
    stage = await in_two_rooms_after_a_drop()
    await stage.receive(batch(0, []))
    stage.session.leave_room("tea")
    await stage.platform.settle()
    assert stage.state.is_connected
    assert [frame["roomId"] for frame in stage.sent("leave")] == ["tea"]


async def test_a_refused_join_is_repeated_after_the_next_pong() -> None:
    stage = Stage()
    await stage.join()
    stage.session.enter_room("tea")
    question = stage.sent("join")[-1]
    await stage.receive(
        {"type": "error", "code": "too_many_rooms", "message": "", "ref": question["ref"], "roomId": "tea"},
        {"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 0}]},
    )
    assert [frame["roomId"] for frame in stage.sent("join")] == ["tea", "tea"]


async def test_a_room_that_was_closed_and_opened_again_is_caught_up() -> None:
    stage = Stage()
    await stage.join()
    stage.session.enter_room("secret")
    question = stage.sent("join")[-1]
    await stage.receive({"type": "error", "code": "forbidden", "message": "no", "ref": question["ref"]})
    stage.session.notify_typing()
    assert stage.sent("typing") == []
    stage.session.leave_room("secret")
    await enter(stage, "secret")
    assert stage.state.caught_up


async def test_a_message_that_fails_in_a_room_that_was_left_is_told() -> None:
    stage = Stage()
    await stage.join()
    await enter(stage, "tea")
    await stage.say("later")
    stage.session.leave_room("tea")
    await stage.receive({"type": "nack", "clientMessageId": "c1", "code": "forbidden", "message": "not you"})
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.FAILED_UNSEEN
    stage.session.enter_room("tea")
    assert stage.state.timeline.failed[0].failure == Failure("forbidden", "not you")


# --- a server that errs ---


async def test_a_history_that_brings_nothing_is_not_asked_again_and_again() -> None:
    stage = Stage()
    await stage.join(head=10, messages=[message(10)])
    for _ in range(20):
        await stage.receive(batch(10, [], ref=stage.sent("history")[-1]["ref"]))
    assert len(stage.sent("history")) == 1


async def loading_earlier() -> Stage:
    """The question for the messages before 21 is asked."""
    stage = Stage()
    await stage.join(head=60, messages=[message(seq) for seq in range(21, 61)])
    stage.session.load_earlier()
    assert stage.state.loading_earlier
    return stage


async def test_a_history_that_is_refused_can_be_asked_for_again() -> None:
    stage = await loading_earlier()
    ref = stage.sent("history")[0]["ref"]
    await stage.receive({"type": "error", "code": "internal", "message": "not now", "ref": ref})
    assert not stage.state.loading_earlier
    assert stage.state.caught_up
    stage.session.load_earlier()
    assert [frame["before"] for frame in stage.sent("history")] == [21, 21]


async def test_a_history_without_an_answer_leaves_the_room_caught_up() -> None:
    stage = await loading_earlier()
    for _ in range(MAX_TRIES):
        await stage.receive({"type": "pong"})
        await stage.platform.advance(REQUEST_TIMEOUT)
    assert len(stage.sent("history")) == MAX_TRIES
    assert not stage.state.loading_earlier
    assert stage.state.caught_up


async def test_a_sync_that_brings_nothing_is_not_asked_again_at_once() -> None:
    stage = Stage()
    await stage.join(head=1, messages=[message(1)])
    await stage.receive(message(5))
    await stage.platform.advance(0.3)
    for _ in range(20):
        await stage.receive(batch(5, [], ref=stage.sent("sync")[-1]["ref"], complete=False))
    assert len(stage.sent("sync")) == 1


async def test_a_head_that_was_wrong_is_corrected_by_the_next_answer() -> None:
    stage = Stage()
    await stage.join(head=1, messages=[message(1)])
    await stage.receive({"type": "pong", "heads": [{"roomId": "general", "epoch": "e", "seq": 9}]})
    await stage.platform.advance(0.3)
    await stage.receive(batch(1, [], ref=stage.sent("sync")[-1]["ref"]))
    await stage.platform.advance(2)
    assert len(stage.sent("sync")) == 1
    await stage.receive(message(2))
    assert len(stage.entries()) == 2


async def test_patience_without_end_is_not_had() -> None:
    stage = Stage()
    await stage.join()
    await stage.say("hello")
    busy = {"type": "nack", "clientMessageId": "c1", "code": "busy", "message": "", "retryable": True}
    await stage.receive({**busy, "retryAfter": 1e9})
    for _ in range(round(MAX_PAUSE / 10)):
        await stage.receive({"type": "pong"})
        await stage.platform.advance(10)
    assert len(stage.sent("sendMessage")) == 2


async def test_unread_is_counted_after_a_backup_was_restored() -> None:
    stage = Stage()
    await stage.join(head=100, messages=[message(seq) for seq in range(1, 101)])
    await enter(stage, "tea")
    stage.socket.drop()
    await stage.platform.advance(2)
    stage.socket.accept()
    await stage.platform.settle()
    older = [message(seq, epoch="f") for seq in range(1, 61)]
    await stage.receive(READY, batch(0, [], roomId="tea"), batch(60, older, epoch="f"))
    await stage.receive(message(61, epoch="f"), message(62, epoch="f"))
    assert stage.state.rooms[0].unread == 2


async def test_a_crowd_that_writes_is_named_only_in_part() -> None:
    stage = Stage()
    await stage.join()
    for number in range(MAX_TYPING_USERS + 5):
        name = f"P{number}"
        await stage.receive({"type": "typing", "roomId": "general", "senderId": name, "senderName": name})
        await stage.receive({"type": "typing", "roomId": f"r{number}", "senderId": "x", "senderName": "x"})
    assert len(stage.state.typing) == MAX_TYPING_USERS


async def test_an_old_count_is_not_shown_after_returning_to_a_room() -> None:
    stage = Stage()
    await stage.join()
    await enter(stage, "tea")
    await stage.receive({"type": "presence", "roomId": "tea", "count": 7, "joined": [], "left": []})
    assert stage.state.present == 7
    stage.session.leave_room("tea")
    stage.session.enter_room("tea")
    assert stage.state.present is None


async def test_a_refused_typing_notification_gives_no_notice() -> None:
    stage = Stage()
    await stage.join()
    await stage.receive({"type": "error", "code": "not_in_room", "message": "roomId: ...", "roomId": "tea"})
    assert stage.state.notice is None


# --- the article's server ---


async def article_page(browser: Browser) -> Stage:
    stage = Stage(browser, options=Options(wire=ARTICLE))
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.socket.accept()
    await stage.platform.settle()
    return stage


async def test_where_nothing_is_acknowledged_a_crash_sends_nothing_twice() -> None:
    stage = await article_page(Browser())
    await stage.say("hello")
    assert len(stage.sent("sendMessage")) == 1
    stage.crash()
    again = await article_page(stage.browser)
    assert again.sent("sendMessage") == []
    assert again.state.timeline.failed[0].failure == Failure("unconfirmed")


async def test_an_echo_without_a_room_matches_the_pending_message() -> None:
    stage = await article_page(Browser())
    await stage.say("hello")
    stage.session.enter_room("tea")
    echo = {"messageId": "m1", "senderId": "id-of-Mika", "content": "hello", "timestamp": 1_800_000_000_000}
    await stage.receive(echo)
    assert stage.entries() == []
    stage.session.enter_room("general")
    assert stage.entries() == [("hello", Delivery.SENT)]


# --- what stands between page and server ---

FIREWALL: Answer = (403, None, None)
BANNED: Answer = (403, {"code": "forbidden", "field": None, "message": "no", "reason": "banned"}, None)
REFUSED: Answer = (403, {"code": "forbidden_origin", "field": None, "message": "no"}, None)


async def test_a_firewalls_403_now_and_then_is_a_failed_attempt() -> None:
    stage = Stage()
    await stage.join()
    stage.ticket_answer = FIREWALL
    stage.socket.drop()
    await stage.platform.advance(2)
    assert (stage.state.connection.status, stage.state.connection.reason) == (Status.WAITING, "intercepted")
    stage.ticket_answer = None
    await stage.platform.advance(4)
    await stage.open_link()
    assert (stage.state.connection.status, stage.state.connection.reason) == (Status.CONNECTED, None)


async def test_a_server_that_lets_no_page_of_this_origin_in_says_so() -> None:
    stage = Stage()
    stage.ticket_answer = REFUSED
    stage.session.join("Mika")
    await stage.platform.settle()
    assert (stage.state.connection.status, stage.state.connection.reason) == (
        Status.REJECTED,
        "forbidden_origin",
    )


async def test_a_banned_person_gets_the_reason_and_no_further_attempt() -> None:
    stage = Stage()
    await stage.join()
    tickets = stage.tickets_asked
    stage.ticket_answer = BANNED
    await stage.receive({"type": "bye", "reason": "unknown_connection", "reconnect": True})
    stage.socket.drop()
    await stage.platform.advance(10)
    assert (stage.state.connection.status, stage.state.connection.reason) == (Status.REJECTED, "banned")
    assert stage.tickets_asked == tickets + 1
    await stage.platform.advance(3600)
    assert stage.state.connection.status is Status.REJECTED
    assert stage.tickets_asked == tickets + 1


async def test_a_busy_ticket_endpoint_is_asked_again_when_it_said() -> None:
    stage = Stage()
    stage.ticket_answer = (503, None, 20.0)
    stage.session.join("Mika")
    await stage.platform.settle()
    assert (stage.state.connection.status, stage.state.connection.reason) == (Status.WAITING, "busy")
    assert stage.state.connection.retry_at is not None
    assert stage.state.connection.retry_at - stage.platform.now().monotonic >= 20
