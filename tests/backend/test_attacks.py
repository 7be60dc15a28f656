"""Attacks on the server of one machine and on the functions on AWS: all of them fail."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import jwt
import pytest

from backend.auth.keys import SharedSecret
from backend.auth.tokens import AUDIENCE, Tokens, load_secret
from backend.auth.verification import JwtVerifier
from backend.aws.app import Cloud, Settings
from backend.store.sqlite import SqliteStore
from tests.backend.conftest import SECRET
from tests.backend.fakes import ApiGateway, FakeClock, FakeGateway, Ids
from tests.support.peer import SocketClient, knock
from tests.support.server import KizunaServer, post

ORIGIN = "https://chat.example.org"
EVIL = "https://evil.example"
CLIENT_SECRETS = {"Ann": "the secret of Ann ...", "Bob": "the secret of Bob ..."}

Frame = dict[str, Any]


class Target(Protocol):
    """The backend as a client sees it, and its log."""

    secret: bytes  #: what tokens are signed with
    now: int  #: epoch seconds

    def knock(self, token: str, origin: str | None = ORIGIN) -> int:
        """Return the status of a handshake with this in its URL, 101 if it lets in; who gets in leaves at once."""

    def ask(self, token: str, origin: str | None = ORIGIN) -> tuple[int, str]:
        """Return the status of POST /ticket with this as bearer token, and the ticket or what was wrong."""

    def talk(self, said: dict[str, list[Frame]]) -> dict[str, list[Frame]]:
        """Let people be in room general and send frames, one after the other: the messages that each then got."""

    def log(self) -> str:
        """Return every line logged so far."""


class LocalTarget:
    """The real server process."""

    def __init__(self, folder: Path) -> None:
        store = SqliteStore(folder / "k.sqlite3")
        self.secret = load_secret(store)  # made before the server starts, which lets nobody else in
        store.close()
        self._server = KizunaServer(folder / "k.sqlite3", ALLOWED_ORIGINS=ORIGIN).start()
        self._socket_url = f"{self._server.url.replace('http', 'ws', 1)}/ws?token="
        self.now = int(time.time())

    def knock(self, token: str, origin: str | None = ORIGIN) -> int:
        return knock(f"{self._socket_url}{token}", origin)

    def ask(self, token: str, origin: str | None = ORIGIN) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} | ({} if origin is None else {"Origin": origin})
        status, answer = post(f"{self._server.url}/ticket", **headers)
        return status, answer.get("ticket") or answer["message"]

    def talk(self, said: dict[str, list[Frame]]) -> dict[str, list[Frame]]:
        tickets = {name: self.ask(good_token(self, name))[1] for name in said}
        people = {name: SocketClient.enter(self._socket_url + ticket) for name, ticket in tickets.items()}
        got: dict[str, list[Frame]] = {name: [] for name in said}
        for speaker, frames in said.items():
            for frame in frames:
                people[speaker].send(**frame)
                for name, person in people.items():
                    got[name].append(person.read("message"))
        for person in people.values():
            person.leave()
        return got

    def log(self) -> str:
        return self._server.output

    def close(self) -> None:
        self._server.kill()


class AwsTarget:
    """The functions, with the gateway's part played here and tokens signed with the shared secret."""

    def __init__(self, store: SqliteStore, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        self.secret, self.now = SECRET, int(clock())
        self._caplog, self._ids, self._gateway = caplog, Ids("c-"), FakeGateway()
        settings = Settings(table="t", allowed_origins=frozenset({ORIGIN}))
        verifier = JwtVerifier(SharedSecret(lambda: SECRET), audience=AUDIENCE, issuer=None, clock=clock)
        cloud = Cloud(settings, store, verifier, lambda endpoint: self._gateway, clock=clock)
        self._api = ApiGateway(cloud.handle)

    def knock(self, token: str, origin: str | None = ORIGIN) -> int:
        status = self._api.connect(self._ids(), token, origin)
        return 101 if status == 200 else status

    def ask(self, token: str, origin: str | None = ORIGIN) -> tuple[int, str]:
        headers = {"authorization": f"Bearer {token}"} | ({} if origin is None else {"origin": origin})
        status, body, _ = self._api.post(**headers)
        return status, body.get("ticket") or body["message"]

    def talk(self, said: dict[str, list[Frame]]) -> dict[str, list[Frame]]:
        hello = {"action": "hello", "v": 1, "rooms": [{"roomId": "general"}]}
        for name in said:
            assert self._api.connect(name, self.ask(good_token(self, name))[1], ORIGIN) == 200
            assert self._api.say(name, hello) == {"statusCode": 200}
        for name, frames in said.items():
            for frame in frames:
                assert self._api.say(name, frame) == {"statusCode": 200}
        return {name: self._gateway.frames(name, "message") for name in said}

    def log(self) -> str:
        return self._caplog.text


@pytest.fixture(scope="module")
def one_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    made = LocalTarget(tmp_path_factory.mktemp("data"))
    yield made
    made.close()


@pytest.fixture(params=["one machine", "aws"])
def place(request: pytest.FixtureRequest) -> Target:
    fixture = request.getfixturevalue
    if request.param == "aws":
        return AwsTarget(fixture("sqlite"), fixture("clock"), fixture("caplog"))
    made: LocalTarget = fixture("one_machine")
    return made


def claims(place: Target, **changes: Any) -> Frame:
    """Return the claims of a good token of Ann, with changes; None leaves a claim out."""
    good = {"sub": "ann-1", "name": "Ann", "aud": AUDIENCE, "iat": place.now, "exp": place.now + 600}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def good_token(place: Target, name: str) -> str:
    """Return a token as POST /token issues it."""
    issuer = Tokens(place.secret, clock=lambda: place.now)
    return issuer.issue(name, CLIENT_SECRETS[name]).token


def signed(place: Target, **changes: Any) -> str:
    """Return a token with the right signature."""
    return jwt.encode(claims(place, **changes), place.secret, "HS256")


FORGERIES: dict[str, Callable[[Target], str]] = {
    "signed with another secret": lambda place: jwt.encode(claims(place), b"x" * 32, "HS256"),
    "signed with nothing": lambda place: jwt.encode(claims(place), "", "none"),
    "signed in another way": lambda place: jwt.encode(claims(place), place.secret * 2, "HS512"),
    "another person put into a good one": lambda place: ".".join(
        [
            signed(place).split(".")[0],
            signed(place, sub="bob-1").split(".")[1],
            signed(place).split(".")[2],
        ]
    ),
    "expired": lambda place: signed(place, exp=place.now - 1),
    "without an end": lambda place: signed(place, exp=None),
    "from the future": lambda place: signed(place, iat=place.now + 3600, exp=place.now + 7200),
    "for another audience": lambda place: signed(place, aud="another-service"),
    "for no audience": lambda place: signed(place, aud=None),
    "of nobody": lambda place: signed(place, sub=None),
    "a word": lambda place: "letmein",
}


def test_what_is_tried_below_would_succeed_with_a_good_token(place):
    token = good_token(place, "Ann")
    assert place.knock(signed(place)) == place.knock(token) == 101
    status, ticket = place.ask(token)
    assert (status, place.knock(ticket)) == (200, 101)


def test_no_forged_token_opens_a_door_or_stands_in_a_log_line(place):
    for name, forge in FORGERIES.items():
        token = forge(place)
        assert place.knock(token) == 403, name
        status, message = place.ask(token)
        assert status == 401, name
        for text in (message, place.log()):
            assert token not in text, name
            assert not any(part in text for part in token.split(".")[1:] if part), name
    assert "refused" in place.log()


def test_a_ticket_opens_once_whoever_reads_it_afterwards(place):
    _, ticket = place.ask(good_token(place, "Ann"))
    assert [place.knock(ticket) for _ in range(3)] == [101, 403, 403]
    assert place.ask(ticket)[0] == 401  # nor does it buy another
    assert ticket not in place.log()


def test_a_page_of_another_origin_gets_in_nowhere_and_spoils_nothing(place):
    token = good_token(place, "Ann")
    _, ticket = place.ask(token)
    for origin in (EVIL, "null", f"{ORIGIN}.evil.example", ORIGIN.replace("https", "http")):
        assert place.knock(token, origin) == place.knock(ticket, origin) == 403
        assert place.ask(token, origin)[0] == 403
    assert place.knock(ticket) == 101
    assert place.knock(token, None) == 101  # no page of a browser: nobody is misled


def test_nobody_acts_as_somebody_else_whatever_their_frames_say(place):
    issuer = Tokens(place.secret, clock=lambda: place.now)
    ann, bob = (
        issuer.verify(issuer.issue(name, CLIENT_SECRETS[name]).token).user_id for name in ("Ann", "Bob")
    )
    message = {"action": "sendMessage", "roomId": "general", "clientMessageId": "c-1"}
    as_bob = {
        "senderId": bob,
        "senderName": "Bob",
        "userId": bob,
        "connectionId": "Bob",
        "seq": 99,
        "timestamp": 1,
        "requestContext": {"authorizer": {"principalId": bob, "name": "Bob"}, "connectionId": "Bob"},
    }
    got = place.talk(
        {
            "Ann": [{**message, "content": "I am Bob", **as_bob}],
            # Ann has used Bob's id already: that is hers, and takes nothing from him.
            "Bob": [{**message, "content": "I am Bob, really"}],
        }
    )
    assert got["Ann"] == got["Bob"]
    said = [(m["senderId"], m["senderName"], m["seq"], m["content"]) for m in got["Ann"]]
    assert said == [(ann, "Ann", 1, "I am Bob"), (bob, "Bob", 2, "I am Bob, really")]
    assert got["Ann"][0]["timestamp"] != 1
    assert "really" not in place.log()
