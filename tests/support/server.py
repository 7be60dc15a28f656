"""The server as users run it, `python -m backend.server`, with a port and a SQLite file that survive restarts."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.process import LOOPBACK, PATIENCE, ROOT, Process, free_port

__all__ = ["LOOPBACK", "ROOT", "KizunaServer", "free_port", "post", "secret_of"]


def secret_of(name: str) -> str:
    """Return the client secret of a person who is the same in every test."""
    return f"the secret of {name}".ljust(20, ".")


def post(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """POST JSON, and return the status and the decoded answer."""
    data = b"" if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/json", **headers}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


class KizunaServer:
    """One server, which can be stopped, killed and started again.

    ``flags``: for its command line. ``settings``: for its environment.
    """

    def __init__(self, data: Path, port: int = 0, *, flags: Sequence[str] = (), **settings: str) -> None:
        self.data = data
        self.port = port
        self._flags = flags
        self._settings = settings
        self._process: Process | None = None
        self._earlier_output = ""

    def start(self, **settings: str) -> Self:
        """Start, again with the same port and file, and wait until it says where it listens."""
        assert self._process is None, "it runs already"
        self.port = self.port or free_port()
        variables = {
            "HOST": LOOPBACK,
            "PORT": str(self.port),
            "DATA": str(self.data),
            "PYTHONUNBUFFERED": "1",
        }
        self._process = Process(
            *(sys.executable, "-m", "backend.server", *self._flags),
            env={**os.environ, **variables, **self._settings, **settings},
        )
        self._process.wait_for(rf"^Kizuna is at .*:{self.port}$")
        return self

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def output(self) -> str:
        """All that it has printed, before restarts too."""
        return self._earlier_output + (self._process.output if self._process else "")

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.is_running

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and return at once."""
        self._running.signal(number)

    def wait(self, within: float = PATIENCE) -> int:
        """Return the exit code. Raises AssertionError if it does not end."""
        process, self._process = self._running, None
        try:
            return process.wait(within)
        finally:
            self._earlier_output += process.output

    def stop(self) -> int:
        """Send SIGTERM, and return the exit code."""
        self.signal()
        return self.wait()

    def kill(self) -> None:
        """Send SIGKILL, if it runs: no client gets a close frame."""
        if self._process is not None:
            self.signal(signal.SIGKILL)
            self.wait()

    def restart(self) -> None:
        """Stop with SIGTERM and start again."""
        self.stop()
        self.start()

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """POST JSON, and return the status and the decoded answer."""
        return post(self.url + path, body)

    def token(self, name: str, secret: str | None = None) -> str:
        """Return a token for a person; without ``secret`` the same person each time."""
        status, body = self.post("/token", {"name": name, "clientSecret": secret or secret_of(name)})
        assert status == 200, body
        return str(body["token"])

    def socket_url(self, name: str) -> str:
        """Return the WebSocket URL of a person, with a new token."""
        return f"ws://{LOOPBACK}:{self.port}/ws?token={self.token(name)}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def _running(self) -> Process:
        assert self._process is not None, "it does not run"
        return self._process
