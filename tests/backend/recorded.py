"""A backend on AWS that remembers which function made which call, so that a test can compare calls and rights."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from backend.cloud import Cloud, Settings, verifier_and_issuer
from backend.gateway.aws import AwsGateway
from backend.rate import BURST, PER_SECOND, Rate
from backend.store.base import Store
from backend.store.dynamodb import DynamoStore
from backend.tokens import SECRET_BYTES
from chat.protocol import UP_FRAMES
from tests.backend.api_gateway import AUTHORIZER, ApiGateway
from tests.backend.cloud_template import Template
from tests.support.server import secret_of

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


class RecordingManagement:
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


class Recorded(ApiGateway):
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
        super().__init__(self._run_function)
        self.used: dict[str, set[str]] = defaultdict(set)
        self._function = ""
        self._functions = {
            AUTHORIZER: template.authorizer,
            **template.routes("WebSocketApi"),
            **template.routes("HttpApi"),
        }
        self._clock = clock
        table = RecordingClient(
            "dynamodb", self._record, get_item={}, batch_get_item={"Responses": {}}, query={"Items": []}
        )
        ssm = RecordingClient("ssm", self._record, get_parameter={"Parameter": {"Value": "s" * SECRET_BYTES}})
        monkeypatch.setattr(boto3, "client", lambda service, **more: {"ssm": ssm}[service])
        self.store: Any = RecordingStore(store, DynamoStore(table, "t", clock=clock))
        self.management = RecordingManagement(self._record)
        self.gateway = AwsGateway(self.management, threads=2, sleep=lambda seconds: None)

    def say(self, connection_id: str, frame: dict[str, Any], *_: str, **context: str) -> Any:
        """A frame, to the route of its action."""
        action = frame["action"]
        return super().say(connection_id, frame, action if action in UP_FRAMES else "$default", **context)

    def token(self, name: str) -> str:
        """A token from POST /token."""
        body = json.dumps({"name": name, "clientSecret": secret_of(name)})
        return str(self.post("/token", body=body, **{"content-type": "application/json"})[1]["token"])

    def ticket(self, name: str) -> str:
        """A ticket from POST /ticket."""
        return str(self.post(authorization=f"Bearer {self.token(name)}")[1]["ticket"])

    def _run_function(self, route: str, happened: dict[str, Any]) -> Any:
        self._function = self._functions[route]
        settings = Settings(
            table="t",
            allowed_origins=frozenset(),
            secret_parameter="/kizuna/secret",
            open_sign_in=True,
            rate=Rate(PER_SECOND, BURST),
        )
        verifier, issuer = verifier_and_issuer(settings, clock=self._clock)
        started = Cloud(
            settings, self.store, verifier, lambda endpoint: self.gateway, issuer=issuer, clock=self._clock
        )
        return started.handle(happened)

    def _record(self, action: str) -> None:
        self.used[self._function].add(action)


def everything_that_can_happen(recorded: Recorded) -> None:
    """A conversation in which every branch that calls AWS is taken once."""

    def say(connection_id: str, action: str, **fields: Any) -> None:
        recorded.say(connection_id, {"action": action, **fields})

    for connection_id, name in [("a=", "Ann"), ("b=", "Bob"), ("c=", "Cyd"), ("d=", "Dee")]:
        assert recorded.connect(connection_id, recorded.ticket(name)) == 200
        say(connection_id, "hello", v=1, rooms=[{"roomId": "general"}])
    assert recorded.connect("e=", recorded.token("Eve")) == 200
    assert recorded.connect("f=", "used or made up") == 403
    say("a=", "join", roomId="quiet")
    say("a=", "leave", roomId="quiet")
    for content in ("hi", "hi", "hi again"):  # stored, acknowledged again, refused
        say("a=", "sendMessage", clientMessageId="c-1", roomId="general", content=content)
    say("a=", "sync", roomId="general", after=0)
    say("a=", "history", roomId="general", before=5, limit=5)
    say("a=", "ping", t=1)
    say("a=", "typing", roomId="general")
    say("a=", "no such action")
    say("nobody=", "ping", t=1)  # bye, and closed
    recorded.management.gone.add("b=")
    say("a=", "sendMessage", clientMessageId="c-2", roomId="general", content="hi")
    recorded.leave("c=")
    recorded.leave("c=")
    # Somebody else removes the connection between the reading and the deleting.
    recorded.store.before_transact = lambda: recorded.store.delete("CONNECTION#d=", "METADATA")
    recorded.leave("d=")
