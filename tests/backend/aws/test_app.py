"""The backend as Lambda runs it: settings, origins, tickets over HTTP, and events of API Gateway's shape."""

import importlib
import json
import logging
import sys
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.stub import Stubber  # type: ignore[import-untyped]

from backend.auth.keys import VerifierUnavailable
from backend.auth.tokens import InvalidToken
from backend.aws import app as cloud
from backend.aws.app import Cloud, Misconfigured, Settings, read_settings, secret_in_ssm, verifier_and_issuer
from backend.limits.actions import ActionLimits
from backend.limits.rate_limit import BURST, BURST_NEW, PER_SECOND, Rate
from tests.backend.aws.aws_account import nobodys_account
from tests.backend.fakes import ApiGateway, FakeGateway

GOOD = {
    "TABLE_NAME": "kizuna",
    "TOKEN_SECRET_PARAMETER": "/kizuna/secret",
    "ALLOWED_ORIGINS": "https://chat.example.org",
}
BY_KEYS = {
    "TABLE_NAME": "kizuna",
    "ALLOWED_ORIGINS": "https://chat.example.org",
    "JWKS_URL": "https://id.example.org/jwks.json",
    "ISSUER": "https://id.example.org/",
    "AUDIENCE": "chat",
}
ORIGIN = "https://chat.example.org"


class CloudStage(ApiGateway):
    """A Cloud over one store, and the fake gateway of each management endpoint."""

    def __init__(self, store, tokens, clock, endpoint="", issuer=None):
        super().__init__(lambda happened: self.cloud.handle(happened))
        self.tokens = tokens
        self.gateways: dict[str, FakeGateway] = {}
        settings = Settings(table="kizuna", allowed_origins=frozenset({ORIGIN}), management_endpoint=endpoint)
        self.cloud = Cloud(settings, store, tokens, self._gateway, issuer=issuer, clock=clock)

    def token(self, name="Ann") -> str:
        token: str = self.tokens.issue(name, f"the secret of {name}".ljust(20, ".")).token
        return token

    def ticket(self, name="Ann") -> str:
        status, body, _ = self.post(authorization=f"Bearer {self.token(name)}", origin=ORIGIN)
        assert status == 200
        return str(body["ticket"])

    def connect(self, connection_id: str, token: str, origin: str | None = ORIGIN) -> int:
        return super().connect(connection_id, token, origin)

    def _gateway(self, endpoint: str) -> FakeGateway:
        assert endpoint not in self.gateways
        self.gateways[endpoint] = FakeGateway()
        return self.gateways[endpoint]


@pytest.fixture
def stage(store, tokens, clock):
    return CloudStage(store, tokens, clock)


def hello(room="general"):
    return {"action": "hello", "v": 1, "rooms": [{"roomId": room}]}


def send(text, client_message_id="c-1"):
    return {
        "action": "sendMessage",
        "clientMessageId": client_message_id,
        "roomId": "general",
        "content": text,
    }


# --- a conversation ---


def test_people_who_came_with_tickets_talk(stage):
    for connection_id, name in [("a=", "Ann"), ("b=", "Bob")]:
        assert stage.connect(connection_id, stage.ticket(name)) == 200
        assert stage.say(connection_id, hello()) == {"statusCode": 200}
    assert stage.say("a=", send("hi")) == {"statusCode": 200}
    (gateway,) = stage.gateways.values()
    assert [frame["content"] for frame in gateway.frames("b=", "message")] == ["hi"]
    pong = json.loads(stage.say("a=", {"action": "ping", "t": 1})["body"])
    assert [head["seq"] for head in pong["heads"]] == [1]


def test_the_management_api_is_where_the_event_says_and_has_one_client(stage):
    stage.connect("a=", stage.ticket())
    stage.say("a=", hello())
    stage.say("a=", hello())
    assert list(stage.gateways) == ["https://api.example.org/prod"]
    stage.say("a=", hello(), stage="beta")
    assert list(stage.gateways) == ["https://api.example.org/prod", "https://api.example.org/beta"]


def test_a_setting_says_better_where_the_management_api_is(store, tokens, clock):
    stage = CloudStage(store, tokens, clock, "https://abc.execute-api.eu-central-1.amazonaws.com/prod")
    stage.connect("a=", stage.ticket())
    stage.say("a=", hello())
    assert list(stage.gateways) == ["https://abc.execute-api.eu-central-1.amazonaws.com/prod"]


def test_who_leaves_is_forgotten(stage, store):
    stage.connect("a=", stage.ticket())
    stage.leave("a=")
    assert store.get("CONNECTION#a=", "METADATA") is None


# --- who gets in ---


def test_a_ticket_admits_one_connection(stage):
    ticket = stage.ticket()
    assert stage.connect("a=", ticket) == 200
    assert stage.connect("b=", ticket) == 403


def test_a_ticket_is_worthless_after_half_a_minute(stage, clock):
    ticket = stage.ticket()
    clock.advance(30)
    assert stage.connect("a=", ticket) == 403


def test_a_token_itself_admits_as_the_article_has_it(stage):
    assert stage.connect("a=", stage.token()) == 200


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
def test_nonsense_admits_nobody(stage, store, token):
    assert stage.connect("a=", token) == 403
    assert store.get("CONNECTION#a=", "METADATA") is None


def test_a_handshake_while_nobody_can_verify_is_a_fault_and_no_refusal(store, clock):
    class Unavailable:
        def verify(self, token):
            raise VerifierUnavailable("JWKS_URL: down")

    stage = CloudStage(store, Unavailable(), clock)
    with pytest.raises(VerifierUnavailable):
        stage.connect("a=", "a.b.c")
    assert stage.post(authorization="Bearer a.b.c")[0] == 503


def test_the_person_of_the_ticket_speaks_whatever_a_frame_says(stage, tokens):
    token = stage.token("Ann")
    _, body, _ = stage.post(authorization=f"Bearer {token}")
    stage.connect("a=", body["ticket"])
    stage.say("a=", hello())
    stage.say("a=", {**send("hi"), "senderId": "somebody-else", "senderName": "Bob"})
    (gateway,) = stage.gateways.values()
    (message,) = gateway.frames("a=", "message")
    assert (message["senderId"], message["senderName"]) == (tokens.verify(token).user_id, "Ann")


def test_a_connection_lives_no_longer_than_the_token_behind_its_ticket(stage, clock):
    stage.connect("a=", stage.ticket())
    stage.say("a=", hello())
    clock.advance(3600)
    stage.say("a=", send("too late"))
    (gateway,) = stage.gateways.values()
    assert gateway.frames("a=")[-1]["reason"] == "token_expired"
    assert gateway.closed == ["a="]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (ORIGIN, 200),
        (None, 200),  # no browser's page
        ("https://evil.example", 403),
        ("http://chat.example.org", 403),
        ("https://chat.example.org:8443", 403),
        ("https://chat.example.org.evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_only_pages_of_allowed_origins_get_in(stage, origin, status):
    assert stage.connect("a=", stage.token(), origin) == status
    headers = {} if origin is None else {"origin": origin}
    assert stage.post(authorization=f"Bearer {stage.token()}", **headers)[0] == status


def test_a_refused_origin_costs_the_ticket_nothing(stage):
    ticket = stage.ticket()
    assert stage.connect("a=", ticket, "https://evil.example") == 403
    assert stage.connect("b=", ticket) == 200


# --- tickets over HTTP ---


def test_a_ticket_is_json_that_nobody_may_keep(stage):
    status, body, headers = stage.post(authorization=f"Bearer {stage.token()}")
    assert (status, sorted(body), body["expiresIn"]) == (200, ["expiresIn", "ticket"], 30)
    assert headers == {"Content-Type": "application/json", "Cache-Control": "no-store"}


def test_a_token_in_the_body_gets_a_ticket_beside_a_gates_header(stage):
    status, body, _ = stage.post(body=json.dumps({"token": stage.token()}), authorization="Basic QTpC")
    assert status == 200
    assert stage.connect("a=", body["ticket"]) == 200


def test_without_a_good_token_there_is_none(stage):
    status, body, headers = stage.post(authorization="Bearer a.b.c")
    assert (status, body["code"], headers["WWW-Authenticate"]) == (401, "unauthorized", "Bearer")
    assert stage.post()[0] == 401


@pytest.mark.parametrize(("path", "method"), [("/token", "POST"), ("/ticket", "GET"), ("/", "POST")])
def test_there_is_nothing_else_over_http(stage, path, method):
    status, body, _ = stage.post(path, method)
    assert (status, body["message"]) == (404, "there is POST /ticket only")


# --- tokens over HTTP ---


@pytest.mark.parametrize("encode", [str, str.encode])
@pytest.mark.parametrize("named", ["", "prod"])
def test_open_sign_in_gives_everyone_a_token_and_a_ticket(store, tokens, clock, encode, named):
    stage = CloudStage(store, tokens, clock, issuer=lambda: tokens)
    assert stage.cloud.http_routes == {"POST /ticket", "POST /token"}
    application = json.dumps({"name": "絆", "clientSecret": "0123456789abcdef"}, ensure_ascii=False)
    answer = stage.post(
        "/token", body=encode(application), stage=named, origin=ORIGIN, **{"content-type": "application/json"}
    )
    assert answer[0] == 200
    _, body, _ = stage.post(authorization=f"Bearer {answer[1]['token']}", origin=ORIGIN)
    assert stage.connect("a=", body["ticket"]) == 200
    stage.say("a=", hello())
    stage.say("a=", send("hi"))
    (gateway,) = stage.gateways.values()
    (message,) = gateway.frames("a=", "message")
    assert (message["senderName"], message["senderId"]) == ("絆", answer[1]["userId"])


def test_no_token_ticket_or_text_stands_in_a_log_line(stage, clock, caplog):
    caplog.set_level(logging.DEBUG)
    tokens, tickets = [stage.token(), "x.y.z" * 9], [stage.ticket(), "no-such-ticket"]
    for number, secret in enumerate([*tokens, *tickets, tickets[0]]):
        stage.connect(f"c-{number}=", secret)
        stage.connect(f"d-{number}=", secret, "https://evil.example")
        stage.post(authorization=f"Bearer {secret}")
    stage.say("c-0=", hello())
    stage.say("c-0=", send("a text for nobody else"))
    next(iter(stage.gateways.values())).gone.add("c-0=")
    clock.advance(3600)
    stage.say("c-0=", send("another text", "c-2"))
    assert len(caplog.messages) > 5
    for secret in [*tokens, *tickets, "a text for nobody else", "another text"]:
        assert secret not in caplog.text


# --- settings ---


def test_settings_come_from_the_environment(monkeypatch):
    assert read_settings(GOOD) == Settings(
        table="kizuna",
        allowed_origins=frozenset({ORIGIN}),
        audience="kizuna",
        issuer=None,
        secret_parameter="/kizuna/secret",
        rate=Rate(PER_SECOND, BURST, BURST_NEW),
    )
    more = {**BY_KEYS, "RATE_LIMIT": "2.5", "RATE_BURST": "7", "RATE_BURST_NEW": "3"}
    more |= {"MOST_CONNECTIONS": "9", "TOKEN_LIMIT": "0.5", "TICKET_LIMIT": "0"}
    more |= {
        "MANAGEMENT_ENDPOINT": "https://x/prod",
        "TYPING_SECONDS": "0",
        "HELLO_LIMIT": "3",
        "ASK_LIMIT": "4",
    }
    more["ALLOWED_ORIGINS"] = "https://a.example, http://b.example:8000"
    assert read_settings(more) == Settings(
        table="kizuna",
        allowed_origins=frozenset({"https://a.example", "http://b.example:8000"}),
        audience="chat",
        issuer="https://id.example.org/",
        jwks_url="https://id.example.org/jwks.json",
        rate=Rate(2.5, 7, 3),
        actions=ActionLimits(0, 3, 4),
        most_connections=9,
        token_limit=0.5,
        ticket_limit=0,
        management_endpoint="https://x/prod",
    )


def test_no_rate_limit_can_be_had():
    assert read_settings({**GOOD, "RATE_LIMIT": "0"}).rate is None


@pytest.mark.parametrize("given", [GOOD, BY_KEYS])
def test_what_is_missing_or_empty_is_named(given):
    for name in given:
        without = {key: value for key, value in given.items() if key != name}
        for environment in (without, {**given, name: "  "}):
            with pytest.raises(Misconfigured, match=name):
                read_settings(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_ORIGINS", "chat.example.org"),
        ("ALLOWED_ORIGINS", "https://chat.example.org/"),
        ("ALLOWED_ORIGINS", "https://Chat.example.org"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://"),
        ("ALLOWED_ORIGINS", "https://chat.example.org:443"),
        ("ALLOWED_ORIGINS", "https://*.example.org"),
        ("ALLOWED_ORIGINS", "https://chat.example.org:99999"),
        ("ALLOWED_ORIGINS", "http://somebody@chat.example.org"),
        ("MANAGEMENT_ENDPOINT", "wss://abc.example.org/prod"),
        ("MANAGEMENT_ENDPOINT", "https://abc.example.org/prod/@connections"),
        ("MANAGEMENT_ENDPOINT", "http://abc.example.org/prod"),
        ("MANAGEMENT_ENDPOINT", "abc.example.org/prod"),
        ("JWKS_URL", "https://both.example.org/jwks.json"),
        ("RATE_LIMIT", "fast"),
        ("RATE_LIMIT", "-1"),
        ("RATE_LIMIT", "nan"),
        ("RATE_LIMIT", "10001"),
        ("RATE_BURST", "0"),
        ("RATE_BURST", "1.5"),
        ("RATE_BURST_NEW", "-1"),
        ("TYPING_SECONDS", "often"),
        ("HELLO_LIMIT", "-1"),
        ("ASK_LIMIT", "many"),
        ("MOST_CONNECTIONS", "-1"),
        ("TOKEN_LIMIT", "few"),
        ("TICKET_LIMIT", "-1"),
        ("OPEN_SIGN_IN", "true"),
    ],
)
def test_what_nothing_can_be_done_with_is_named(name, value):
    with pytest.raises(Misconfigured, match=name):
        read_settings({**GOOD, name: value})


@pytest.mark.parametrize("given", [BY_KEYS, {**GOOD, "AUDIENCE": "chat"}, {**GOOD, "ISSUER": "us"}])
def test_tokens_that_nobody_here_would_believe_are_not_issued(given):
    with pytest.raises(Misconfigured, match="OPEN_SIGN_IN"):
        read_settings({**given, "OPEN_SIGN_IN": "yes"})


def test_keys_are_fetched_over_tls_alone():
    with pytest.raises(Misconfigured, match="JWKS_URL must begin with https://"):
        read_settings({**BY_KEYS, "JWKS_URL": "http://id.example.org/jwks.json"})


# --- the secret ---


@nobodys_account()
def test_the_secret_is_read_decrypted_from_its_parameter():
    ssm = boto3.client("ssm")
    with Stubber(ssm) as stub:
        value = {"Parameter": {"Name": "/kizuna/secret", "Value": "x" * 32 + "\n"}}
        stub.add_response("get_parameter", value, {"Name": "/kizuna/secret", "WithDecryption": True})
        assert secret_in_ssm(ssm, "/kizuna/secret")() == b"x" * 32


@nobodys_account()
def test_a_parameter_that_cannot_be_read_is_named():
    ssm = boto3.client("ssm")
    with Stubber(ssm) as stub:
        stub.add_client_error("get_parameter", "ParameterNotFound")
        with pytest.raises(VerifierUnavailable, match="TOKEN_SECRET_PARAMETER /kizuna/secret"):
            secret_in_ssm(ssm, "/kizuna/secret")()


@nobodys_account()
def test_fetching_the_secret_times_out_before_lambda_does(monkeypatch):
    clients = []
    make = boto3.client

    def remember(*arguments: Any, **more: Any) -> Any:
        clients.append(make(*arguments, **more))
        return clients[-1]

    monkeypatch.setattr(boto3, "client", remember)
    verifier_and_issuer(read_settings(GOOD))
    (config,) = [client.meta.config for client in clients]
    attempts = config.retries["total_max_attempts"]
    assert attempts * (config.connect_timeout + config.read_timeout) < 29


@pytest.mark.parametrize("given", [GOOD, BY_KEYS])
@nobodys_account()
def test_keys_are_fetched_only_when_a_token_is_verified(given):
    verifier, issuer = verifier_and_issuer(read_settings(given))
    with pytest.raises(InvalidToken):
        verifier.verify("nonsense\xff")
    assert issuer is None


@nobodys_account()
def test_tokens_that_are_issued_here_are_verified_here(monkeypatch):
    monkeypatch.setattr(cloud, "secret_in_ssm", lambda ssm, name: lambda: bytes(range(32)))
    verifier, issuer = verifier_and_issuer(read_settings({**GOOD, "OPEN_SIGN_IN": "yes"}))
    assert issuer is not None
    issued = issuer().issue("Ann", "0123456789abcdef")
    assert verifier.verify(issued.token).user_id == issued.user_id


# --- the entry ---


@nobodys_account()
def test_lambda_loads_a_handler_that_answers(monkeypatch):
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "backend.aws.lambda_handler", raising=False)
    entry = importlib.import_module("backend.aws.lambda_handler")
    monkeypatch.delitem(sys.modules, "backend.aws.lambda_handler")
    http = {"method": "POST", "path": "/ticket"}
    answer = entry.handler(
        {"routeKey": "POST /ticket", "rawPath": "/ticket", "requestContext": {"http": http}}, None
    )
    assert answer["statusCode"] == 401


@nobodys_account()
def test_a_cold_start_without_its_settings_says_which(monkeypatch):
    for name in [*GOOD, *BY_KEYS]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "backend.aws.lambda_handler", raising=False)
    with pytest.raises(Misconfigured, match="TOKEN_SECRET_PARAMETER or JWKS_URL"):
        importlib.import_module("backend.aws.lambda_handler")
