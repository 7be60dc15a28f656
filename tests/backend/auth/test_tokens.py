"""Tokens: their identities, and invalid tokens."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given, strategies as st

from backend.auth.tokens import AUDIENCE, InvalidToken, Tokens, load_secret
from chat.protocol import InvalidField, check_id
from tests.backend.conftest import SECRET
from tests.backend.fakes import START, FakeClock

MINE = "0123456789abcdef"


def signed(key: bytes = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    claims = {"sub": "u", "name": "Ann", "aud": AUDIENCE, "iat": START, "exp": START + 60, **changes}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm)


def test_a_token_names_its_person_for_an_hour(tokens):
    issued = tokens.issue("  Ann  Lee ", MINE)
    identity = tokens.verify(issued.token)
    assert (identity.user_id, identity.name) == (issued.user_id, "Ann Lee")
    assert issued.expires_in == 3600
    assert identity.expires_at == START + 3600


def test_the_lifetime_can_be_set(clock):
    assert Tokens(SECRET, clock=clock, lifetime=60).issue("Ann", MINE).expires_in == 60


def test_the_same_secret_is_the_same_person_whatever_the_name_and_whenever(tokens, clock):
    first = tokens.issue("Ann", MINE)
    clock.advance(10_000)
    assert tokens.issue("Bob", MINE).user_id == first.user_id


def test_equal_names_are_different_people(tokens):
    assert tokens.issue("Ann", MINE).user_id != tokens.issue("Ann", MINE[::-1]).user_id


def test_user_id_is_a_valid_id_without_the_secret(tokens):
    issued = tokens.issue("Ann", MINE)
    assert check_id("userId", issued.user_id) == issued.user_id
    payload = base64.urlsafe_b64decode(issued.token.split(".")[1] + "==")
    assert set(json.loads(payload)) == {"sub", "name", "aud", "iat", "exp"}
    assert MINE not in payload.decode()


def test_another_server_derives_other_user_ids(clock, tokens):
    assert Tokens(b"x" * 32, clock=clock).issue("Ann", MINE).user_id != tokens.issue("Ann", MINE).user_id


@pytest.mark.parametrize("secret", [None, 5, "", "x" * 15, "x" * 257, ["x" * 16], "\ud800" * 16])
def test_a_bad_client_secret_is_refused_by_name_and_not_repeated(tokens, secret):
    with pytest.raises(InvalidField, match="^clientSecret: ") as caught:
        tokens.issue("Ann", secret)
    assert not isinstance(secret, str) or len(secret) < 10 or secret not in str(caught.value)


@pytest.mark.parametrize("secret", ["x" * 16, "x" * 256, "絆" * 16])
def test_good_client_secrets(tokens, secret):
    assert tokens.verify(tokens.issue("Ann", secret).token).name == "Ann"


@pytest.mark.parametrize("name", [None, "", "x" * 41, "\u202e"])
def test_a_bad_name_is_refused_by_name(tokens, name):
    with pytest.raises(InvalidField, match="^name: "):
        tokens.issue(name, MINE)


def test_a_token_is_good_until_the_second_of_its_expiry(tokens, clock):
    token = signed()
    clock.advance(59.9)
    assert tokens.verify(token).user_id == "u"
    clock.advance(0.1)
    with pytest.raises(InvalidToken, match="expired"):
        tokens.verify(token)


def test_a_clock_that_is_half_a_minute_fast_is_forgiven(tokens):
    assert tokens.verify(signed(iat=START + 30)).user_id == "u"
    with pytest.raises(InvalidToken, match="issued in the future"):
        tokens.verify(signed(iat=START + 31))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "a.b.c",
        signed(b"another secret of 32 bytes......"),
        signed(aud="somebody-else"),
        signed(aud=None),
        signed(exp=None),
        signed(iat=None),
        signed(sub=None),
        signed(name=None),
        signed(name=5),
        signed(exp=START + 60.5),
        signed(exp="tomorrow"),
        jwt.encode({"sub": "u", "aud": AUDIENCE, "iat": START, "exp": START + 60}, "", "none"),
    ],
)
def test_what_proves_nothing_is_refused_without_being_repeated(tokens, token):
    with pytest.raises(InvalidToken, match="^token refused: ") as caught:
        tokens.verify(token)
    assert len(token) < 10 or token not in str(caught.value)


def test_a_token_signed_with_our_secret_by_another_algorithm_is_refused(clock):
    secret = bytes(48)
    with pytest.raises(InvalidToken):
        Tokens(secret, clock=clock).verify(signed(secret, "HS384"))


@given(st.text(max_size=200))
def test_no_text_makes_verification_fail_in_another_way(text):
    with pytest.raises(InvalidToken):
        Tokens(SECRET, clock=FakeClock()).verify(text)


def test_the_signing_secret_is_made_once_per_store(store):
    made: list[int] = []

    def make(size: int) -> bytes:
        made.append(size)
        return bytes([len(made)]) * size

    assert load_secret(store, make) == b"\x01" * 32
    assert load_secret(store, make) == b"\x01" * 32
    assert made == [32]


def test_of_two_that_make_the_secret_at_once_the_first_wins(store):
    def make_late(size: int) -> bytes:
        load_secret(store, lambda _: b"first" * 7)  # somebody else, in between
        return b"late" * 8

    assert load_secret(store, make_late) == b"first" * 7
