"""A backend on AWS that remembers which function made which call, so that a test can compare calls and rights."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from backend.authorizer import allows, context_of
from backend.cloud import Cloud, Settings, verifier_and_issuer
from backend.gateway.aws import AwsGateway
from backend.rate import BURST, PER_SECOND, Rate
from backend.store.base import Store
from backend.store.dynamodb import DynamoStore
from backend.tokens import SECRET_BYTES
from chat.protocol import UP_FRAMES
from tests.backend.cloud_template import Template
from tests.backend.fakes import event

TRANSACTED = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Update": "UpdateItem",
}


class RecordingClient:
    """Stands in for one of boto3's clients: remembers which right each call takes, and finds next to nothing."""

    def __init__(self, service: str, record: Callable[[str], None], **answers: Any) -> None:
        self._service = service
        self._record = record
        self._answers = answers

    def transact_write_items(self, **arguments: Any) -> Any:
        for (verb,) in arguments["TransactItems"]:
            self._record(f"{self._service}:{TRANSACTED[verb]}")

    def __getattr__(self, name: str) -> Any:
        words = "".join(word.capitalize() for word in name.split("_"))

        def call(**arguments: Any) -> Any:
            self._record(f"{self._service}:{words}")
            return self._answers.get(name)

        return call


class RecordingStore:
    """Does everything twice: in a store that works, and in a DynamoStore, which shows what it would call.

    ``before_transact`` runs once, before the next transaction.
    """

    def __init__(self, store: Store, shadow: DynamoStore) -> None:
        self._store = store
        self._shadow = shadow
        self.before_transact = lambda: None

    def __getattr__(self, name: str) -> Any:
        def both(*arguments: Any, **named: Any) -> Any:
            if name == "transact":
                happen, self.before_transact = self.before_transact, lambda: None
                happen()
            getattr(self._shadow, name)(*arguments, **named)
            return getattr(self._store, name)(*arguments, **named)

        return both


class RecordingApi:
    """Stands in for boto3's management client; ``gone`` get 410."""

    def __init__(self, record: Callable[[str], None]) -> None:
        self._record = record
        self.gone: set[str] = set()

    def post_to_connection(self, **request: Any) -> None:
        self._record("execute-api:ManageConnections POST")
        if request["ConnectionId"] in self.gone:
            raise ClientError({"Error": {"Code": "GoneException"}}, "PostToConnection")

    def delete_connection(self, **request: Any) -> None:
        self._record("execute-api:ManageConnections DELETE")


class Recorded:
    """Responsible for a backend on AWS of which every call is remembered under the function that made it.

    Each event meets a function that has just started, which therefore has to fetch the secret.
    """

    def __init__(
        self,
        template: Template,
        store: Store,
        clock: Callable[[], float],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.used: dict[str, set[str]] = defaultdict(set)
        self._function = ""
        self._template = template
        self._authorizers: dict[str, dict[str, str]] = {}
        table = RecordingClient(
            "dynamodb", self._record, get_item={}, batch_get_item={"Responses": {}}, query={"Items": []}
        )
        ssm = RecordingClient("ssm", self._record, get_parameter={"Parameter": {"Value": "s" * SECRET_BYTES}})
        monkeypatch.setattr(boto3, "client", lambda service, **more: {"ssm": ssm}[service])
        self.store: Any = RecordingStore(store, DynamoStore(table, "t", clock=clock))
        self.api = RecordingApi(self._record)
        self.gateway = AwsGateway(self.api, threads=2, sleep=lambda seconds: None)
        settings = Settings(
            table="t",
            allowed_origins=frozenset(),
            secret_parameter="/kizuna/secret",
            open_sign_in=True,
            rate=Rate(PER_SECOND, BURST),
        )

        def started() -> Cloud:
            verifier, issuer = verifier_and_issuer(settings, clock=clock)
            return Cloud(
                settings, self.store, verifier, lambda endpoint: self.gateway, issuer=issuer, clock=clock
            )

        self._started = started

    # --- what happens ---

    def connect(self, connection_id: str, token: str) -> int:
        """The status of a handshake: the authorizer's no, or what $connect says."""
        happened = self._event("CONNECT", "$connect", connection_id, query={"token": token})
        answer = self._run(self._template.authorizer, {**happened, "type": "REQUEST", "methodArn": "arn:1"})
        if not allows(answer):
            return 403
        self._authorizers[connection_id] = context_of(answer)
        happened["requestContext"]["authorizer"] = self._authorizers[connection_id]
        return int(self._run(self._template.routes("WebSocketApi")["$connect"], happened)["statusCode"])

    def say(self, connection_id: str, action: str, **fields: Any) -> Any:
        """A frame, to the route of its action."""
        route = action if action in UP_FRAMES else "$default"
        happened = self._event("MESSAGE", route, connection_id, {"action": action, **fields})
        return self._run(self._template.routes("WebSocketApi")[route], happened)

    def leave(self, connection_id: str) -> Any:
        """A connection that ended."""
        happened = self._event("DISCONNECT", "$disconnect", connection_id)
        return self._run(self._template.routes("WebSocketApi")["$disconnect"], happened)

    def token(self, name: str) -> str:
        """A token from POST /token."""
        body = {"name": name, "clientSecret": f"the secret of {name}".ljust(20, ".")}
        return str(self._post("/token", json.dumps(body), {"content-type": "application/json"})["token"])

    def ticket(self, name: str) -> str:
        """A ticket from POST /ticket."""
        return str(self._post("/ticket", "", {"authorization": f"Bearer {self.token(name)}"})["ticket"])

    # --- inside ---

    def _post(self, path: str, body: str, headers: dict[str, str]) -> Any:
        happened = {
            "routeKey": f"POST {path}",
            "rawPath": path,
            "headers": headers,
            "requestContext": {"http": {"method": "POST"}},
            "body": body,
        }
        answer = self._run(self._template.routes("HttpApi")[f"POST {path}"], happened)
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])

    def _event(
        self, kind: str, route: str, connection_id: str, body: Any = None, **more: Any
    ) -> dict[str, Any]:
        authorizer = self._authorizers.get(connection_id)
        happened = event(kind, connection_id, body, authorizer=authorizer, **more)
        happened["requestContext"].update(domainName="d", stage="s", routeKey=route)
        return happened

    def _run(self, function: str, happened: dict[str, Any]) -> Any:
        self._function = function
        return self._started().handle(happened)

    def _record(self, action: str) -> None:
        self.used[self._function].add(action)


def everything_that_can_happen(recorded: Recorded) -> None:
    """A conversation in which every branch that calls AWS is taken once."""
    for connection_id, name in [("a=", "Ann"), ("b=", "Bob"), ("c=", "Cyd"), ("d=", "Dee")]:
        assert recorded.connect(connection_id, recorded.ticket(name)) == 200
        recorded.say(connection_id, "hello", v=1, rooms=[{"roomId": "general"}])
    assert recorded.connect("e=", recorded.token("Eve")) == 200
    assert recorded.connect("f=", "used or made up") == 403
    recorded.say("a=", "join", roomId="quiet")
    recorded.say("a=", "leave", roomId="quiet")
    for content in ("hi", "hi", "hi again"):  # stored, acknowledged again, refused
        recorded.say("a=", "sendMessage", clientMessageId="c-1", roomId="general", content=content)
    recorded.say("a=", "sync", roomId="general", after=0)
    recorded.say("a=", "history", roomId="general", before=5, limit=5)
    recorded.say("a=", "ping", t=1)
    recorded.say("a=", "typing", roomId="general")
    recorded.say("a=", "no such action")
    recorded.say("nobody=", "ping", t=1)  # bye, and closed
    recorded.api.gone.add("b=")
    recorded.say("a=", "sendMessage", clientMessageId="c-2", roomId="general", content="hi")
    recorded.leave("c=")
    recorded.leave("c=")
    # Somebody else removes the connection between the reading and the deleting.
    recorded.store.before_transact = lambda: recorded.store.delete("CONNECTION#d=", "METADATA")
    recorded.leave("d=")
