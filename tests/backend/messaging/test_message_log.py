"""The log of a room: dense, idempotent, read in pages."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.messaging.message_log import MAX_GAP, PAGE_MESSAGES, ReusedId, Rooms, Sender
from backend.store.base import Conflict
from backend.store.retry import Retry
from chat.protocol import EMPTY_EPOCH, MAX_FRAME_BYTES, MAX_INTEGER, RoomHead, SendMessage, encode
from tests.backend.fakes import START, Ids

ANN = Sender("ann", "Ann")
BOB = Sender("bob", "Bob")


@pytest.fixture
def rooms(store, clock, retry):
    return Rooms(store, clock=clock, new_id=Ids(), retry=retry)


def message(text="hi", client_message_id="c-1", room="general"):
    return SendMessage(client_message_id=client_message_id, room_id=room, content=text)


def fill(rooms, count, room="general", text="m{}", begin=1):
    for number in range(begin, begin + count):
        rooms.append(ANN, message(text.format(number), f"c-{number}", room))


def seqs(batch):
    return [item.seq for item in batch.messages]


# --- appending ---


def test_a_message_gets_the_next_seq_and_the_servers_time(rooms, clock):
    first = rooms.append(ANN, message("one", "c-1"))
    clock.advance(1.5)
    second = rooms.append(BOB, message("two", "c-2"))
    assert (first.ack.seq, second.ack.seq) == (1, 2)
    assert (first.ack.timestamp, second.ack.timestamp) == (START * 1000, START * 1000 + 1500)
    assert first.ack.epoch == second.ack.epoch
    assert not first.ack.duplicate
    heard = second.message
    assert (heard.sender_id, heard.sender_name, heard.content) == ("bob", "Bob", "two")
    assert (heard.seq, heard.message_id, heard.client_message_id) == (2, second.ack.message_id, "c-2")


def test_every_room_counts_for_itself(rooms):
    assert rooms.append(ANN, message(room="a")).ack.seq == 1
    assert rooms.append(ANN, message(room="b", client_message_id="c-2")).ack.seq == 1


def test_repeated_message_gets_its_first_ack_and_is_stored_once(rooms, clock):
    first = rooms.append(ANN, message())
    rooms.append(BOB, message("between"))
    clock.advance(100_000_000)
    again = rooms.append(ANN, message())
    assert again.message is None
    assert again.ack.duplicate
    assert (again.ack.seq, again.ack.message_id, again.ack.timestamp, again.ack.epoch) == (
        first.ack.seq,
        first.ack.message_id,
        first.ack.timestamp,
        first.ack.epoch,
    )
    assert seqs(rooms.read_after("general", 0, None)) == [1, 2]


@pytest.mark.parametrize("other", [message("other"), message(room="elsewhere")])
def test_a_client_id_that_stands_for_another_message_is_refused(rooms, other):
    rooms.append(ANN, message())
    with pytest.raises(ReusedId, match="clientMessageId: "):
        rooms.append(ANN, other)
    assert rooms.head("elsewhere").seq == 0


def test_two_people_may_use_the_same_client_id(rooms):
    assert rooms.append(ANN, message()).ack.seq == 1
    assert rooms.append(BOB, message()).ack.seq == 2


def test_the_same_words_twice_are_two_messages(rooms):
    assert rooms.append(ANN, message("ok", "c-1")).ack.seq == 1
    assert rooms.append(ANN, message("ok", "c-2")).ack.seq == 2


@pytest.mark.parametrize("processes", [1, 16])
def test_sixteen_threads_leave_a_dense_log_in_which_everything_is_once(store, clock, processes):
    ids = Ids()
    lives = [Rooms(store, clock=clock, new_id=ids, retry=Retry()) for _ in range(processes)]
    start = threading.Barrier(16)

    def send(thread):
        rooms = lives[thread % processes]
        start.wait()
        return [
            rooms.append(Sender(f"u{thread}", "U"), message(f"{thread}", f"c-{n}")).ack.seq for n in range(5)
        ]

    with ThreadPoolExecutor(16) as pool:
        taken = [seq for seqs_of_thread in pool.map(send, range(16)) for seq in seqs_of_thread]
    assert sorted(taken) == list(range(1, 81))
    assert seqs(lives[0].read_after("general", 0, None)) == list(range(1, 81))


def test_the_same_message_from_eight_threads_is_stored_once(store, clock):
    rooms = Rooms(store, clock=clock, new_id=Ids(), retry=Retry())
    start = threading.Barrier(8)

    def send(_):
        start.wait()
        return rooms.append(ANN, message()).ack

    with ThreadPoolExecutor(8) as pool:
        acks = list(pool.map(send, range(8)))
    assert {(ack.seq, ack.message_id) for ack in acks} == {(1, acks[0].message_id)}
    assert sorted(ack.duplicate for ack in acks) == [False] + [True] * 7


def test_a_head_whose_message_does_not_show_yet_is_not_told_of(store, clock, retry):
    """DynamoDB may show one half of a transaction. Who were told of seq 1 without it would never ask for it."""

    class ReadCommitted:
        hidden = True

        def __getattr__(self, name):
            return getattr(store, name)

        def query(self, pk, **bounds):
            return [] if self.hidden and pk.endswith("#LOG") else store.query(pk, **bounds)

    half = ReadCommitted()
    rooms = Rooms(half, clock=clock, new_id=Ids(), retry=retry)
    rooms.append(ANN, message())
    batch = rooms.read_after("general", None, None)
    assert (batch.messages, batch.head, batch.complete) == ((), 0, True)
    batch = rooms.read_after("general", 0, None)
    assert (batch.messages, batch.head, batch.complete) == ((), 1, False)
    half.hidden = False
    assert seqs(rooms.read_after("general", None, None)) == [1]


def test_busy_room_is_a_conflict_and_nothing_is_stored(store, clock, retry):
    class RivalStore:
        """Somebody else is always first."""

        def __getattr__(self, name):
            return getattr(store, name)

        def transact(self, actions):
            others = Rooms(store, clock=clock, new_id=Ids(), retry=retry)
            others.append(BOB, message("first", f"b-{others.head('general').seq}"))
            store.transact(actions)

    with pytest.raises(Conflict):
        Rooms(RivalStore(), clock=clock, new_id=Ids(), retry=retry).append(ANN, message())
    batch = Rooms(store, clock=clock, new_id=Ids()).read_after("general", 0, None)
    assert {item.sender_id for item in batch.messages} == {"bob"}


# --- heads ---


def test_asking_for_a_room_writes_nothing(rooms, store, clock):
    class ReadOnly:
        def __getattr__(self, name):
            assert name in ("get", "get_many", "query")
            return getattr(store, name)

    asking = Rooms(ReadOnly(), clock=clock, new_id=Ids())
    assert asking.head("new") == RoomHead(room_id="new", epoch=EMPTY_EPOCH, seq=0)
    assert asking.read_after("new", None, None).epoch == EMPTY_EPOCH
    assert asking.read_after("new", 5, "a history that is no more").head == 0
    assert asking.read_before("new", 5, 10).complete
    assert asking.heads(["new"])[0].seq == 0
    assert rooms.head("new") == asking.head("new")


def test_first_message_gives_the_room_a_lasting_epoch(rooms):
    first = rooms.append(ANN, message()).ack
    second = rooms.append(ANN, message("more", "c-2")).ack
    assert first.epoch == second.epoch == rooms.head("general").epoch != EMPTY_EPOCH


def test_two_that_say_the_first_word_at_once_agree_on_the_epoch(store, clock, retry):
    class RivalStore:
        """Somebody else is first, once."""

        is_outrun = False

        def __getattr__(self, name):
            return getattr(store, name)

        def transact(self, actions):
            if not self.is_outrun:
                self.is_outrun = True
                Rooms(store, clock=clock, new_id=Ids("first-"), retry=retry).append(BOB, message())
            store.transact(actions)

    late = Rooms(RivalStore(), clock=clock, new_id=Ids("late-"), retry=retry)
    ack = late.append(ANN, message()).ack
    assert (ack.seq, ack.epoch) == (2, late.head("general").epoch)
    assert ack.epoch.startswith("first-")
    assert seqs(late.read_after("general", 0, ack.epoch)) == [1, 2]


def test_sixteen_who_say_the_first_word_at_once_share_one_epoch(store, clock):
    lives = [Rooms(store, clock=clock, new_id=Ids(f"{n}-"), retry=Retry()) for n in range(16)]
    start = threading.Barrier(16)

    def send(number):
        start.wait()
        return lives[number].append(Sender(f"u{number}", "U"), message()).ack

    with ThreadPoolExecutor(16) as pool:
        acks = list(pool.map(send, range(16)))
    assert sorted(ack.seq for ack in acks) == list(range(1, 17))
    assert {ack.epoch for ack in acks} == {lives[0].head("general").epoch}


def test_empty_room_of_an_earlier_version_keeps_its_epoch(rooms, store):
    store.put({"pk": "ROOM#general#HEAD", "sk": "HEAD", "seq": 0, "epoch": "of old"})
    assert rooms.read_after("general", 0, EMPTY_EPOCH).epoch == "of old"
    assert rooms.append(ANN, message()).ack.epoch == "of old"


def test_who_knew_the_room_without_messages_gets_all_that_follows(rooms):
    fill(rooms, 3)
    batch = rooms.read_after("general", 0, EMPTY_EPOCH)
    assert (seqs(batch), batch.epoch) == ([1, 2, 3], rooms.head("general").epoch)
    fill(rooms, PAGE_MESSAGES, begin=4)
    batch = rooms.read_after("general", 0, EMPTY_EPOCH)
    assert (seqs(batch)[0], batch.complete) == (1, False)


def test_heads_of_many_rooms_name_those_that_nobody_wrote_into_too(rooms):
    """Who is told nothing about a room takes it that the server has them out of it, and joins again."""
    fill(rooms, 2, "b")
    named = [(head.room_id, head.seq) for head in rooms.heads(["b", "a"])]
    assert named == [("a", 0), ("b", 2)]
    assert rooms.heads(["a"])[0].epoch == EMPTY_EPOCH
    assert rooms.heads([]) == []


# --- reading on ---


def test_an_empty_room_is_complete(rooms):
    batch = rooms.read_after("general", None, None, "r-1")
    assert (batch.messages, batch.next, batch.head, batch.complete, batch.limited) == (
        (),
        None,
        0,
        True,
        False,
    )
    assert (batch.ref, batch.epoch) == ("r-1", EMPTY_EPOCH)
    assert rooms.read_after("general", 0, None).complete


def test_what_follows_after_comes_in_order_up_to_the_head(rooms):
    fill(rooms, 5)
    batch = rooms.read_after("general", 2, None)
    assert seqs(batch) == [3, 4, 5]
    assert [item.content for item in batch.messages] == ["m3", "m4", "m5"]
    assert (batch.next, batch.head, batch.complete, batch.limited) == (None, 5, True, False)
    assert rooms.read_after("general", 5, None).messages == ()


def test_a_page_holds_a_hundred_messages_and_says_where_to_go_on(rooms):
    fill(rooms, PAGE_MESSAGES + 20)
    first = rooms.read_after("general", 0, None)
    assert seqs(first) == list(range(1, 101))
    assert (first.next, first.head, first.complete) == (100, 120, False)
    second = rooms.read_after("general", first.next, first.epoch)
    assert seqs(second) == list(range(101, 121))
    assert (second.next, second.complete) == (None, True)


@pytest.mark.parametrize("text", ["絆" * 1000, "\x01" * 5000, '"' * 15_000])
def test_pages_of_large_messages_fit_into_frames_and_lose_nothing(rooms, text):
    fill(rooms, 12, text=text + "{}")
    after, got = 0, []
    while after is not None:
        batch = rooms.read_after("general", after, None, '"' * 64)
        assert len(encode(batch).encode()) <= MAX_FRAME_BYTES
        got += seqs(batch)
        after = batch.next
    assert got == list(range(1, 13))


def test_the_newest_page_ends_at_the_head(rooms):
    fill(rooms, PAGE_MESSAGES + 20)
    batch = rooms.read_after("general", None, None)
    assert seqs(batch) == list(range(21, 121))
    assert (batch.next, batch.head, batch.complete, batch.limited) == (None, 120, True, False)


def test_the_newest_page_of_large_messages_keeps_the_newest(rooms):
    fill(rooms, 6, text="x" * 12_000 + "{}")
    assert seqs(rooms.read_after("general", None, None)) == [5, 6]


def test_another_epoch_gets_the_newest_page_under_the_rooms_own(rooms):
    fill(rooms, 5)
    epoch = rooms.head("general").epoch
    batch = rooms.read_after("general", 4, "another")
    assert seqs(batch) == [1, 2, 3, 4, 5]
    assert (batch.epoch, batch.limited) == (epoch, False)
    assert {item.epoch for item in batch.messages} == {epoch}
    assert seqs(rooms.read_after("general", 4, epoch)) == [5]


def test_an_after_beyond_the_head_gets_the_newest_page(rooms):
    fill(rooms, 3)
    batch = rooms.read_after("general", 9, rooms.head("general").epoch)
    assert seqs(batch) == [1, 2, 3]
    assert batch.head == 3


def test_a_gap_of_more_than_500_is_limited_to_the_newest_page(rooms, store):
    fill(rooms, 10)
    skip_to(store, rooms, 10 + MAX_GAP)
    exact = rooms.read_after("general", 10, None)
    assert not exact.limited
    limited = rooms.read_after("general", 9, None)
    assert limited.limited
    assert limited.complete
    assert limited.head == 10 + MAX_GAP


def skip_to(store, rooms, seq):
    """Let the head stand elsewhere, without writing 500 messages."""
    head = rooms.head("general")
    store.put({"pk": "ROOM#general#HEAD", "sk": "HEAD", "seq": seq, "epoch": head.epoch})


def test_message_between_reading_head_and_log_moves_the_batch_head(rooms, store, clock):
    fill(rooms, 2)

    class LateWriteStore:
        """Somebody writes after the head was read."""

        def __getattr__(self, name):
            return getattr(store, name)

        def query(self, *args, **kwargs):
            rooms.append(BOB, message("late", f"b-{rooms.head('general').seq}"))
            return store.query(*args, **kwargs)

    late = Rooms(LateWriteStore(), clock=clock, new_id=Ids())
    batch = late.read_after("general", 1, None)
    assert (seqs(batch), batch.head, batch.complete) == ([2, 3], 3, True)
    batch = late.read_after("general", None, None)
    assert (seqs(batch), batch.head, batch.complete) == ([1, 2, 3, 4], 4, True)


# --- reading back ---


def test_history_is_what_lies_before_in_order(rooms):
    fill(rooms, 10)
    batch = rooms.read_before("general", 8, 3, "r-1")
    assert seqs(batch) == [5, 6, 7]
    assert (batch.next, batch.head, batch.complete, batch.ref) == (5, 10, False, "r-1")
    rest = rooms.read_before("general", batch.next, 100)
    assert seqs(rest) == [1, 2, 3, 4]
    assert (rest.next, rest.complete) == (None, True)


def test_history_before_the_first_message_is_empty_and_complete(rooms):
    fill(rooms, 2)
    batch = rooms.read_before("general", 1, 100)
    assert (batch.messages, batch.next, batch.complete) == ((), None, True)


def test_history_from_far_beyond_the_head_is_the_newest_page(rooms):
    fill(rooms, 3)
    assert seqs(rooms.read_before("general", MAX_INTEGER, 2)) == [2, 3]


def test_history_of_large_messages_goes_on_page_by_page_within_frames(rooms):
    fill(rooms, 9, text="\x01" * 2600 + "{}")
    before: int | None = 10
    got: list[int | None] = []
    while before is not None:
        batch = rooms.read_before("general", before, 100)
        assert len(encode(batch).encode()) <= MAX_FRAME_BYTES
        got = seqs(batch) + got
        before = batch.next
    assert got == list(range(1, 10))
