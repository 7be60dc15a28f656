"""A backend on AWS that records the calls of each function, so that a test can compare calls and rights."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from backend.auth.tokens import SECRET_BYTES
from backend.aws.app import Cloud, read_settings, verifier_and_issuer
from backend.gateway.aws import AwsGateway
from backend.store.dynamodb import DynamoStore, dynamodb_client
from tests.backend.aws.cloud_template import WAYS, ResolvedTemplate, Template
from tests.backend.aws.management import Answer, Management
from tests.backend.fakes import ApiGateway
from tests.backend.store.dynamodb import create_table
from tests.support.server import secret_of

#: The rights that calls take, where another word stands for them.
RIGHTS = {
    "dynamodb:Delete": "dynamodb:DeleteItem",
    "dynamodb:Put": "dynamodb:PutItem",
    "dynamodb:ConditionCheck": "dynamodb:ConditionCheckItem",
    "apigatewaymanagementapi:PostToConnection": "execute-api:ManageConnections POST",
    "apigatewaymanagementapi:DeleteConnection": "execute-api:ManageConnections DELETE",
}


class RecordedBackend(ApiGateway):
    """A backend on moto that records every call under the function that made it.

    Each event meets a function that has just started, which therefore has to fetch the secret. ``gone`` get 410;
    ``before_transaction`` runs once, before the next one.
    """

    def __init__(self, clock: Callable[[], float], monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(self._run_function)
        template = Template()
        self.used: dict[str, set[str]] = defaultdict(set)
        self.gone: set[str] = set()
        self.before_transaction: Callable[[], None] | None = None
        self._function = ""
        self._authorizer = template.authorizer
        self._functions = {**template.routes("WebSocketApi"), **template.routes("HttpApi")}
        self._settings = read_settings(ResolvedTemplate(template.data, WAYS["open"]).environment)
        self._clock = clock
        session = boto3.Session()
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
        secret = {"Name": self._settings.secret_parameter, "Value": "s" * SECRET_BYTES}
        boto3.client("ssm").put_parameter(Type="SecureString", **secret)
        table = create_table(dynamodb_client())
        session.events.register("provide-client-params", self._on_call)
        self.store = DynamoStore(dynamodb_client(), table, clock=clock)
        gone, there = Answer(410, "GoneException"), Answer(200)
        management = Management(lambda request: gone if request.connection_id in self.gone else there)
        self.gateway = AwsGateway(management.client, threads=2, sleep=lambda seconds: None)

    def ticket(self, name: str) -> str:
        """Return a ticket from POST /ticket."""
        return str(self.post(authorization=f"Bearer {self.token(name)}")[1]["ticket"])

    def token(self, name: str) -> str:
        """Return a token from POST /token."""
        body = json.dumps({"name": name, "clientSecret": secret_of(name)})
        return str(self.post("/token", body=body, **{"content-type": "application/json"})[1]["token"])

    def _run_function(self, happened: dict[str, Any]) -> Any:
        route = happened.get("routeKey") or happened["requestContext"]["routeKey"]
        self._function = self._authorizer if "methodArn" in happened else self._functions[route]
        settings, clock = self._settings, self._clock
        verifier, issuer = verifier_and_issuer(settings, clock=clock)
        started = Cloud(settings, self.store, verifier, lambda _: self.gateway, issuer=issuer, clock=clock)
        return started.handle(happened)

    def _on_call(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        actions = params.get("TransactItems", [])
        if actions and self.before_transaction is not None:
            happen, self.before_transaction = self.before_transaction, None
            happen()
        for verb in [verb for action in actions for verb in action] or [model.name]:
            call = f"{model.service_model.service_name}:{verb}"
            self.used[self._function].add(RIGHTS.get(call, call))


def everything_that_can_happen(recorded: RecordedBackend) -> None:
    """Play a conversation that takes every branch with a call to AWS once."""

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
    recorded.gone.add("b=")
    say("a=", "sendMessage", clientMessageId="c-2", roomId="general", content="hi")
    recorded.leave("c=")
    recorded.leave("c=")
    # Somebody else removes the connection between the reading and the deleting.
    recorded.before_transaction = lambda: recorded.store.delete("CONNECTION#d=", "METADATA")
    recorded.leave("d=")
