"""The backend as `make deploy` puts it on AWS, but on ministack."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backend.messaging.connections import Connections, Member
from backend.store.dynamodb import DynamoStore
from tests.backend.aws.aws_account import environment
from tests.cloud.ministack import MinistackProcess
from tests.support.peer import knock
from tests.support.server import LOOPBACK, free_port, post, secret_of
from tests.tools.wheels import build_package
from tools.package import ROOT

ORIGIN = "https://chat.example.org"


def deploy(ministack: MinistackProcess, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m tools.deploy` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "tools.deploy", *words],
        cwd=ROOT,
        env=environment(AWS_ENDPOINT_URL=ministack.url),
        capture_output=True,
        text=True,
        check=False,
    )


class Deployed:
    """The stack kizuna on ministack.

    ``origin`` is an allowed origin on a free port of loopback: a page that is served there may connect.
    """

    def __init__(self, ministack: MinistackProcess, package: Path, template: Path) -> None:
        self.ministack = ministack
        self.client = ministack.client
        self.page_port = free_port()
        self.origin = f"http://{LOOPBACK}:{self.page_port}"
        #: What was said to make deploy, and what it said.
        self.words = (
            "STACK=kizuna",
            f"ORIGINS={ORIGIN} {self.origin}",
            "SIGN_IN=open",
            f"PACKAGE={package}",
            f"TEMPLATE={template}",
        )
        done = deploy(ministack, *self.words)
        assert done.returncode == 0, done.stderr + ministack.output[-2000:]
        self.said = done.stdout + done.stderr
        described = self.client("cloudformation").describe_stack_resources(StackName="kizuna")
        #: The name or id of each resource, by its name in the template.
        self.resources: dict[str, str] = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in described["StackResources"]
        }
        stage = f"{ministack.apis}/{self.resources['WebSocketApi']}/prod"
        http_api = f"{ministack.apis}/{self.resources['HttpApi']}"
        #: What the page's configuration calls so.
        self.web_socket_url = stage.replace("http", "ws", 1)
        self.token_url, self.ticket_url = f"{http_api}/token", f"{http_api}/ticket"
        self._management = self.client("apigatewaymanagementapi", stage)
        self.table, self.dynamodb = self.resources["Table"], self.client("dynamodb")
        #: The table as the backend sees it, without what is expired.
        self.store = DynamoStore(self.dynamodb, self.table)

    # --- who uses it ---

    def token(self, name: str) -> str:
        """Return a token of somebody, the same person every time."""
        body = {"name": name, "clientSecret": secret_of(name)}
        status, answer = post(self.token_url, body, Origin=ORIGIN)
        assert status == 200, answer
        return str(answer["token"])

    def ticket(self, name: str) -> str:
        """Return a ticket, for a new token."""
        status, answer = self.ask_for_ticket(self.token(name))
        assert status == 200, answer
        return str(answer["ticket"])

    def ask_for_ticket(self, token: str, origin: str = ORIGIN) -> tuple[int, Any]:
        """Status and answer of POST /ticket with this as bearer token."""
        return post(self.ticket_url, Authorization=f"Bearer {token}", Origin=origin)

    def knock(self, admission: str, origin: str = ORIGIN) -> int:
        """Return the status of a handshake with this token or ticket; who gets in leaves at once."""
        return knock(f"{self.web_socket_url}?token={admission}", origin)

    # --- what is there ---

    def raw(self, pk: str, sk: str) -> Any:
        """Return an item as it lies in the table, expired or not; None if there is none."""
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        return self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")

    def present(self, room: str) -> list[Member]:
        """Return the connections that a broadcast would reach, with their people."""
        return Connections(self.store, clock=time.time).present(room)

    def knows(self, connection_id: str) -> bool:
        """Return whether the gateway has this connection."""
        try:
            self._management.get_connection(ConnectionId=connection_id)
        except self._management.exceptions.GoneException:
            return False
        return True

    def logs(self) -> str:
        """Return every log line of the functions."""
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
        token = {"state": state, "tokenExpiresAt": expires_at}
        for item in (
            {"pk": here, "sk": "METADATA", **token, **person},
            {"pk": here, "sk": f"ROOM#{room}", "roomId": room},
            {"pk": f"ROOM#{room}", "sk": here, "since": 1, **person},
        ):
            self.store.put({**item, "expiresAt": expires_at})

    @contextmanager
    def without_disconnects(self) -> Iterator[None]:
        """Keep $disconnect from its function, as may happen on AWS."""
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
        """Take a right from a function."""
        iam, name = self.client("iam"), self.resources[function]
        role = self.client("lambda").get_function_configuration(FunctionName=name)["Role"].rpartition("/")[2]
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="denied")


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the functions' zip for this machine, on which ministack runs them."""
    return build_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def deployed(ministack: MinistackProcess, package: Path, template: Path) -> Deployed:
    """Return the backend, deployed once for all tests that use it; skipped where ministack is not installed."""
    return Deployed(ministack, package, template)
