"""A room turns frames into its timeline: each message once, in order, without gaps."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, strategies as st

from chat.protocol import EMPTY_EPOCH, Ack, Batch, Message, RoomHead
from chat.timeline import Delivery
from kizuna.delivery.reader import Asked
from tests.chat.fed_room import FedRoom as Room


def message(seq: int, epoch: str = "e", **parts: object) -> Message:
    fields: dict[str, object] = {
        "room_id": "general",
        "message_id": f"{epoch}-{seq}",
        "sender_id": "her",
        "sender_name": "Mika",
        "content": f"words {seq}",
        "timestamp": seq,
        "epoch": epoch,
        "seq": seq,
        "client_message_id": f"{epoch}-c{seq}",
    }
    return Message(**{**fields, **parts})  # type: ignore[arg-type]


def page(first: int, last: int, *, head: int | None = None, epoch: str = "e", limited: bool = False) -> Batch:
    messages = tuple(message(seq, epoch) for seq in range(first, last + 1))
    head = last if head is None else head
    return Batch(
        room_id="general",
        epoch=epoch,
        messages=messages,
        next=last,
        head=head,
        complete=last == head,
        limited=limited,
    )


def shown(room: Room) -> list[int | None]:
    return [entry.seq for entry in room.log.publish().entries]


def room_at(first: int, last: int) -> Room:
    room = Room("general", "me")
    room.apply_batch(page(first, last))
    return room


def test_a_new_room_asks_for_the_newest_page() -> None:
    assert Room("general", None).position().after is None


def test_a_room_that_has_come_somewhere_asks_from_there() -> None:
    position = room_at(5, 9).position()
    assert (position.after, position.epoch) == (9, "e")


def test_an_empty_room_begins_at_its_beginning() -> None:
    room = Room("general", "me")
    room.apply_batch(Batch(room_id="general", epoch="e", head=0, complete=True))
    room.receive(message(1))
    assert shown(room) == [1]


def test_a_broadcast_before_the_first_page_comes_with_the_page() -> None:
    room = Room("general", "me")
    room.receive(message(3))
    assert shown(room) == []
    room.apply_batch(page(1, 3))
    assert shown(room) == [1, 2, 3]


def test_an_incomplete_batch_leaves_something_to_ask_for() -> None:
    room = Room("general", "me")
    room.apply_batch(page(1, 3, head=5))
    assert room.needs_sync
    room.apply_batch(page(4, 5))
    assert not room.needs_sync
    assert shown(room) == [1, 2, 3, 4, 5]


def test_a_broadcast_of_another_epoch_asks_for_the_newest_page() -> None:
    room = room_at(1, 3)
    room.receive(message(1, epoch="restored"))
    assert room.needs_sync
    assert room.position().after is None
    assert room.apply_batch(page(1, 1, epoch="restored"))
    assert [entry.message_id for entry in room.log.publish().entries] == ["restored-1"]
    assert not room.needs_sync


def test_an_older_backup_keeps_pending_messages() -> None:
    room = room_at(1, 3)
    room.log.add_own("c9", "mine", "Me", 5)
    room.apply_batch(page(1, 1, epoch="restored"))
    assert [entry.content for entry in room.log.publish().entries] == ["words 1", "mine"]


def test_a_head_of_another_epoch_is_noticed_even_when_nothing_is_said() -> None:
    room = room_at(1, 3)
    room.raise_head(RoomHead(room_id="general", epoch="restored", seq=1))
    assert room.needs_sync


def empty_room(me: str = "me") -> Room:
    """One that nobody had written into when the page asked."""
    room = Room("general", me)
    room.apply_batch(nothing())
    return room


def nothing() -> Batch:
    return Batch(room_id="general", epoch=EMPTY_EPOCH, head=0, complete=True)


def asked_from(after: int | None, epoch: str | None) -> Asked:
    return Asked(after, epoch)


def test_an_empty_room_takes_the_epoch_of_its_first_message() -> None:
    room = empty_room()
    room.receive(message(1))
    assert (shown(room), room.epoch, room.needs_sync) == ([1], "e", False)


def test_ones_own_first_words_in_an_empty_room_take_their_place() -> None:
    room = empty_room()
    room.log.add_own("c9", "mine", "Me", 5)
    room.apply_ack(acknowledged(1))
    assert (shown(room), room.epoch, room.needs_sync) == ([1], "e", False)


def test_a_later_message_of_an_empty_room_requests_the_earlier_ones() -> None:
    room = empty_room()
    room.receive(message(2))
    assert (shown(room), room.needs_sync) == ([], True)
    assert (room.position().after, room.position().epoch) == (0, "e")
    assert not room.apply_batch(page(1, 2), asked_from(0, "e"))
    assert shown(room) == [1, 2]


def test_a_head_of_an_empty_room_requests_its_messages() -> None:
    room = empty_room()
    room.raise_head(RoomHead(room_id="general", epoch="e", seq=3))
    assert room.needs_sync
    assert (room.position().after, room.position().epoch) == (0, "e")


def test_what_was_said_in_an_empty_room_meanwhile_is_no_restored_history() -> None:
    room = empty_room()
    room.log.add_own("c9", "mine", "Me", 5)
    assert not room.apply_batch(page(1, 3), asked_from(0, EMPTY_EPOCH))
    assert [entry.content for entry in room.log.publish().entries] == [
        "words 1",
        "words 2",
        "words 3",
        "mine",
    ]
    assert not room.needs_sync


def test_a_late_word_that_the_room_is_empty_drops_nothing() -> None:
    for asked in (None, asked_from(None, None), asked_from(0, EMPTY_EPOCH)):
        room = empty_room()
        room.receive(message(1))
        assert not room.apply_batch(nothing(), asked)
        room.raise_head(RoomHead(room_id="general", epoch=EMPTY_EPOCH, seq=0))
        assert (shown(room), room.epoch, room.needs_sync) == ([1], "e", False)


def test_a_backup_without_messages_drops_those_shown() -> None:
    room = room_at(1, 5)
    assert room.apply_batch(nothing(), asked_from(5, "e"))
    assert (shown(room), room.position().after, room.position().epoch) == ([], 0, EMPTY_EPOCH)
    room.receive(message(1, epoch="another"))
    assert [entry.message_id for entry in room.log.publish().entries] == ["another-1"]


def test_a_lost_history_found_while_awaiting_a_page_is_empty() -> None:
    room = room_at(1, 5)
    room.receive(message(1, epoch="another"))
    assert room.apply_batch(nothing(), asked_from(None, None))
    assert (shown(room), room.epoch) == ([], EMPTY_EPOCH)


def test_a_late_frame_of_a_lost_epoch_leaves_a_room_empty() -> None:
    room = empty_room()
    room.receive(message(5, epoch="dead"))
    assert room.needs_sync
    assert not room.apply_batch(nothing(), asked_from(0, "dead"))
    assert (shown(room), room.epoch, room.needs_sync) == ([], EMPTY_EPOCH, False)


def test_replacing_an_empty_history_gives_no_notice() -> None:
    room = Room("general", "me")
    room.apply_batch(Batch(room_id="general", epoch="of old", head=0, complete=True))
    room.log.add_own("c9", "mine", "Me", 5)
    assert not room.apply_batch(page(1, 2), asked_from(0, "of old"))
    assert shown(room) == [1, 2, None]


def acknowledged(seq: int, epoch: str = "e") -> Ack:
    return Ack(client_message_id="c9", room_id="general", epoch=epoch, message_id="m", seq=seq, timestamp=1)


def test_an_ack_of_another_epoch_places_nothing_and_asks_for_a_page() -> None:
    room = room_at(1, 3)
    room.log.add_own("c9", "mine", "Me", 5)
    room.apply_ack(acknowledged(4, epoch="restored"))
    assert shown(room) == [1, 2, 3, None]
    assert room.needs_sync


def test_an_own_message_acknowledged_within_what_is_shown_takes_its_place() -> None:
    room = room_at(4, 6)
    room.apply_history(
        Batch(room_id="general", epoch="e", messages=(message(1), message(3)), head=6, complete=True), 4
    )
    room.log.add_own("c9", "mine", "Me", 5)
    room.apply_ack(acknowledged(2))
    assert shown(room) == [1, 2, 3, 4, 5, 6]
    assert room.log.publish().entries[1].content == "mine"


def test_what_an_earlier_page_kept_replaces_nothing_newer() -> None:
    room = room_at(1, 3)
    room.restore("older", [message(1, epoch="older")], seen=1)
    assert shown(room) == [1, 2, 3]
    assert (room.epoch, room.watermark) == ("e", 3)


def test_an_acknowledged_message_outside_the_shown_part_is_discarded() -> None:
    room = room_at(100, 110)
    room.log.add_own("c9", "mine", "Me", 5)
    room.apply_ack(
        Ack(
            client_message_id="c9",
            room_id="general",
            epoch="e",
            message_id="m",
            seq=50,
            timestamp=1,
            duplicate=True,
        )
    )
    assert shown(room) == list(range(100, 111))


def test_history_goes_before_what_is_shown() -> None:
    room = room_at(5, 9)
    assert room.has_earlier
    room.apply_history(page(1, 4, head=9), 5)
    assert shown(room) == list(range(1, 10))
    assert not room.has_earlier


def test_history_of_another_epoch_is_not_mixed_in() -> None:
    room = room_at(5, 9)
    room.apply_history(page(1, 4, head=9, epoch="restored"), 5)
    assert shown(room) == [5, 6, 7, 8, 9]


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8), max_size=12))
def test_frames_in_any_order_and_number_show_once_in_order(order: list[int], repeats: list[int]) -> None:
    room = Room("general", "me")
    room.apply_batch(Batch(room_id="general", epoch="e", head=0, complete=True))
    for seq in [*order, *repeats]:
        room.receive(message(seq))
        assert shown(room) == sorted(shown(room), key=lambda number: number or 0)
    assert shown(room) == list(range(1, 9))
    assert not room.needs_sync


def test_a_deleted_message_keeps_its_place_and_shows_nobodys_words() -> None:
    room = room_at(1, 3)
    room.receive(message(4, sender_id="[deleted]", content="[deleted]", deleted=True))
    assert [entry.deleted for entry in room.log.publish().entries] == [False, False, False, True]


def test_an_own_message_deleted_before_its_ack_is_discarded() -> None:
    room = room_at(1, 3)
    room.log.add_own("c9", "mine", "Me", 5)
    room.apply_ack(replace(acknowledged(4), duplicate=True, deleted=True))
    assert shown(room) == [1, 2, 3]
    assert room.needs_sync
    room.apply_batch(page(4, 4), asked_from(3, "e"))
    assert (shown(room), room.needs_sync) == ([1, 2, 3, 4], False)


def all_gone(head: int, up_to: int) -> Batch:
    return Batch(room_id="general", epoch="e", head=head, next=up_to, complete=True, limited=True)


def test_a_gap_that_has_expired_is_left_behind_with_all_before_it() -> None:
    room = room_at(85, 90)
    room.log.add_own("mine", "waits", "Me", 5)
    room.raise_head(RoomHead(room_id="general", epoch="e", seq=9000))
    assert not room.apply_batch(all_gone(90, 9000), asked_from(90, "e"))
    assert (shown(room), room.watermark, room.needs_sync) == ([None], 9000, False)
    room.raise_head(RoomHead(room_id="general", epoch="e", seq=9000))
    assert not room.needs_sync
    room.apply_history(Batch(room_id="general", epoch="e", head=9000, complete=True), 9001)
    assert not room.has_earlier
    room.receive(message(9001))
    assert shown(room) == [9001, None]


def test_a_late_word_that_a_gap_has_expired_drops_nothing() -> None:
    room = room_at(85, 90)
    assert not room.apply_batch(all_gone(80, 89), asked_from(80, "e"))
    assert shown(room) == [85, 86, 87, 88, 89, 90]


def test_expired_history_has_nothing_earlier_when_the_server_says_so() -> None:
    room = room_at(9000, 9005)
    assert room.has_earlier
    room.apply_history(Batch(room_id="general", epoch="e", head=9005, complete=True), 9000)
    assert not room.has_earlier


def test_a_limited_answer_that_comes_late_drops_nothing() -> None:
    room = room_at(1, 3)
    assert not room.apply_batch(page(3, 3, limited=True))
    assert shown(room) == [1, 2, 3]


def test_a_late_history_answer_after_a_new_page_is_dropped() -> None:
    """It is not adjacent to the new page, and would hide a gap."""
    room = room_at(1, 2)
    room.apply_batch(page(900, 900, limited=True))
    room.apply_history(page(1, 2, head=900), 3)
    assert shown(room) == [900]
    room.apply_history(page(898, 899, head=900), 900)
    assert shown(room) == [898, 899, 900]


def test_an_acknowledged_message_before_a_new_page_is_discarded() -> None:
    room = room_at(1, 2)
    room.log.add_own("mine", "hello", "Me", 5)
    room.log.mark("mine", Delivery.SENT)
    room.log.add_own("later", "and this", "Me", 6)
    room.apply_batch(page(900, 900, limited=True))
    assert [entry.content for entry in room.log.publish().entries] == ["words 900", "and this"]
