"""API Gateway's management API on loopback: what ``@connections`` answers, status by status."""

import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

STAGE = "/prod"
PREFIX = f"{STAGE}/@connections/"


def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 sign with made-up keys, for a made-up account, and look for none on this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


class Request(NamedTuple):
    """What reached the server. ``path`` is as it came, ``connection_id`` decoded."""

    method: str
    path: str
    connection_id: str
    data: bytes
    signed: bool


class Answer(NamedTuple):
    """A status, and the class that the error is of where the answer names one."""

    status: int
    error: str | None = None


class ManagementServer:
    """Responsible for answering POST and DELETE @connections with what ``answer`` says of each request.

    Answer None breaks the connection instead.
    """

    def __init__(self, answer: Callable[[Request], Answer | None]) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.management = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """What a client is given: the stage's URL."""
        return f"http://127.0.0.1:{self._server.server_port}{STAGE}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    management: ManagementServer
    daemon_threads = True
    block_on_close = False  # clients keep their connections open
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    server: _Server

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""

    def _serve(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        signed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 ")
        connection_id = unquote(self.path.removeprefix(PREFIX))
        request = Request(self.command, self.path, connection_id, data, signed)
        self.server.management.requests.append(request)
        answer = self.server.management.answer(request)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        if answer.error is not None:
            self.send_header("x-amzn-ErrorType", answer.error)
        if answer.status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()
