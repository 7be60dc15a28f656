"""What was missed: the first message that was unread, times without a connection, and how much their ends brought."""

from __future__ import annotations

from chat.cache import SAVE_DELAY
from chat.room import MAX_GAPS
from chat.timeline import Gap
from tests.chat.session_harness import SessionHarness, batch, message
from tests.chat.test_session_rooms import enter


async def lose(harness: SessionHarness, seconds: float = 10.0) -> None:
    """Lose the connection for some seconds, in which nothing is tried."""
    harness.socket.drop()
    await harness.platform.settle()
    harness.platform.clock.sleep(seconds)


async def come_back(harness: SessionHarness, head: int, *seqs: int, **parts: object) -> None:
    harness.session.try_now()
    await harness.open_link(head=head, messages=[message(seq) for seq in seqs], **parts)


def gaps(harness: SessionHarness) -> list[tuple[str, float | None]]:
    """Return the last message before each gap, and its seconds."""
    return [
        (gap.after, None if gap.until is None else (gap.until - gap.since) // 1000)
        for gap in harness.state.gaps
    ]


async def test_a_room_entered_with_unread_messages_names_the_first(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea")
    await harness.receive(message(2), message(3))
    harness.session.enter_room("general")
    assert (harness.state.unread_from, harness.state.unread) == ("id-of-Ren/his-2", 0)
    await harness.receive(message(4))
    assert harness.state.unread_from == "id-of-Ren/his-2"
    harness.session.enter_room("tea")
    assert harness.state.unread_from is None
    harness.session.enter_room("general")
    assert harness.state.unread_from is None


async def test_a_page_that_reopens_names_the_first_that_came_since(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await harness.platform.advance(SAVE_DELAY)
    again = harness.reloaded()
    again.session.start()
    await again.open_link(head=3, messages=[message(2), message(3)])
    assert (again.state.unread_from, again.state.unread) == ("id-of-Ren/his-2", 0)
    await again.receive(message(4))
    assert again.state.unread_from == "id-of-Ren/his-2"
    again.session.leave()


async def test_the_first_visit_has_nothing_unread(harness: SessionHarness) -> None:
    await harness.join(head=2, messages=[message(1), message(2)])
    await harness.receive(message(3))
    assert harness.state.unread_from is None


async def test_a_loss_of_the_connection_is_remembered_where_it_fell(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await lose(harness)
    assert (gaps(harness), harness.state.losses) == ([("id-of-Ren/his-1", None)], 1)
    await come_back(harness, 3, 2, 3)
    assert gaps(harness) == [("id-of-Ren/his-1", 10)]
    await lose(harness, 20)
    await come_back(harness, 3)
    assert gaps(harness) == [("id-of-Ren/his-1", 10), ("id-of-Ren/his-3", 20)]
    assert [gap.number for gap in harness.state.gaps] == [1, 2]


async def test_of_two_losses_without_a_message_between_the_last_counts(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    for seconds in (10, 20):
        await lose(harness, seconds)
        await come_back(harness, 1)
    assert gaps(harness) == [("id-of-Ren/his-1", 20)]


async def test_a_room_without_messages_has_no_place_for_a_gap(harness: SessionHarness) -> None:
    await harness.join()
    await lose(harness)
    await come_back(harness, 1, 1)
    assert gaps(harness) == []


async def test_a_room_remembers_a_number_of_gaps(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    for seq in range(2, MAX_GAPS + 4):
        await lose(harness)
        await come_back(harness, seq, seq)
    assert len(harness.state.gaps) == MAX_GAPS
    assert isinstance(harness.state.gaps[-1], Gap)


async def test_what_the_end_of_an_outage_brings_is_counted_in_all_rooms(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await enter(harness, "tea")
    await harness.receive(batch(0, [], roomId="tea"))
    assert harness.state.received == 0
    await lose(harness)
    harness.session.try_now()
    mine = message(3, senderId="id-of-Mika", senderName="Mika")
    await harness.open_link(head=3, messages=[message(2), mine])
    await harness.receive(batch(1, [message(1, roomId="tea")], roomId="tea"))
    assert harness.state.received == 2


async def test_what_is_not_loaded_after_a_long_outage_is_counted_too(harness: SessionHarness) -> None:
    await harness.join(head=1, messages=[message(1)])
    await lose(harness)
    newest = [message(seq) for seq in range(701, 751)]
    harness.session.try_now()
    await harness.open_link(head=750, messages=newest, limited=True)
    assert harness.state.received == 749


async def test_the_window_moves_up_to_a_message_in_memory(harness: SessionHarness) -> None:
    await harness.join(head=300, messages=[message(seq) for seq in range(1, 301)])
    shown = harness.state.timeline.entries[0].seq
    assert shown is not None
    assert shown > 20
    harness.session.show_from("no such message")
    assert harness.state.timeline.entries[0].seq == shown
    harness.session.show_from("id-of-Ren/his-20")
    assert harness.state.timeline.entries[0].seq == 10
    assert harness.state.timeline.entries[-1].seq == 300
    harness.session.leave()
    harness.session.show_from("id-of-Ren/his-20")
