"""What was typed is remembered, and no text is given out twice."""

from __future__ import annotations

import pytest

from tests.e2e.chaos.ledger import Ledger
from tests.e2e.chaos.verdict import Typed


def test_a_persons_texts_are_counted_through_all_their_threads():
    ledger = Ledger()
    given = [
        ledger.next("Ada", "Ada, life 1"),
        ledger.next("Ben", "Ben"),
        ledger.next("Ada", "Ada 2, life 1"),
    ]
    assert given == ["ada 1", "ben 1", "ada 2"]


def test_a_text_counts_as_sent_once_it_has_left_its_composer():
    ledger = Ledger()
    ledger.next("Ada", "Ada")
    ledger.next("Ada", "Ada")
    ledger.note_left("ada 1")
    assert ledger.typed == (Typed("ada 1", "Ada", left=True), Typed("ada 2", "Ada"))


def test_a_text_that_was_never_given_out_cannot_leave_a_composer():
    with pytest.raises(KeyError):
        Ledger().note_left("ada 1")
