"""ministack for tests: a stand-in for AWS, a process of its own on loopback, and template.yaml as it can take it.

It asks IAM about every call that a function makes (AUTH): a right that the template forgets is missing here too.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from tests.backend.aws.aws_account import KEY, REGION, nobodys_account
from tests.backend.aws.cloud_template import Template
from tests.support.process import LOOPBACK, Process
from tests.support.server import free_port
from tools.setup import ministack as tool

#: The type of resource that its CloudFormation does not know. It sends back what any route's function returns.
UNKNOWN = "AWS::ApiGatewayV2::RouteResponse"

# It ends when we do, however we end: then nobody holds the other side of its standard input.
_PROGRAM = """
import os, signal, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os.kill(os.getpid(), signal.SIGTERM)), daemon=True).start()
from ministack.app import main
sys.argv[1:] = []
main()
"""


class MinistackProcess(Process):
    """One empty ministack, with all its files in ``folder``, which also runs functions.

    With SIGKILL it ends, and the functions that it started: their standard input ends.
    """

    def __init__(self, python: Path, folder: Path) -> None:
        self.port = free_port()
        #: Where all of its services are.
        self.url = f"http://{LOOPBACK}:{self.port}"
        #: It has no host for each API: the next part of the path names it.
        self.apis = f"{self.url}/_aws/execute-api"
        settings = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "localhost",
            "MINISTACK_REGION": REGION,
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": f"unix://{folder}/none",
            "AWS_ACCESS_KEY_ID": KEY,  # who may do everything in it
            "AWS_SECRET_ACCESS_KEY": KEY,
        }
        super().__init__(str(python), "-c", _PROGRAM, cwd=folder, env=settings)
        self.wait_for(r"Running on http://.*:\d+ ")

    def client(self, service: str, endpoint_url: str = "") -> Any:
        """Return boto3's client for one of its services."""
        import boto3  # type: ignore[import-untyped]

        with nobodys_account():
            return boto3.client(service, endpoint_url=endpoint_url or self.url)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinistackProcess]:
    """Return the ministack of all tests, which starts with the first of them."""
    try:
        python = tool.find()
    except tool.NotInstalled as missing:
        pytest.skip(str(missing))
    process = MinistackProcess(python, tmp_path_factory.mktemp("ministack"))
    yield process
    process.end(SIGKILL)


@pytest.fixture(scope="session")
def template(ministack: MinistackProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """template.yaml without the resources that ministack does not know, with CORS in the case that it reads.

    Its functions post to this very ministack: the host that template.yaml names is on AWS."""
    template = Template()
    unknown = template.all(UNKNOWN).keys()
    assert unknown, "ministack takes all of the template: leave this out"
    resources = {name: resource for name, resource in template.resources.items() if name not in unknown}
    for resource in resources.values():
        if "DependsOn" in resource:
            resource["DependsOn"] = [name for name in resource["DependsOn"] if name not in unknown]
    cors = resources["HttpApi"]["Properties"]["CorsConfiguration"]
    for name in list(cors):
        cors[name[0].lower() + name[1:]] = cors.pop(name)
    variables = template.data["Globals"]["Function"]["Environment"]["Variables"]
    variables["MANAGEMENT_ENDPOINT"] = {"Fn::Sub": f"{ministack.apis}/${{WebSocketApi}}/${{StageName}}"}
    path = tmp_path_factory.mktemp("template") / "template.json"
    path.write_text(json.dumps({**template.data, "Resources": resources}), encoding="utf-8")
    return path
