"""ministack for tests: a process of its own on loopback, and template.yaml as it can take it.

It asks IAM about every call that a function makes (AUTH): a right that the template forgets is missing here too.
"""

import json
import os
from pathlib import Path
from signal import SIGKILL
from typing import Any

from tests.backend.aws_account import KEY, REGION, environment, nobodys_account
from tests.backend.cloud_template import PATH
from tests.backend.cloud_template import Template as _Template
from tests.support.process import LOOPBACK, Process
from tests.support.server import free_port

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


class MinistackProcess:
    """Responsible for one ministack, empty, with all its files in ``folder``. It ends with :meth:`stop`, or with us."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.port = free_port()
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
        self._clients: dict[tuple[str, str], Any] = {}
        self._process = Process(str(python), "-c", _PROGRAM, cwd=folder, env=settings)
        self._process.wait_for(r"Running on http://.*:\d+ ")

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._process.output

    @property
    def url(self) -> str:
        """Where all of its services are."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program that shall take it for AWS."""
        return environment(AWS_ENDPOINT_URL=self.url)

    def client(self, service: str, endpoint_url: str | None = None) -> Any:
        """boto3's client for one of its services."""
        wanted = service, endpoint_url or self.url
        if wanted not in self._clients:
            import boto3  # type: ignore[import-untyped]

            with nobodys_account():
                self._clients[wanted] = boto3.client(service, region_name=REGION, endpoint_url=wanted[1])
        return self._clients[wanted]

    def stop(self) -> None:
        """End it, with the functions that it started: their standard input ends."""
        self._process.end(SIGKILL)


def write_template(path: Path) -> Path:
    """Write template.yaml without the resources that ministack does not know, and CORS in the case that it reads."""
    template = _Template(PATH.read_text(encoding="utf-8"))
    unknown = template.all(UNKNOWN).keys()
    assert unknown, "ministack takes all of the template: leave this out"
    resources = {name: resource for name, resource in template.resources.items() if name not in unknown}
    for resource in resources.values():
        if "DependsOn" in resource:
            resource["DependsOn"] = [name for name in resource["DependsOn"] if name not in unknown]
    http = resources["HttpApi"]["Properties"]
    http["CorsConfiguration"] = {
        name[0].lower() + name[1:]: value for name, value in http["CorsConfiguration"].items()
    }
    path.write_text(json.dumps({**template.data, "Resources": resources}), encoding="utf-8")
    return path
