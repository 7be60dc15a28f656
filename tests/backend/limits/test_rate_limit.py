"""The rate limit of one person: GCRA alone, in the store, and as the page notices it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, strategies as st

from backend.limits.rate_limit import (
    BURST,
    KNOWN_SECONDS,
    MAX_BURST,
    MAX_PER_SECOND,
    MIN_PER_SECOND,
    NEW_SECONDS,
    PER_SECOND,
    Rate,
    RateLimit,
    TooFast,
)
from backend.messaging.handlers import Backend
from backend.messaging.message_log import ReusedId, Rooms, Sender
from backend.store.retry import Retry
from chat.protocol import SendMessage
from tests.backend.fakes import START, FakeClock, Ids, Person

SECOND = 1_000_000
ANN = Sender("ann", "Ann")


def message(number: int | str, room: str = "general", text: str = "hi") -> SendMessage:
    return SendMessage(client_message_id=f"c-{number}", room_id=room, content=text)


# --- the rule ---


def test_a_burst_passes_at_once_and_then_one_for_each_interval():
    rate, arrival = Rate(per_second=10, burst=3), None
    for _ in range(3):
        arrival = rate.next_arrival(arrival, 0)
    with pytest.raises(TooFast) as caught:
        rate.next_arrival(arrival, 0)
    assert caught.value.retry_after == 0.1
    arrival = rate.next_arrival(arrival, SECOND // 10)
    with pytest.raises(TooFast):
        rate.next_arrival(arrival, SECOND // 10)


def test_a_silence_gives_the_burst_back_and_no_more():
    rate, arrival = Rate(per_second=10, burst=3), None
    for _ in range(3):
        arrival = rate.next_arrival(arrival, 0)
    for _ in range(3):
        arrival = rate.next_arrival(arrival, 3600 * SECOND)
    with pytest.raises(TooFast):
        rate.next_arrival(arrival, 3600 * SECOND)


RATES = st.builds(Rate, per_second=st.floats(MIN_PER_SECOND, MAX_PER_SECOND), burst=st.integers(1, 50))


@given(rate=RATES, pauses=st.lists(st.integers(0, 2 * SECOND), max_size=60))
def test_any_interval_passes_at_most_burst_and_rate(rate, pauses):
    interval = round(SECOND / rate.per_second)
    now, arrival, passed = 0, None, []
    for pause in pauses:
        now += pause
        try:
            arrival = rate.next_arrival(arrival, now)
        except TooFast:
            continue
        passed.append(now)
    for first, begin in enumerate(passed):
        for last, end in enumerate(passed[first:], first):
            assert last - first + 1 <= rate.burst + (end - begin) // interval


@given(rate=RATES, pauses=st.lists(st.integers(0, SECOND), max_size=20))
def test_the_waiting_time_is_true_to_the_millisecond(rate, pauses):
    now, arrival = 0, None
    for _ in range(rate.burst):
        arrival = rate.next_arrival(arrival, now)
    for pause in pauses:
        now += pause
        try:
            arrival = rate.next_arrival(arrival, now)
        except TooFast as error:
            wait = round(error.retry_after * SECOND)
            with pytest.raises(TooFast):
                rate.next_arrival(arrival, now + wait - 1000)
            arrival = rate.next_arrival(arrival, now + wait)
            now += wait


@pytest.mark.parametrize("hours", [1, 24 * 365])
def test_a_clock_that_was_wrong_silences_nobody(hours):
    rate = Rate(per_second=10, burst=3)
    arrival = rate.next_arrival(None, hours * 3600 * SECOND)
    arrival = rate.next_arrival(arrival, 0)
    with pytest.raises(TooFast) as caught:
        rate.next_arrival(arrival, 0)
    assert caught.value.retry_after == 0.1


def test_a_smaller_burst_after_a_restart_silences_nobody_for_longer_than_itself():
    arrival = None
    for _ in range(MAX_BURST // 1000):
        arrival = Rate(per_second=1, burst=MAX_BURST).next_arrival(arrival, 0)
    assert Rate(per_second=1, burst=5).next_arrival(arrival, 0) == 5 * SECOND


def test_an_outbox_of_a_thousand_drains_in_ninety_seconds():
    rate, arrival, now = Rate(), None, 0
    for _ in range(1000):
        try:
            arrival = rate.next_arrival(arrival, now)
        except TooFast as error:
            now += round(error.retry_after * SECOND)
            arrival = rate.next_arrival(arrival, now)
    assert (PER_SECOND, BURST) == (10, 100)
    assert now == 90 * SECOND


# --- in the store ---


@pytest.fixture
def rooms(store, clock, retry) -> Rooms:
    return Rooms(store, clock=clock, new_id=Ids(), rate=Rate(per_second=10, burst=3), retry=retry)


def fill(rooms: Rooms, sender: Sender = ANN, prefix: str = "f") -> None:
    for number in range(3):
        rooms.append(sender, message(f"{prefix}{number}"))


def test_what_is_too_fast_is_not_stored_and_the_same_later_is(rooms, clock):
    fill(rooms)
    with pytest.raises(TooFast, match="the next may come in 0.1 s") as caught:
        rooms.append(ANN, message(1))
    assert rooms.head("general").seq == 3
    clock.advance(caught.value.retry_after)
    assert rooms.append(ANN, message(1)).ack.seq == 4


def test_each_person_has_a_limit_of_their_own(rooms):
    fill(rooms)
    fill(rooms, Sender("bob", "Bob"))
    assert rooms.head("general").seq == 6


def test_the_limit_holds_for_all_rooms_together(rooms):
    fill(rooms)
    with pytest.raises(TooFast):
        rooms.append(ANN, message(1, room="other"))


def test_a_duplicate_is_acknowledged_even_while_limited(rooms):
    first = rooms.append(ANN, message(1)).ack
    fill_up = [rooms.append(ANN, message(number)) for number in (2, 3)]
    assert len(fill_up) == 2
    again = rooms.append(ANN, message(1))
    assert again.message is None
    assert again.ack.duplicate
    assert (again.ack.seq, again.ack.message_id) == (first.seq, first.message_id)


def test_reused_id_is_refused_even_while_rate_limited(rooms):
    fill(rooms)
    with pytest.raises(ReusedId):
        rooms.append(ANN, message("f0", text="other words"))


def test_duplicates_do_not_count(rooms):
    rooms.append(ANN, message(1))
    for _ in range(10):
        assert rooms.append(ANN, message(1)).ack.duplicate
    rooms.append(ANN, message(2))
    rooms.append(ANN, message(3))
    with pytest.raises(TooFast):
        rooms.append(ANN, message(4))


def test_what_was_refused_does_not_count(rooms, clock):
    fill(rooms)
    for number in range(10):
        with pytest.raises(TooFast):
            rooms.append(ANN, message(number))
    clock.advance(0.1)
    assert rooms.append(ANN, message(0)).ack.seq == 4


def test_a_person_who_was_silent_for_a_day_leaves_no_record(rooms, store, clock):
    fill(rooms)
    assert store.get(*RateLimit.key("ann"))["arrival"] == START * SECOND + 300_000
    clock.advance(KNOWN_SECONDS - 1)
    assert store.get(*RateLimit.key("ann")) is not None
    clock.advance(1)
    assert store.get(*RateLimit.key("ann")) is None
    fill(rooms, prefix="g")


# --- of a new identity ---


@pytest.fixture
def few_at_first(store, clock, retry) -> Rooms:
    """Return a rate of two messages at once in the first minute, five later; one a second."""
    return Rooms(store, clock=clock, new_id=Ids(), rate=Rate(1, burst=5, burst_new=2), retry=retry)


def passed(rooms: Rooms, prefix: str) -> int:
    """Return how many of ten messages pass at once."""
    for number in range(10):
        try:
            rooms.append(ANN, message(f"{prefix}{number}"))
        except TooFast:
            return number
    return 10


def test_new_identity_has_a_smaller_burst_in_its_first_minute(few_at_first, clock):
    assert passed(few_at_first, "a") == 2
    clock.advance(NEW_SECONDS - 1)
    assert passed(few_at_first, "b") == 2
    clock.advance(1)
    # Two of the later five are spent, and one is there again.
    assert passed(few_at_first, "c") == 4
    clock.advance(KNOWN_SECONDS - 1)
    assert passed(few_at_first, "d") == 5


def test_who_was_silent_for_longer_than_a_day_is_new_again(few_at_first, clock):
    assert passed(few_at_first, "a") == 2
    clock.advance(KNOWN_SECONDS + 2)
    assert passed(few_at_first, "b") == 2


def test_a_record_of_an_earlier_version_is_of_a_known_person(few_at_first, store, clock):
    arrival, expires_at = START * SECOND, START + 1
    old = {**dict(zip(("pk", "sk"), RateLimit.key("ann"), strict=True)), "arrival": arrival}
    store.put({**old, "expiresAt": expires_at})
    assert passed(few_at_first, "a") == 5
    clock.advance(5)
    assert passed(few_at_first, "b") == 5


def test_a_clock_that_was_set_back_makes_nobody_new_for_longer(few_at_first, clock):
    assert passed(few_at_first, "a") == 2
    clock.advance(-3600)
    assert passed(few_at_first, "b") > 0


@pytest.mark.parametrize("new", [0, 9])
def test_without_a_smaller_burst_a_new_identity_has_that_of_everybody(new):
    rate, arrival = Rate(1, burst=2, burst_new=new), None
    for _ in range(2):
        arrival = rate.next_arrival(arrival, 0, new=True)
    with pytest.raises(TooFast):
        rate.next_arrival(arrival, 0, new=True)


def test_without_a_rate_nothing_is_limited_and_nothing_recorded(store, clock, retry):
    rooms = Rooms(store, clock=clock, new_id=Ids(), retry=retry)
    for number in range(200):
        rooms.append(ANN, message(number))
    assert store.get(*RateLimit.key("ann")) is None


@pytest.mark.parametrize("processes", [1, 8])
def test_eight_threads_of_one_person_get_a_burst_and_not_one_more(store, clock, processes):
    ids, rate = Ids(), Rate(per_second=10, burst=20)
    lives = [Rooms(store, clock=clock, new_id=ids, rate=rate, retry=Retry()) for _ in range(processes)]
    start = threading.Barrier(8)

    def send(thread: int) -> int:
        start.wait()
        refused = 0
        for number in range(5):
            try:
                lives[thread % processes].append(ANN, message(f"{thread}-{number}", room=f"r{thread}"))
            except TooFast:
                refused += 1
        return refused

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(send, range(8))) == 20
    assert sum(lives[0].head(f"r{thread}").seq for thread in range(8)) == 20


# --- as the page sees it ---


@pytest.fixture
def limited(store, gateway, clock: FakeClock, retry):
    """Return a backend that lets three messages pass at once."""
    made = Backend(store, gateway, clock=clock, new_id=Ids(), rate=Rate(per_second=10, burst=3), retry=retry)
    yield made
    made.close()


@pytest.fixture
def enter(limited, gateway, tokens) -> Callable[..., Person]:
    """Return a function that connects people to room general of that backend."""

    def connect(name: str, connection_id: str | None = None) -> Person:
        someone = Person(limited, gateway, tokens, name, connection_id)
        someone.connect()
        someone.hello("general")
        return someone

    return connect


def test_message_over_the_limit_is_refused_then_accepted_after_the_wait(enter, clock):
    ann = enter("Ann")
    for number in range(3):
        assert ann.send("hi", f"c-{number}") is None
    clock.advance(0.0625)
    assert ann.send("hi", "c-3") == {
        "type": "nack",
        "clientMessageId": "c-3",
        "code": "rate_limited",
        "message": "too many messages at once: the next may come in 0.038 s",
        "retryable": True,
        "retryAfter": 0.038,
    }
    clock.advance(0.038)
    assert ann.send("hi", "c-3") is None
    assert [ack["seq"] for ack in ann.got("ack")] == [1, 2, 3, 4]


def test_the_limit_is_the_persons_and_not_the_connections(enter):
    ann, second, bob = enter("Ann"), enter("Ann", "second="), enter("Bob")
    for number in range(3):
        assert ann.send("hi", f"c-{number}") is None
    refused = second.send("hi", "c-3")
    assert refused is not None
    assert refused["code"] == "rate_limited"
    assert bob.send("hi") is None


def test_retry_after_a_lost_ack_is_acknowledged_while_rate_limited(enter):
    ann, bob = enter("Ann"), enter("Bob")
    for number in range(3):
        ann.send(f"m{number}", f"c-{number}")
    assert ann.send("m0", "c-0") is None
    assert [(ack["seq"], ack["duplicate"]) for ack in ann.got("ack")][-1] == (1, True)
    assert bob.texts() == ["m0", "m1", "m2"]


def test_reading_is_not_limited(enter):
    ann = enter("Ann")
    for number in range(5):
        ann.send("hi", f"c-{number}")
    answer = ann.say({"action": "sync", "roomId": "general", "after": 0})
    assert answer is not None
    assert len(answer["messages"]) == 3
