"""The backend as `make deploy` puts it on AWS, on ministack instead: where it is, and what can be done to it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.connections import Connections, Member
from backend.store.dynamodb import DynamoStore
from tests.cloud.ministack import MinistackProcess
from tests.support.peer import knock
from tests.support.server import LOOPBACK, free_port, post, secret_of
from tools.package import ROOT

ORIGIN = "https://chat.example.org"
STAGE = "prod"


def deploy(ministack: MinistackProcess, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m tools.deploy` with these words."""
    return subprocess.run(
        [sys.executable, "-m", "tools.deploy", *words],
        cwd=ROOT,
        env=ministack.environment,
        capture_output=True,
        text=True,
        check=False,
    )


class Deployed:
    """Responsible for one stack on ministack.

    ``origin`` is an allowed origin on a free port of loopback: a page that is served there may connect.
    """

    def __init__(self, ministack: MinistackProcess, package: Path, template: Path, stack: str) -> None:
        self.ministack = ministack
        self.stack = stack
        self.page_port = free_port()
        self.origin = f"http://{LOOPBACK}:{self.page_port}"
        #: What was said to make deploy, and what it said.
        self.words = (
            f"STACK={stack}",
            f"ORIGINS={ORIGIN} {self.origin}",
            "SIGN_IN=open",
            f"PACKAGE={package}",
            f"TEMPLATE={template}",
        )
        done = deploy(ministack, *self.words)
        assert done.returncode == 0, done.stderr + ministack.output[-2000:]
        self.said = done.stdout + done.stderr
        described = self.client("cloudformation").describe_stack_resources(StackName=stack)
        #: The name or id of each resource, by its name in the template.
        self.resources: dict[str, str] = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in described["StackResources"]
        }
        self.table = self.resources["Table"]
        self._redirect()

    # --- where it is ---

    @property
    def web_socket_url(self) -> str:
        """For webSocketUrl of the page; ministack has no host for each API, so the path names it."""
        return f"ws://{LOOPBACK}:{self.ministack.port}{self._path('WebSocketApi')}/{STAGE}"

    @property
    def token_url(self) -> str:
        """For tokenUrl of the page."""
        return f"{self.ministack.url}{self._path('HttpApi')}/token"

    @property
    def ticket_url(self) -> str:
        """For ticketUrl of the page."""
        return f"{self.ministack.url}{self._path('HttpApi')}/ticket"

    # --- who uses it ---

    def token(self, name: str) -> str:
        """A token of somebody, the same person every time."""
        body = {"name": name, "clientSecret": secret_of(name)}
        status, answer = post(self.token_url, body, Origin=ORIGIN)
        assert status == 200, answer
        return str(answer["token"])

    def ticket(self, name: str) -> str:
        """A ticket, for a new token."""
        status, answer = self.ask_for_ticket(self.token(name))
        assert status == 200, answer
        return str(answer["ticket"])

    def ask_for_ticket(self, token: str, origin: str = ORIGIN) -> tuple[int, Any]:
        """Status and answer of POST /ticket with this as bearer token."""
        return post(self.ticket_url, Authorization=f"Bearer {token}", Origin=origin)

    def knock(self, admission: str, origin: str = ORIGIN) -> int:
        """The status of a handshake with this token or ticket; who gets in leaves at once."""
        return knock(f"{self.web_socket_url}?token={admission}", origin)

    def client(self, service: str, endpoint_url: str | None = None) -> Any:
        """boto3's client for one of ministack's services."""
        return self.ministack.client(service, endpoint_url)

    @property
    def management(self) -> Any:
        """boto3's client for ``@connections``."""
        return self.client("apigatewaymanagementapi", self._management_endpoint)

    @property
    def dynamodb(self) -> Any:
        """boto3's client for the table."""
        return self.client("dynamodb")

    @property
    def store(self) -> DynamoStore:
        """The table as the backend sees it, without what is expired."""
        return DynamoStore(self.dynamodb, self.table)

    # --- what is there ---

    def raw(self, pk: str, sk: str) -> Any:
        """An item as it lies in the table, expired or not; None if there is none."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")

    def present(self, room: str) -> list[Member]:
        """The connections that a broadcast would reach, with their people."""
        return Connections(self.store, clock=time.time).present(room)

    def knows(self, connection_id: str) -> bool:
        """Whether the gateway has this connection."""
        try:
            self.management.get_connection(ConnectionId=connection_id)
        except self.management.exceptions.GoneException:
            return False
        return True

    def logs(self) -> str:
        """Every line that ministack has kept of what functions said."""
        logs = self.client("logs")
        groups = logs.describe_log_groups()["logGroups"]
        return "\n".join(
            event["message"]
            for group in groups
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        )

    # --- what is done to it ---

    def record(self, connection_id: str, room: str, state: str, expires_at: int) -> None:
        """Write what connecting and entering a room writes, for a connection that never was."""
        here = f"CONNECTION#{connection_id}"
        person = {"connectionId": connection_id, "userId": f"u-{connection_id}", "name": connection_id}
        expiry = {"expiresAt": expires_at}
        metadata = {"state": state, "tokenExpiresAt": expires_at, **person}
        self.store.put({"pk": here, "sk": "METADATA", **metadata, **expiry})
        self.store.put({"pk": here, "sk": f"ROOM#{room}", "roomId": room, **expiry})
        self.store.put({"pk": f"ROOM#{room}", "sk": here, "since": 1, **person, **expiry})

    @contextmanager
    def without_disconnects(self) -> Iterator[None]:
        """Meanwhile no $disconnect reaches its function, as on AWS none may."""
        gateway, api = self.client("apigatewayv2"), self.resources["WebSocketApi"]
        (route,) = (
            route for route in gateway.get_routes(ApiId=api)["Items"] if route["RouteKey"] == "$disconnect"
        )
        gateway.update_route(ApiId=api, RouteId=route["RouteId"], Target="integrations/none")
        try:
            yield
        finally:
            gateway.update_route(ApiId=api, RouteId=route["RouteId"], Target=route["Target"])

    @contextmanager
    def without_rights(self, function: str, action: str) -> Iterator[None]:
        """Meanwhile a function may not do something."""
        iam, configuration = self.client("iam"), self._configuration(function)
        role = configuration["Role"].rpartition("/")[2]
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="denied")

    # --- inside ---

    def _path(self, api: str) -> str:
        return f"/_aws/execute-api/{self.resources[api]}"

    @property
    def _management_endpoint(self) -> str:
        return f"{self.ministack.url}{self._path('WebSocketApi')}/{STAGE}"

    def _configuration(self, function: str) -> Any:
        return self.client("lambda").get_function_configuration(FunctionName=self.resources[function])

    def _redirect(self) -> None:
        """Let the functions post to this very ministack: the host that the template names is on AWS."""
        for name, function in self.resources.items():
            if name.endswith("Function"):
                variables = self._configuration(name)["Environment"]["Variables"]
                assert variables["MANAGEMENT_ENDPOINT"].startswith("https://")
                variables["MANAGEMENT_ENDPOINT"] = self._management_endpoint
                self.client("lambda").update_function_configuration(
                    FunctionName=function, Environment={"Variables": variables}
                )
