"""The outbox: unacknowledged messages in order, each under one id, within bounds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kizuna.delivery.outbox import Outbox, OutboxFull
from kizuna.delivery.pending_message import Failure, PendingMessage
from tests.support.depth import examples


def message(message_id: str, channel: str = "general", **parts: Any) -> PendingMessage:
    given = {"data": {"content": message_id}, "meta": {"typed_at": 1}, **parts}
    return PendingMessage(id=message_id, channel=channel, **given)


def filled(*ids: str, channel: str = "general", limit: int = 1000) -> Outbox:
    outbox = Outbox(limit=limit)
    for message_id in ids:
        outbox.add(message(message_id, channel))
    return outbox


def ids(outbox: Outbox, now: float) -> list[str]:
    return [pending.id for pending in outbox.take_due(now)]


def test_one_message_per_channel_is_in_flight_in_order_added():
    outbox = filled("a", "b", "c")
    assert ids(outbox, 0) == ["a"]
    assert ids(outbox, 0) == []
    assert outbox.remove("a")
    assert ids(outbox, 0) == ["b"]


def test_lanes_do_not_wait_for_each_other():
    outbox = filled("a", "b")
    outbox.add(message("x", "other"))
    assert ids(outbox, 0) == ["a", "x"]


def test_unanswered_message_is_due_again_at_doubling_intervals():
    outbox = filled("a", "b")
    now, waits = 0.0, []
    for tries in range(1, 8):
        assert ids(outbox, now) == ["a"]
        due = outbox.next_due_at()
        assert due is not None
        assert ids(outbox, due - 0.001) == []
        waits.append(due - now)
        now = due
        assert tries < 8
    assert waits == [5, 10, 20, 40, 60, 60, 60]


def test_a_server_that_never_answers_is_asked_for_ever():
    outbox = filled("a")
    now = 0.0
    for _ in range(1500):
        [pending] = outbox.take_due(now)
        now = outbox.next_due_at() or 0.0
    assert (pending.id, pending.tries) == ("a", 1500)


def test_pending_message_is_frozen_and_has_the_added_data():
    outbox = filled("a")
    [pending] = outbox.take_due(0)
    assert (pending.channel, pending.data) == ("general", {"content": "a"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        pending.tries = 9  # type: ignore[misc]


def test_a_full_outbox_takes_nothing_and_says_so():
    outbox = filled("a", "b", limit=2)
    with pytest.raises(OutboxFull, match="2 messages") as caught:
        outbox.add(message("c"))
    assert caught.value.limit == 2
    assert len(outbox) == 2
    assert "c" not in outbox
    outbox.add(message("a"))  # here already: nothing to take
    outbox.remove("a")
    outbox.add(message("c"))
    assert "c" in outbox


def test_an_id_is_taken_once():
    outbox = filled("a", "a")
    assert len(outbox) == 1


def test_an_answer_for_what_is_not_here_means_nothing():
    outbox = filled("a")
    assert not outbox.remove("z")
    outbox.postpone("z", 10)
    assert ids(outbox, 0) == ["a"]


def test_what_the_server_postpones_waits_and_its_lane_with_it():
    outbox = filled("a", "b")
    outbox.take_due(0)
    outbox.postpone("a", 30)
    assert ids(outbox, 29) == []
    assert outbox.next_due_at() == 30
    assert ids(outbox, 30) == ["a"]


def test_lost_link_makes_only_messages_in_flight_due_again():
    outbox = filled("a", "b")
    outbox.add(message("x", "other"))
    outbox.add(message("y", "third"))
    assert ids(outbox, 0) == ["a", "x", "y"]
    outbox.postpone("x", 50)
    assert [pending.id for pending in outbox.link_lost()] == ["a", "y"]
    assert outbox.link_lost() == []
    assert ids(outbox, 0.1) == ["a", "y"]
    assert [pending.tries for pending in outbox.take_due(5.1)] == [2, 2]


def test_pending_message_is_current_until_it_changes():
    outbox = filled("a")
    [first] = outbox.take_due(0)
    assert outbox.is_current(first)
    outbox.link_lost()
    assert not outbox.is_current(first)
    [second] = outbox.take_due(0)
    assert outbox.is_current(second)
    outbox.postpone("a", 9)
    assert not outbox.is_current(second)
    [third] = outbox.take_due(9)
    outbox.remove("a")
    assert not outbox.is_current(third)


def test_an_empty_outbox_is_never_due():
    assert Outbox().next_due_at() is None
    assert Outbox().take_due(1e9) == []


def test_a_thousand_messages_may_wait_and_no_more():
    outbox = Outbox()
    for number in range(1000):
        outbox.add(message(str(number)))
    with pytest.raises(OutboxFull):
        outbox.add(message("one more"))


def test_a_failed_message_waits_no_more_and_can_be_added_again():
    outbox = filled("a", "b", limit=2)
    [sent] = outbox.take_due(0)
    failed = outbox.fail("a", Failure("refused", "no"))
    assert failed is not None
    assert (failed.failure, failed.tries, failed.in_flight) == (Failure("refused", "no"), 0, False)
    assert ("a" in outbox, len(outbox), outbox.get("a")) == (False, 1, failed)
    assert not outbox.is_current(sent)
    assert ids(outbox, 0) == ["b"]
    assert outbox.fail("z", Failure("refused")) is None
    outbox.add(message("c"))
    with pytest.raises(OutboxFull):
        outbox.add(dataclasses.replace(failed, failure=None))
    outbox.remove("c")
    outbox.add(dataclasses.replace(failed, failure=None))
    assert ("a" in outbox, len(outbox)) == (True, 2)
    assert outbox.remove("a") is not None
    assert outbox.get("a") is None


def test_a_message_with_a_failure_is_held_beyond_the_limit():
    outbox = filled("a", limit=1)
    outbox.add(message("b", failure=Failure("too_old")))
    assert (len(outbox), outbox.next_due_at()) == (1, 0.0)
    assert outbox.remove("b") == message("b", failure=Failure("too_old"))


def test_messages_of_a_channel_come_in_the_order_written():
    outbox = Outbox()
    outbox.add(message("late", written_at=2))
    outbox.add(message("other", "side", written_at=1))
    outbox.add(message("failed", written_at=1, number=2, failure=Failure("too_old")))
    outbox.add(message("first", written_at=1, number=1))
    assert [each.id for each in outbox.in_channel("general")] == ["first", "failed", "late"]


def test_a_message_that_is_acknowledged_while_it_is_sent_stays_away():
    outbox = filled("a")
    [pending] = outbox.take_due(0)
    outbox.remove("a")
    assert outbox.note_sent(pending).is_sent
    assert (len(outbox), outbox.get("a")) == (0, None)


def test_a_sent_message_may_have_arrived_also_after_the_link():
    outbox = filled("a")
    [pending] = outbox.take_due(0)
    assert outbox.note_sent(pending).is_sent
    assert [each.is_sent for each in outbox.link_lost()] == [True]
    assert [each.is_sent for each in outbox.take_due(0)] == [True]


class Traffic(RuleBasedStateMachine):
    """An outbox and a server that acknowledges late, twice, out of order or never."""

    LIMIT = 6

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(limit=self.LIMIT)
        self.now = 0.0
        self.waiting: dict[str, str] = {}  # id -> channel, in the order added
        self.sent: dict[str, float] = {}
        self.count = 0

    @rule(channel=st.sampled_from("AB"))
    def add(self, channel: str) -> None:
        self.count += 1
        message_id = f"m{self.count}"
        if len(self.waiting) == self.LIMIT:
            with pytest.raises(OutboxFull):
                self.outbox.add(message(message_id, channel, data={"n": self.count}))
        else:
            self.outbox.add(message(message_id, channel, data={"n": self.count}))
            self.waiting[message_id] = channel

    @rule()
    def send(self) -> None:
        for pending in self.outbox.take_due(self.now):
            oldest = next(known for known, channel in self.waiting.items() if channel == pending.channel)
            assert pending.id == oldest, "first in, first out, in each channel"
            assert self.now - self.sent.get(pending.id, -1e9) >= 5.0, "not again before its time"
            assert pending.data == {"n": int(pending.id[1:])}
            self.sent[pending.id] = self.now

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        message_id = f"m{data.draw(st.integers(1, self.count + 1))}"
        assert (self.outbox.remove(message_id) is not None) == (
            self.waiting.pop(message_id, None) is not None
        )
        self.sent.pop(message_id, None)

    @rule(data=st.data(), pause=st.sampled_from([0.0, 1.0, 30.0]))
    def postpone(self, data: st.DataObject, pause: float) -> None:
        message_id = f"m{data.draw(st.integers(1, self.count + 1))}"
        self.outbox.postpone(message_id, self.now + pause)
        self.sent.pop(message_id, None)

    @rule()
    def lose_the_link(self) -> None:
        for pending in self.outbox.link_lost():
            assert pending.id in self.sent
            del self.sent[pending.id]

    @rule(seconds=st.sampled_from([0.5, 5.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def everything_arrives_in_the_end(self) -> None:
        left = dict(self.waiting)
        while left:
            self.now = max(self.now, self.outbox.next_due_at() or 0.0)
            due = self.outbox.take_due(self.now)
            assert due
            for pending in due:
                assert pending.id == next(
                    known for known, channel in left.items() if channel == pending.channel
                )
                assert self.outbox.remove(pending.id)
                del left[pending.id]
        self.waiting.clear()
        self.sent.clear()

    @invariant()
    def it_holds_what_was_added_and_not_acknowledged(self) -> None:
        assert len(self.outbox) == len(self.waiting) <= self.LIMIT
        assert all(message_id in self.outbox for message_id in self.waiting)
        assert (self.outbox.next_due_at() is None) == (not self.waiting)


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=examples(quick=40, deep=2000), stateful_step_count=30)
