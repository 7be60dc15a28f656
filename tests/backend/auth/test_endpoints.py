"""The HTTPS endpoints: tokens, tickets, and their errors."""

import json
import logging

import pytest

from backend.auth.bans import Bans
from backend.auth.endpoints import MAX_BODY_BYTES, TicketEndpoint, TokenEndpoint
from backend.auth.keys import VerifierUnavailable
from backend.auth.tickets import Tickets
from backend.auth.tokens import Identity
from backend.store.base import StoreUnavailable
from tests.backend.fakes import START

ANN = Identity("user-1", "Ann", START + 3600)
JSON = {"content-type": "application/json"}


class UnavailableVerifier:
    """A verifier whose keys cannot be fetched."""

    def verify(self, token):
        raise VerifierUnavailable("JWKS_URL: down")


@pytest.fixture
def tickets(store, clock, retry):
    return Tickets(store, clock=clock, retry=retry)


@pytest.fixture
def bans(store, clock, retry):
    return Bans(store, clock=clock, retry=retry)


@pytest.fixture
def ticket_desk(tickets, tokens, bans):
    return TicketEndpoint(tickets, tokens, bans)


@pytest.fixture
def token_desk(tokens, bans):
    return TokenEndpoint(lambda: tokens, bans)


def application(name="Ann", secret="0123456789abcdef"):
    return json.dumps({"name": name, "clientSecret": secret}).encode()


# --- POST /token ---


def test_a_name_and_a_secret_get_a_token_of_that_person(token_desk, tokens):
    status, body = token_desk.answer(JSON, application())
    assert (status, sorted(body), body["expiresIn"]) == (200, ["expiresIn", "token", "userId"], 3600)
    identity = tokens.verify(body["token"])
    assert (identity.user_id, identity.name) == (body["userId"], "Ann")
    again = token_desk.answer({"content-type": "Application/JSON; charset=utf-8"}, application().decode())
    assert again[1]["userId"] == body["userId"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "malformed_body", None),
        (b"[]", "malformed_body", None),
        (b"\xff", "malformed_body", None),
        (application(name=""), "invalid_field", "name"),
        (application(secret="short"), "invalid_field", "clientSecret"),
    ],
)
def test_bad_body_is_400_and_names_the_error(token_desk, body, code, field):
    status, answer = token_desk.answer(JSON, body)
    assert (status, answer["code"], answer["field"]) == (400, code, field)


def test_a_body_that_is_too_large_or_no_json_is_not_read(token_desk):
    assert token_desk.answer(JSON, b" " * (MAX_BODY_BYTES + 1))[0] == 413
    assert token_desk.answer({"content-type": "text/plain"}, application())[0] == 415
    assert token_desk.answer({}, application())[0] == 415


def test_when_the_secret_cannot_be_had_there_is_no_token_for_now(bans, caplog):
    def unavailable():
        raise VerifierUnavailable("TOKEN_SECRET_PARAMETER /kizuna/secret: down")

    status, body = TokenEndpoint(unavailable, bans).answer(JSON, application())
    assert (status, body["code"]) == (503, "unavailable")
    assert caplog.messages == ["no token: TOKEN_SECRET_PARAMETER /kizuna/secret: down"]


# --- POST /ticket ---


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_token_in_the_header_gets_a_ticket_that_admits_its_person(ticket_desk, tickets, tokens, scheme):
    issued = tokens.issue("Ann", "0123456789abcdef")
    status, body = ticket_desk.answer({"authorization": scheme + issued.token})
    assert (status, sorted(body), body["expiresIn"]) == (200, ["expiresIn", "ticket"], 30)
    assert tickets.redeem(body["ticket"]) == tokens.verify(issued.token)


@pytest.mark.parametrize("authorization", ["", "Basic QTpC", "Bearer a-gates-own-token"])
def test_token_in_the_body_counts_before_the_header(ticket_desk, tickets, tokens, authorization):
    issued = tokens.issue("Ann", "0123456789abcdef")
    status, body = ticket_desk.answer(
        {**JSON, "authorization": authorization}, json.dumps({"token": issued.token})
    )
    assert status == 200
    assert tickets.redeem(body["ticket"]) == tokens.verify(issued.token)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"\xff", b'{"token": 5}', b'{"token": "\\ud800"}', b'{"token": "x.y.z"}']
)
def test_a_body_without_a_good_token_gets_no_ticket(ticket_desk, body):
    status, answer = ticket_desk.answer(JSON, body)
    assert (status, answer["code"]) == (401, "unauthorized")


def test_a_body_that_is_too_large_is_not_read_for_a_token(ticket_desk, tokens):
    issued = tokens.issue("Ann", "0123456789abcdef")
    large = json.dumps({"token": issued.token, "more": "x" * MAX_BODY_BYTES})
    assert ticket_desk.answer(JSON, large)[0] == 401


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic QTpC", "x.y.z"])
def test_ticket_without_token_is_refused_and_says_how_to_send_one(ticket_desk, authorization):
    status, body = ticket_desk.answer({} if authorization is None else {"authorization": authorization})
    assert (status, body["code"]) == (401, "unauthorized")
    assert "Authorization: Bearer" in body["message"]


def test_a_ticket_buys_no_ticket(ticket_desk, tickets):
    assert ticket_desk.answer({"authorization": "Bearer " + tickets.issue(ANN).ticket})[0] == 401


def test_a_bad_token_gets_no_ticket_and_stands_in_no_log_line(ticket_desk, tokens, clock, caplog):
    caplog.set_level(logging.DEBUG)
    token = tokens.issue("Ann", "0123456789abcdef").token
    clock.advance(3600)
    status, body = ticket_desk.answer({"authorization": f"Bearer {token}"}, source="192.0.2.7")
    assert (status, body) == (
        401,
        {"code": "unauthorized", "field": None, "message": "token refused: expired"},
    )
    assert caplog.messages == ["no ticket: token refused: expired (192.0.2.7)"]


def test_unverifiable_token_is_503_not_401(tickets, bans, caplog):
    status, body = TicketEndpoint(tickets, UnavailableVerifier(), bans).answer(
        {"authorization": "Bearer a.b.c"}
    )
    assert (status, body["code"]) == (503, "unavailable")
    assert caplog.messages == ["no ticket: JWKS_URL: down"]


def test_when_no_ticket_can_be_kept_there_is_none_for_now(ticket_desk, tokens, store, monkeypatch, caplog):
    def unavailable(actions):
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(store, "transact", unavailable)
    token = tokens.issue("Ann", "0123456789abcdef").token
    status, body = ticket_desk.answer({"authorization": f"Bearer {token}"})
    assert (status, body["code"]) == (503, "unavailable")
    assert caplog.messages == ["no ticket: StoreUnavailable no disk"]


# --- people who are banned ---


def test_banned_person_gets_403_for_token_and_ticket(token_desk, ticket_desk, tokens, bans):
    issued = tokens.issue("Ann", "0123456789abcdef")
    bans.ban(issued.user_id, "a note for the operator")
    refusal = {
        "code": "forbidden",
        "field": None,
        "message": "you were banned from this server",
        "reason": "banned",
    }
    assert token_desk.answer(JSON, application()) == (403, refusal)
    assert token_desk.answer(JSON, application(name="Anna")) == (403, refusal)  # by another name
    assert ticket_desk.answer({}, json.dumps({"token": issued.token})) == (403, refusal)
    assert token_desk.answer(JSON, application(secret="another person..."))[0] == 200
    bans.unban(issued.user_id)
    assert token_desk.answer(JSON, application())[0] == 200
    assert ticket_desk.answer({}, json.dumps({"token": issued.token}))[0] == 200


def test_unreadable_bans_are_503(token_desk, ticket_desk, tokens, store, monkeypatch, caplog):
    def unavailable(pk, sk):
        raise StoreUnavailable("no disk")

    monkeypatch.setattr(store, "get", unavailable)
    issued = tokens.issue("Ann", "0123456789abcdef")
    assert token_desk.answer(JSON, application())[0] == 503
    assert ticket_desk.answer({}, json.dumps({"token": issued.token}))[0] == 503
    assert caplog.messages == ["no token: StoreUnavailable no disk", "no ticket: StoreUnavailable no disk"]


# --- what the operator reads ---


def test_each_refusal_logs_address_and_known_person(token_desk, ticket_desk, tokens, bans, caplog):
    caplog.set_level(logging.INFO)
    issued = tokens.issue("Ann", "0123456789abcdef")
    bans.ban(issued.user_id)
    here = "192.0.2.7"
    token_desk.answer({}, b"", here)
    token_desk.answer(JSON, b"my own words", here)
    token_desk.answer(JSON, application(name="a private name\n" * 9), here)
    token_desk.answer(JSON, application(), here)
    ticket_desk.answer({}, b"", here)
    ticket_desk.answer({}, json.dumps({"token": issued.token}), here)
    assert caplog.messages == [
        "no token: the body is not announced as JSON (192.0.2.7)",
        "no token: malformed body (192.0.2.7)",
        "no token: invalid name (192.0.2.7)",
        f"no token: banned (192.0.2.7, person {issued.user_id})",
        "no ticket: no token (192.0.2.7)",
        f"no ticket: banned (192.0.2.7, person {issued.user_id})",
    ]
