"""Tickets: issued for a verified token, valid once and for half a minute, stored as hashes only."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from backend.auth.tickets import LIFETIME_SECONDS, TicketOrToken, Tickets
from backend.auth.tokens import Identity, InvalidToken
from backend.store.base import ConditionFailed, Conflict, Delete
from tests.backend.fakes import START

ANN = Identity("user-1", "Ann", START + 3600)


@pytest.fixture
def tickets(store, clock, retry):
    return Tickets(store, clock=clock, retry=retry)


def test_ticket_admits_its_person_until_the_token_expires(tickets):
    issued = tickets.issue(ANN)
    assert issued.expires_in == LIFETIME_SECONDS == 30
    assert tickets.redeem(issued.ticket) == ANN


def test_no_two_tickets_are_alike_and_none_can_be_guessed(tickets):
    drawn = {tickets.issue(ANN).ticket for _ in range(20)}
    assert len(drawn) == 20
    assert {len(ticket) for ticket in drawn} == {43}  # 256 bits of base64


def test_a_ticket_is_good_once(tickets):
    ticket = tickets.issue(ANN).ticket
    tickets.redeem(ticket)
    with pytest.raises(InvalidToken, match="unknown, expired or used"):
        tickets.redeem(ticket)


def test_a_ticket_is_good_until_the_second_of_its_expiry(tickets, clock):
    early, late = tickets.issue(ANN).ticket, tickets.issue(ANN).ticket
    clock.advance(29)
    tickets.redeem(early)
    clock.advance(1)
    with pytest.raises(InvalidToken, match="expired"):
        tickets.redeem(late)


def test_a_ticket_does_not_outlive_the_token_it_was_issued_for(tickets, clock):
    issued = tickets.issue(Identity("user-1", "Ann", START + 10))
    assert issued.expires_in == 10
    clock.advance(10)
    with pytest.raises(InvalidToken, match="expired"):
        tickets.redeem(issued.ticket)


def test_of_many_uses_at_once_one_gets_in(tickets):
    ticket = tickets.issue(ANN).ticket
    together = threading.Barrier(8)

    def use(_):
        together.wait(10)
        try:
            return tickets.redeem(ticket)
        except InvalidToken:
            return None

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(use, range(8)))
    assert Counter(results) == {ANN: 1, None: 7}


def test_of_two_that_have_both_read_the_ticket_the_second_is_refused(tickets, store, monkeypatch):
    """The race, step by step: somebody else's delete falls between our read and our delete."""
    ticket, transact = tickets.issue(ANN).ticket, store.transact

    def late(actions):
        assert isinstance(actions[0], Delete)
        transact(actions)  # somebody else
        transact(actions)

    monkeypatch.setattr(store, "transact", late)
    with pytest.raises(InvalidToken, match="a moment ago"):
        tickets.redeem(ticket)


def test_a_busy_table_is_asked_again(tickets, store, monkeypatch):
    tries, transact = [], store.transact

    def busy(actions):
        tries.append(actions)
        if len(tries) % 2:
            raise Conflict("busy")
        transact(actions)

    monkeypatch.setattr(store, "transact", busy)
    assert tickets.redeem(tickets.issue(ANN).ticket) == ANN
    assert len(tries) == 4


def test_what_is_stored_admits_nobody(tickets, store, monkeypatch):
    written, transact = [], store.transact

    def watched(actions):
        written.extend(actions)
        transact(actions)

    monkeypatch.setattr(store, "transact", watched)
    ticket = tickets.issue(ANN).ticket
    assert ticket not in str(written)
    (put,) = written
    with pytest.raises(InvalidToken):
        tickets.redeem(put.item["pk"].removeprefix("TICKET#"))


def test_a_ticket_that_was_drawn_before_is_not_given_to_somebody_else(store, clock, retry):
    tickets = Tickets(store, clock=clock, new_ticket=lambda: "the same", retry=retry)
    tickets.issue(ANN)
    with pytest.raises(ConditionFailed):
        tickets.issue(Identity("user-2", "Bob", START + 3600))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(max_size=300) | st.sampled_from(["", "\ud800", "TICKET", "x" * 256, "x" * 257]))
def test_text_that_was_never_issued_is_an_invalid_token(tickets, text):
    with pytest.raises(InvalidToken, match="^ticket refused: ") as caught:
        tickets.redeem(text)
    assert len(text) < 10 or text not in str(caught.value)


def test_the_url_may_hold_a_ticket_or_a_token(tickets, tokens):
    either = TicketOrToken(tickets, tokens)
    issued = tokens.issue("Bob", "0123456789abcdef")
    assert either.verify(tickets.issue(ANN).ticket) == ANN
    assert either.verify(issued.token).user_id == issued.user_id
    with pytest.raises(InvalidToken, match="^ticket"):
        either.verify("")
    with pytest.raises(InvalidToken, match="^token"):
        either.verify("a.b.c")
