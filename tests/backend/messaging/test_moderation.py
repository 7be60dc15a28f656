"""The operator's changes to messages, on each store, beside people who go on writing."""

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from backend.messaging.message_log import Rooms, Sender
from backend.messaging.moderation import (
    MIN_KEEP_SECONDS,
    CannotModerate,
    delete_message,
    keep_messages,
    last_messages,
)
from backend.store.retry import Retry
from chat.protocol import EMPTY_EPOCH, SendMessage
from tests.backend.fakes import FakeClock, Ids
from tests.chat.fed_room import FedRoom as Room
from tests.simulation.temporary_store import TemporaryStore
from tests.support.depth import examples

ANN = Sender("ann", "Ann")
BOB = Sender("bob", "Bob")
DAY = 24 * 3600
WEEK = 7 * DAY
#: As in the page: more questions than any page asks to close one gap.
MOST_QUESTIONS = 20


@pytest.fixture
def rooms(store, clock, retry):
    return Rooms(store, clock=clock, new_id=Ids(), retry=retry)


@pytest.fixture
def keep(store, retry):
    ids = Ids("kept-")
    return lambda seconds, room="general": keep_messages(store, room, seconds, new_id=ids, retry=retry)


def message(text, client_message_id, room="general"):
    return SendMessage(client_message_id=client_message_id, room_id=room, content=text)


def say(rooms, *numbers, room="general"):
    for number in numbers:
        rooms.append(ANN, message(f"m{number}", f"c-{number}", room))


def seqs(batch):
    return [item.seq for item in batch.messages]


@pytest.fixture
def delete(store, retry):
    ids = Ids("deleted-")
    return lambda seq, room="general": delete_message(store, room, seq, new_id=ids, retry=retry)


def partitions(store, *partitions):
    return json.dumps([store.query(pk) for pk in partitions])


# --- a message that is deleted ---


def test_a_deleted_message_keeps_its_place_and_nothing_of_its_author(rooms, store, delete):
    rooms.append(BOB, message("a secret", "his-1"))
    say(rooms, 2)
    before = rooms.read_after("general", None, None)
    assert delete(1)
    batch = rooms.read_after("general", None, None)
    assert seqs(batch) == [1, 2]
    gone, kept = batch.messages
    assert (gone.deleted, kept.deleted) == (True, False)
    assert (gone.message_id, gone.timestamp) == (before.messages[0].message_id, before.messages[0].timestamp)
    assert (kept.content, kept.message_id) == ("m2", before.messages[1].message_id)
    stored = partitions(store, "ROOM#general#LOG", "ROOM#general#HEAD")
    assert not [word for word in ("a secret", "bob", "Bob", "his-1") if word in stored]


def test_who_knows_the_history_with_the_message_gets_another_one(rooms, delete):
    say(rooms, 1, 2, 3)
    before = rooms.head("general")
    delete(2)
    head = rooms.head("general")
    assert (head.seq, head.epoch == before.epoch) == (3, False)
    batch = rooms.read_after("general", 3, before.epoch)
    assert (seqs(batch), batch.epoch) == ([1, 2, 3], head.epoch)
    say(rooms, 4)
    assert rooms.head("general").epoch == head.epoch


def test_a_deleted_message_sent_again_is_acknowledged_as_one(rooms, delete):
    first = rooms.append(ANN, message("m1", "c-1")).ack
    delete(1)
    again = rooms.append(ANN, message("m1", "c-1")).ack
    assert (again.seq, again.message_id, again.duplicate, again.deleted) == (1, first.message_id, True, True)
    assert rooms.head("general").seq == 1


def test_messages_of_equal_client_ids_are_deleted_apart(rooms, delete):
    """A page knows a message by its author and client id; of deleted ones neither is left."""
    rooms.append(ANN, message("one", "c-1"))
    rooms.append(BOB, message("two", "c-1"))
    delete(1)
    delete(2)
    room = Room("general", "cy")
    room.apply_batch(rooms.read_after("general", None, None))
    assert [entry.seq for entry in room.log.publish().entries] == [1, 2]


def test_deleting_again_changes_nothing(rooms, delete):
    say(rooms, 1)
    assert delete(1)
    before = rooms.read_after("general", None, None)
    assert not delete(1)
    assert rooms.read_after("general", None, None) == before


@pytest.mark.parametrize("seq", [0, -1, 2, 10**20])
def test_a_message_that_is_not_there_cannot_be_deleted(rooms, delete, seq):
    say(rooms, 1)
    before = rooms.head("general")
    with pytest.raises(CannotModerate, match=f"no message {seq} in general"):
        delete(seq)
    with pytest.raises(CannotModerate, match="there are no messages in never"):
        delete(1, "never")
    assert rooms.head("general") == before


def test_append_that_read_before_a_deletion_gets_the_new_epoch(rooms, store, clock, retry, delete):
    say(rooms, 1)
    slow = InterruptedStore(store, 1, lambda: delete(1))
    ack = Rooms(slow, clock=clock, new_id=Ids("slow-"), retry=retry).append(BOB, message("late", "b-1")).ack
    assert (ack.seq, ack.epoch) == (2, rooms.head("general").epoch)
    assert ack.epoch.startswith("deleted-")


def test_what_is_said_while_a_message_is_deleted_stays(rooms, store, retry):
    say(rooms, 1)
    busy = InterruptedStore(store, 1, lambda: say(rooms, 2))
    assert delete_message(busy, "general", 1, new_id=Ids("deleted-"), retry=retry)
    batch = rooms.read_after("general", None, None)
    assert [(item.seq, item.deleted) for item in batch.messages] == [(1, True), (2, False)]
    assert batch.head == 2


def test_a_message_that_is_deleted_while_its_expiry_is_set_stays_deleted(rooms, store, retry, delete, clock):
    say(rooms, 1)
    busy = InterruptedStore(store, 2, lambda: delete(1))
    keep_messages(busy, "general", WEEK, new_id=Ids("kept-"), retry=retry)
    assert [item.deleted for item in last_messages(store, "general", 1)] == [True]
    clock.advance(WEEK)
    assert last_messages(store, "general", 1) == []


def test_how_long_messages_are_kept_outlives_a_deletion_beside_it(rooms, store, retry, keep, clock):
    say(rooms, 1)
    busy = InterruptedStore(store, 1, lambda: keep(WEEK))
    delete_message(busy, "general", 1, new_id=Ids("deleted-"), retry=retry)
    clock.advance(WEEK)
    assert last_messages(store, "general", 1) == []
    assert store.query("DEDUPE#ann") == []


# --- messages that expire ---


def test_later_messages_expire_together_with_their_dedupe_records(rooms, store, clock, keep):
    say(rooms, 1)
    assert keep(WEEK) == 1
    clock.advance(DAY)
    say(rooms, 2)
    clock.advance(6 * DAY)
    assert [item.content for item in last_messages(store, "general", 10)] == ["m2"]
    assert [item["sk"] for item in store.query("DEDUPE#ann")] == ["c-2"]
    clock.advance(DAY)
    assert last_messages(store, "general", 10) == []
    assert store.query("DEDUPE#ann") == []
    assert rooms.head("general").seq == 2
    say(rooms, 3)
    assert [item.seq for item in last_messages(store, "general", 10)] == [3]


def test_messages_of_the_past_expire_too_however_many_there_are(rooms, store, clock, keep):
    for number in range(1, 121):
        say(rooms, number)
        clock.advance(3600)
    assert keep(WEEK) == 120
    assert keep(WEEK) == 0
    clock.advance(WEEK - 21 * 3600)
    assert [item.seq for item in last_messages(store, "general", 200)] == list(range(101, 121))
    assert len(store.query("DEDUPE#ann")) == 20
    assert keep(None) == 20
    clock.advance(10 * WEEK)
    assert len(last_messages(store, "general", 200)) == len(store.query("DEDUPE#ann")) == 20


def test_repeated_message_is_acknowledged_as_long_as_pages_may_send_it(rooms, clock, keep):
    say(rooms, 1)
    keep(MIN_KEEP_SECONDS)
    clock.advance(3 * DAY)
    assert rooms.append(ANN, message("m1", "c-1")).ack.duplicate


def test_pages_with_deletable_messages_get_a_new_epoch(rooms, keep):
    say(rooms, 1, 2)
    before = rooms.head("general")
    keep(WEEK)
    assert rooms.head("general").epoch != before.epoch
    assert rooms.head("general").seq == before.seq
    assert seqs(rooms.read_after("general", 2, before.epoch)) == [1, 2]


@pytest.mark.parametrize("seconds", [0, 1, MIN_KEEP_SECONDS - 1, -WEEK])
def test_less_than_four_days_is_refused_and_changes_nothing(rooms, keep, seconds):
    say(rooms, 1)
    before = rooms.head("general")
    with pytest.raises(CannotModerate, match="at least 4 days"):
        keep(seconds)
    assert rooms.head("general") == before


def test_a_room_that_nobody_wrote_into_cannot_be_kept(keep, store, rooms):
    for seconds in (WEEK, None):
        with pytest.raises(CannotModerate, match="there are no messages in never"):
            keep(seconds, "never")
    with pytest.raises(CannotModerate, match="never"):
        last_messages(store, "never", 5)
    assert rooms.head("never").epoch == EMPTY_EPOCH


def test_for_ever_is_what_rooms_are_kept_for_anyway(rooms, keep):
    say(rooms, 1)
    before = rooms.head("general")
    assert keep(None) == 0
    assert rooms.head("general") == before


def test_other_rooms_keep_theirs(rooms, store, clock, keep):
    say(rooms, 1)
    say(rooms, 2, room="tea")
    keep(WEEK)
    clock.advance(10 * WEEK)
    assert last_messages(store, "general", 5) == []
    assert [item.seq for item in last_messages(store, "tea", 5)] == [1]


class InterruptedStore:
    """A store that calls a function before its ``at``-th transaction, counted from 1."""

    def __init__(self, store, at, happens):
        self._store = store
        self._at = at
        self._happens = happens

    def __getattr__(self, name):
        return getattr(self._store, name)

    def transact(self, actions):
        self._at -= 1
        if self._at == 0:
            self._happens()
        self._store.transact(actions)


def test_what_is_said_while_the_room_is_changed_counts_and_expires_too(rooms, store, clock, retry):
    say(rooms, 1)
    for at in (1, 2):
        busy = InterruptedStore(store, at, lambda at=at: say(rooms, 10 + at))
        keep_messages(busy, "general", WEEK + at, new_id=Ids(f"{at}-"), retry=retry)
    assert [item.seq for item in last_messages(store, "general", 9)] == [1, 2, 3]
    clock.advance(WEEK + 2)
    assert last_messages(store, "general", 9) == []


def test_an_append_that_read_the_room_before_does_not_undo_it(rooms, store, clock, retry, keep):
    say(rooms, 1)
    slow = InterruptedStore(store, 1, lambda: keep(WEEK))
    ack = Rooms(slow, clock=clock, new_id=Ids("slow-"), retry=retry).append(BOB, message("late", "b-1")).ack
    assert (ack.seq, ack.epoch) == (2, rooms.head("general").epoch)
    clock.advance(WEEK)
    assert last_messages(store, "general", 9) == []


def test_of_two_who_decide_at_once_one_is_told(rooms, store, retry, keep):
    say(rooms, 1)
    late = InterruptedStore(store, 2, lambda: keep(2 * WEEK))
    with pytest.raises(CannotModerate, match="another command changed"):
        keep_messages(late, "general", WEEK, new_id=Ids("late-"), retry=retry)
    (item,) = store.query("ROOM#general#LOG")
    assert item["expiresAt"] == item["timestamp"] // 1000 + 2 * WEEK


# --- reading what is left ---


def test_history_says_where_it_begins(rooms, clock, keep):
    say(rooms, *range(1, 7))
    keep(WEEK)
    clock.advance(DAY)
    say(rooms, *range(7, 11))
    clock.advance(6 * DAY)
    first = rooms.read_before("general", 10, 2)
    assert (seqs(first), first.next, first.complete) == ([8, 9], 8, False)
    rest = rooms.read_before("general", 8, 100)
    assert (seqs(rest), rest.next, rest.complete) == ([7], None, True)
    nothing = rooms.read_before("general", 7, 100)
    assert (nothing.messages, nothing.next, nothing.complete) == ((), None, True)


def test_gap_whose_beginning_has_expired_gives_the_newest_page_limited(rooms, clock, keep):
    say(rooms, 1, 2, 3)
    keep(WEEK)
    clock.advance(DAY)
    say(rooms, 4, 5)
    clock.advance(6 * DAY)
    epoch = rooms.head("general").epoch
    batch = rooms.read_after("general", 1, epoch)
    assert (seqs(batch), batch.limited, batch.complete, batch.head) == ([4, 5], True, True, 5)
    batch = rooms.read_after("general", 3, epoch)
    assert (seqs(batch), batch.limited, batch.complete) == ([4, 5], False, True)


def test_a_room_of_which_everything_has_expired_leaves_nobody_asking(rooms, clock, keep):
    say(rooms, *range(1, 10))
    keep(WEEK)
    clock.advance(WEEK)
    epoch = rooms.head("general").epoch
    batch = rooms.read_after("general", 5, epoch)
    # Pages of earlier versions are complete at this head, and newer ones at ``next``.
    assert (batch.messages, batch.head, batch.next) == ((), 5, 9)
    assert (batch.complete, batch.limited) == (True, True)
    fresh = rooms.read_after("general", None, None)
    assert (fresh.messages, fresh.head, fresh.complete, fresh.limited) == ((), 9, True, False)
    settled = rooms.read_after("general", 9, epoch)
    assert (settled.messages, settled.head, settled.complete) == ((), 9, True)
    assert rooms.read_before("general", 10, 100).complete
    say(rooms, 10)
    assert seqs(rooms.read_after("general", 5, epoch)) == [10]
    assert seqs(rooms.read_after("general", 9, epoch)) == [10]


def test_a_message_that_does_not_show_yet_is_no_expired_one(rooms, store, clock, keep):
    """DynamoDB may show one half of a transaction: who took the other half for gone would never ask for it."""
    say(rooms, 1)
    keep(WEEK)
    say(rooms, 2)

    class ReadCommitted:
        def __getattr__(self, name):
            return getattr(store, name)

        def query(self, pk, **bounds):
            return [item for item in store.query(pk, **bounds) if item["sk"] != f"{2:016d}"]

    half = Rooms(ReadCommitted(), clock=clock, new_id=Ids())
    batch = half.read_after("general", 1, rooms.head("general").epoch)
    assert (batch.messages, batch.head, batch.complete, batch.limited) == ((), 2, False, False)
    assert seqs(half.read_after("general", None, None)) == [1]


class PageRoom:
    """A page's room that asks until nothing is missing. Fails if that does not end."""

    def __init__(self, rooms, store):
        self.rooms = rooms
        self.room = Room("general", "cy")
        self.catch_up(always=True)

    def catch_up(self, *, always=False):
        for _ in range(MOST_QUESTIONS):
            self.room.raise_head(self.rooms.head("general"))
            if not (always or self.room.needs_sync):
                return
            always = False
            asked = self.room.position()
            self.room.apply_batch(self.rooms.read_after("general", asked.after, asked.epoch), asked)
        raise AssertionError("it asks for ever")

    def scroll_up(self):
        for _ in range(MOST_QUESTIONS):
            if not self.room.has_earlier:
                return
            oldest = self.room.oldest
            self.room.apply_history(self.rooms.read_before("general", oldest, 3), oldest)
        raise AssertionError("it scrolls for ever")

    def shown(self):
        return [entry.seq for entry in self.room.log.publish().entries]


STEPS = st.lists(
    st.one_of(
        st.just(("say",)),
        st.tuples(st.just("pass"), st.sampled_from([0.5, 1, 3, 8])),
        st.tuples(st.just("clock is set"), st.sampled_from([-2, -1, 1])),
        st.tuples(st.just("keep"), st.sampled_from([4, 5, 7, None])),
        st.tuples(st.just("catch up"), st.integers(0, 2)),
        st.tuples(st.just("purge")),
    ),
    max_size=40,
)


@given(STEPS)
@settings(
    max_examples=examples(quick=60, deep=3000),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_all_pages_reach_the_same_head_whatever_has_expired(steps):
    clock = FakeClock()
    store = TemporaryStore(clock)
    retry = Retry(sleep=lambda seconds: None)
    rooms = Rooms(store, clock=clock, new_id=Ids(), retry=retry)
    count, purged_at = 0, clock.now
    try:
        pages = [PageRoom(rooms, store) for _ in range(3)]
        for what, *arguments in steps:
            if what == "say":
                count += 1
                say(rooms, count)
            elif what in ("pass", "clock is set"):
                clock.now = max(
                    clock.now + arguments[0] * DAY, purged_at
                )  # what was deleted does not come back
            elif what == "keep" and count:
                days = arguments[0]
                seconds = None if days is None else days * DAY
                keep_messages(store, "general", seconds, new_id=Ids(f"{count}-{clock.now}-"), retry=retry)
            elif what == "catch up":
                pages[arguments[0]].catch_up()
            elif what == "purge":
                store.purge_expired()
                purged_at = clock.now
        left = {int(item["sk"]) for item in store.query("ROOM#general#LOG")}
        begins = count + 1
        while begins - 1 in left:
            begins -= 1
        for page in [*pages, PageRoom(rooms, store)]:
            page.catch_up()
            page.scroll_up()
            assert page.room.watermark == count
            # A page may still show what has expired since it came.
            assert page.shown() == list(range(count + 1 - len(page.shown()), count + 1))
            assert set(page.shown()) >= set(range(begins, count + 1))
        assert page.shown() == list(range(begins, count + 1))
    finally:
        store.close()
