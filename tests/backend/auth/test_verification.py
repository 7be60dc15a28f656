"""Tokens of another issuer: valid, invalid, and not verifiable now."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from backend.auth.keys import (
    AGAIN_SECONDS,
    LIFETIME_SECONDS,
    STALE_SECONDS,
    PublishedKeys,
    SharedSecret,
    VerifierUnavailable,
)
from backend.auth.tokens import InvalidToken, Tokens
from backend.auth.verification import JwtVerifier
from tests.backend.conftest import SECRET
from tests.backend.fakes import START, FakeClock

ISSUER = "https://id.example.org/"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good token, with changes; None leaves a claim out."""
    good = {"sub": "auth0|u-1", "name": "Ann", "aud": "chat", "iss": ISSUER, "iat": START, "exp": START + 60}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def with_secret(secret: bytes = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(**changes), secret, algorithm)


def with_key(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "rsa", **changes: Any) -> str:
    return jwt.encode(claims(**changes), key, algorithm, headers={} if kid is None else {"kid": kid})


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class KeyServer:
    """A JWKS address on loopback: its answers, and the number of requests."""

    def __init__(self) -> None:
        self.keys = [
            {**RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), "kid": "rsa", "use": "sig"},
            {**ECAlgorithm.to_jwk(EC.public_key(), as_dict=True), "kid": "ec", "use": "sig"},
        ]
        self.text: str | None = None
        self.asked = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked += 1
                if owner.text == "hang up":
                    self.close_connection = True
                    return
                body = (owner.text or json.dumps({"keys": owner.keys})).encode()
                self.send_response(500 if owner.text == "broken" else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks.json"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = KeyServer()
    yield made
    made.close()


@pytest.fixture
def by_key(server, clock):
    return JwtVerifier(PublishedKeys(server.url, clock=clock), audience="chat", issuer=ISSUER, clock=clock)


@pytest.fixture
def by_secret(clock):
    return JwtVerifier(SharedSecret(lambda: SECRET), audience="chat", issuer=ISSUER, clock=clock)


@pytest.fixture(params=["secret", "key"])
def verifier_and_sign(request):
    sign = {"secret": with_secret, "key": with_key}[request.param]
    return request.getfixturevalue(f"by_{request.param}"), sign


# --- whom a token names ---


def test_a_token_names_its_person_until_its_expiry(verifier_and_sign):
    verifier, sign = verifier_and_sign
    identity = verifier.verify(sign())
    assert (identity.user_id, identity.name, identity.expires_at) == ("auth0|u-1", "Ann", START + 60)


def test_both_kinds_of_published_keys_are_good(by_key):
    assert by_key.verify(with_key(EC, "ES256", "ec")).name == "Ann"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"preferred_username": "ann"}, "Ann"),
        ({"name": "  Ann  Lee "}, "Ann Lee"),
        ({"name": None, "preferred_username": "ann"}, "ann"),
        ({"name": "x" * 41, "nickname": "An"}, "An"),
        ({"name": 5, "cognito:username": "ann.lee"}, "ann.lee"),
    ],
)
def test_the_name_to_show_is_the_first_that_will_do(by_secret, changes, name):
    assert by_secret.verify(with_secret(**changes)).name == name


def test_a_list_of_audiences_may_hold_ours(by_secret):
    assert by_secret.verify(with_secret(aud=["other", "chat"])).name == "Ann"


def test_times_may_have_fractions_and_clocks_may_differ_by_half_a_minute(by_secret):
    token = with_secret(exp=START + 60.9, iat=START + 30, nbf=START + 30.5)
    assert by_secret.verify(token).expires_at == START + 60


def test_without_configured_issuer_any_issuer_is_accepted(clock):
    verifier = JwtVerifier(SharedSecret(lambda: SECRET), audience="chat", issuer=None, clock=clock)
    assert verifier.verify(with_secret(iss=None)).name == "Ann"


def test_the_tokens_of_one_machine_are_good_here_too(clock):
    verifier = JwtVerifier(SharedSecret(lambda: SECRET), audience="kizuna", issuer=None, clock=clock)
    tokens = Tokens(SECRET, clock=clock)
    issued = tokens.issue("Ann", "0123456789abcdef")
    assert verifier.verify(issued.token) == tokens.verify(issued.token)


# --- what proves nothing ---


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "somebody-else"},
        {"aud": None},
        {"iss": "https://evil.example/"},
        {"iss": None},
        {"exp": START},
        {"exp": None},
        {"exp": True},
        {"exp": 1e300},
        {"nbf": START + 31},
        {"iat": START + 31},
        {"sub": None},
        {"sub": ""},
        {"sub": "two words"},
        {"sub": "x" * 65},
        {"name": None},
        {"name": "\u202e"},
        {"name": None, "email": "ann@example.org"},
    ],
)
def test_wrong_audience_issuer_or_time_is_rejected_and_not_repeated(verifier_and_sign, changes):
    verifier, sign = verifier_and_sign
    token = sign(**changes)
    with pytest.raises(InvalidToken, match="^token refused: ") as caught:
        verifier.verify(token)
    assert token not in str(caught.value)


def test_a_forged_signature_is_refused(by_key, by_secret):
    for verifier, token in [
        (by_secret, with_secret(b"another secret of 32 bytes......")),
        (by_secret, with_secret(bytes(48), "HS384")),
        (by_key, with_key(STRANGER)),
        (by_key, with_key(STRANGER, kid="stranger")),
        (by_key, with_key(kid=None)),
        (by_key, with_key(EC, "ES256", "rsa")),
        (by_key, jwt.encode(claims(), "", "none", headers={"kid": "rsa"})),
    ]:
        with pytest.raises(InvalidToken, match="^token refused: "):
            verifier.verify(token)


def test_a_public_key_is_no_secret(by_key):
    """The classic: HS256, signed with the public key that everybody knows."""
    public = json.dumps(RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)).encode()
    header = {"alg": "HS256", "typ": "JWT", "kid": "rsa"}
    signed = b".".join(_base64(json.dumps(part).encode()) for part in (header, claims()))
    signature = hmac.new(public, signed, hashlib.sha256).digest()
    with pytest.raises(InvalidToken, match="another algorithm"):
        by_key.verify(b".".join([signed, _base64(signature)]).decode())


def test_a_key_that_is_published_for_encryption_signs_nothing(server, by_key):
    server.keys[1]["use"] = "enc"
    with pytest.raises(InvalidToken, match="unknown key"):
        by_key.verify(with_key(EC, "ES256", "ec"))


@given(st.text(max_size=200) | st.sampled_from(["a.b.c", "e30.e30.e30", "eyJhbGciOiJSUzI1NiJ9.e30."]))
def test_no_text_makes_verification_fail_in_another_way(text):
    by_secret = JwtVerifier(SharedSecret(lambda: SECRET), audience="chat", issuer=None, clock=FakeClock())
    with pytest.raises(InvalidToken, match="^token refused: "):
        by_secret.verify(text)


@pytest.mark.parametrize("text", ["", "nonsense", "a.b.c", "e30.e30.e30", "\ud800"])
def test_nonsense_asks_the_key_server_for_nothing(server, by_key, text):
    with pytest.raises(InvalidToken):
        by_key.verify(text)
    assert server.asked == 0


# --- keys and secrets change, and servers fail ---


class ChangingSecret:
    """A secret that changes, or cannot be fetched; ``asked`` counts."""

    def __init__(self) -> None:
        self.secret: bytes | None = SECRET
        self.asked = 0

    def __call__(self) -> bytes:
        self.asked += 1
        if self.secret is None:
            raise VerifierUnavailable("TOKEN_SECRET_PARAMETER /x: down")
        return self.secret


@pytest.fixture
def secrets():
    return ChangingSecret()


@pytest.fixture
def by_changing_secret(secrets, clock):
    return JwtVerifier(SharedSecret(secrets, clock=clock), audience="chat", issuer=None, clock=clock)


def long_lived(**changes: Any) -> dict[str, Any]:
    return {"exp": START + 10 * STALE_SECONDS, **changes}


def test_keys_and_secrets_are_fetched_once_for_many_tokens(server, by_key, secrets, by_changing_secret):
    for _ in range(3):
        by_key.verify(with_key())
        by_changing_secret.verify(with_secret())
    assert server.asked == secrets.asked == 1


def test_secret_is_replaced_after_five_minutes(secrets, by_changing_secret, clock):
    old = with_secret(**long_lived())
    by_changing_secret.verify(old)
    secrets.secret = bytes(32)
    clock.advance(LIFETIME_SECONDS - 1)
    by_changing_secret.verify(old)
    assert secrets.asked == 1
    clock.advance(1)
    with pytest.raises(InvalidToken):
        by_changing_secret.verify(old)
    assert secrets.asked == 2


def test_a_new_secret_counts_as_soon_as_somebody_signs_with_it(secrets, by_changing_secret, clock):
    by_changing_secret.verify(with_secret())
    secrets.secret = bytes(32)
    clock.advance(AGAIN_SECONDS)
    assert by_changing_secret.verify(with_secret(bytes(32))).name == "Ann"


def test_a_new_key_counts_as_soon_as_somebody_signs_with_it(server, by_key, clock):
    by_key.verify(with_key())
    server.keys.append(
        {**RSAAlgorithm.to_jwk(STRANGER.public_key(), as_dict=True), "kid": "new", "use": "sig"}
    )
    clock.advance(AGAIN_SECONDS)
    assert by_key.verify(with_key(STRANGER, kid="new")).name == "Ann"


def test_strangers_cannot_make_us_ask_again_and_again(server, by_key, secrets, by_changing_secret, clock):
    for number in range(5):
        with pytest.raises(InvalidToken):
            by_key.verify(with_key(STRANGER, kid=f"made-up-{number}"))
        with pytest.raises(InvalidToken):
            by_changing_secret.verify(with_secret(b"x" * 32))
    assert server.asked == secrets.asked == 1
    clock.advance(AGAIN_SECONDS)
    server.text = "broken"
    secrets.secret = None
    for number in range(5):
        with pytest.raises(InvalidToken):
            by_key.verify(with_key(STRANGER, kid=f"made-up-{number}"))
        with pytest.raises(InvalidToken):
            by_changing_secret.verify(with_secret(b"x" * 32))
    assert server.asked == secrets.asked == 2


@pytest.mark.parametrize("text", ["broken", "not json", "[]", '{"keys": []}', "{}", "hang up"])
def test_a_key_server_that_fails_says_nothing_about_the_token(server, by_key, text):
    server.text = text
    with pytest.raises(VerifierUnavailable, match="^JWKS_URL: "):
        by_key.verify(with_key())
    server.text = None
    assert by_key.verify(with_key()).name == "Ann"


def test_a_secret_that_cannot_be_had_says_nothing_about_the_token(secrets, by_changing_secret):
    secrets.secret = None
    with pytest.raises(VerifierUnavailable, match="TOKEN_SECRET_PARAMETER"):
        by_changing_secret.verify(with_secret())
    secrets.secret = SECRET
    assert by_changing_secret.verify(with_secret()).name == "Ann"


def test_stale_keys_are_used_for_an_hour_while_fetching_fails(
    server, by_key, secrets, by_changing_secret, clock, caplog
):
    by_key.verify(with_key())
    by_changing_secret.verify(with_secret())
    server.text, secrets.secret = "hang up", None
    clock.advance(LIFETIME_SECONDS)
    for _ in range(3):
        assert by_key.verify(with_key(**long_lived())).name == "Ann"
        assert by_changing_secret.verify(with_secret(**long_lived())).name == "Ann"
    assert (server.asked, secrets.asked) == (2, 2)  # not every handshake waits for it
    assert "the token secret could not be fetched: TOKEN_SECRET_PARAMETER /x: down" in caplog.messages
    clock.advance(STALE_SECONDS - LIFETIME_SECONDS - 1)
    assert by_key.verify(with_key(**long_lived())).name == "Ann"
    assert by_changing_secret.verify(with_secret(**long_lived())).name == "Ann"
    clock.advance(1)
    for verifier, token in (
        (by_key, with_key(**long_lived())),
        (by_changing_secret, with_secret(**long_lived())),
    ):
        with pytest.raises(VerifierUnavailable, match="could not be fetched again for an hour"):
            verifier.verify(token)
    server.text, secrets.secret = None, SECRET
    clock.advance(AGAIN_SECONDS)
    assert by_key.verify(with_key(**long_lived())).name == "Ann"
    assert by_changing_secret.verify(with_secret(**long_lived())).name == "Ann"


def test_a_clock_that_was_set_back_keeps_no_key_for_ever(secrets, by_changing_secret, clock):
    clock.advance(100 * STALE_SECONDS)
    by_changing_secret.verify(with_secret(exp=START + 200 * STALE_SECONDS))
    clock.advance(-100 * STALE_SECONDS)
    secrets.secret = bytes(32)
    with pytest.raises(InvalidToken):
        by_changing_secret.verify(with_secret())
    assert secrets.asked == 2


@pytest.mark.parametrize("secret", [b"", b"x" * 31])
def test_a_secret_that_could_be_guessed_is_used_for_nothing(clock, secret):
    verifier = JwtVerifier(SharedSecret(lambda: secret), audience="chat", issuer=None, clock=clock)
    with pytest.raises(VerifierUnavailable, match="at least 32 bytes"):
        verifier.verify(with_secret())
