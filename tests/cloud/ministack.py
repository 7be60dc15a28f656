"""ministack for tests: a process of its own on loopback, and template.yaml as it can take it.

It asks IAM about every call that a function makes (AUTH): a right that the template forgets is missing here too.
"""

import json
import os
import re
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]

from tests.backend.cloud_template import PATH, REGION
from tests.backend.cloud_template import Template as _Template
from tests.backend.dynamodb import made_up_credentials
from tests.e2e.waiting import PATIENCE

LOOPBACK = "127.0.0.1"
#: Who may do everything in it.
KEY = "test"
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
        self.output = ""
        self._running = threading.Event()
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
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
        }
        self._process = subprocess.Popen(
            [str(python), "-c", _PROGRAM],
            cwd=folder,
            env=settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not (self._running.wait(PATIENCE) and self._process.poll() is None):
            self.stop()
            raise RuntimeError(f"ministack did not start: {self.output[-2000:]}")

    @property
    def url(self) -> str:
        """Where all of its services are."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program that shall take it for AWS, with nothing of this machine's own accounts."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **ours,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": LOOPBACK,
        }

    def client(self, service: str, endpoint_url: str | None = None) -> Any:
        """boto3's client for one of its services."""
        with made_up_credentials():
            return boto3.client(service, region_name=REGION, endpoint_url=endpoint_url or self.url)

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.output += line
            if re.search(r"Running on http://.*:\d+ ", line):
                self._running.set()
        self._running.set()


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


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
