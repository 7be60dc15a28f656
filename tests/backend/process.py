"""The real server as a process: started, watched and ended by its id."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
WITHIN_SECONDS = 20.0


class ServerProcess:
    """Responsible for ``python -m backend.server`` on one SQLite file; a restart keeps the port.

    ``flags`` are for its command line, ``environment`` for its environment."""

    def __init__(self, data: Path, *flags: str, **environment: str) -> None:
        self.data = data
        self.port = 0
        self.output = ""
        self._flags = flags
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self._listening = threading.Event()
        self._reader: threading.Thread | None = None

    def start(self, **environment: str) -> "ServerProcess":
        """Start, and wait for the line that says where it is."""
        self._listening.clear()
        variables = {"HOST": LOOPBACK, "PORT": str(self.port), "DATA": str(self.data), **self._environment}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backend.server", *self._flags],
            cwd=ROOT,
            env={**os.environ, **variables, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=[self._process], daemon=True)
        self._reader.start()
        assert self._listening.wait(WITHIN_SECONDS), self.output
        assert self.port, self.output
        return self

    def signal(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and return at once."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, seconds: float = WITHIN_SECONDS) -> int:
        """The exit code. Raises TimeoutExpired."""
        assert self._process is not None
        assert self._reader is not None
        code = self._process.wait(seconds)
        self._reader.join(seconds)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.signal()
        return self.wait()

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self._process is not None:
            self._process.kill()
            self.wait()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.port}"

    def token(self, name: str) -> str:
        """A token for somebody whose secret follows from the name."""
        status, body = self.post(
            "/token", {"name": name, "clientSecret": f"the secret of {name}".ljust(20, ".")}
        )
        assert status == 200
        token: str = body["token"]
        return token

    def socket_url(self, name: str) -> str:
        """The WebSocket URL for a person, with a fresh token."""
        return f"ws://{LOOPBACK}:{self.port}/ws?token={self.token(name)}"

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and decoded answer of a POST of JSON."""
        return post(self.url + path, body)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line
            if line.startswith("Kizuna is at "):
                self.port = int(line.rpartition(":")[2])
                self._listening.set()
        self._listening.set()


def post(url: str, body: Any) -> tuple[int, Any]:
    """Status and decoded answer of a POST of JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=WITHIN_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
