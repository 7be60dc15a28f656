"""The real server as a process of its own, on a port and a SQLite file that survive its restarts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
START_WITHIN = 30.0
STOP_WITHIN = 10.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class KizunaServer:
    """Responsible for one `python -m backend.server`: starting, stopping in two ways, and what it printed.

    ``flags`` are for its command line, ``settings`` for its environment."""

    def __init__(
        self, data: Path, port: int | None = None, *, flags: Sequence[str] = (), **settings: str
    ) -> None:
        self.data = data
        self._flags = flags
        self._settings = settings
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.output = ""
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._has_spoken = threading.Event()
        self._is_listening = False

    def start(self) -> Self:
        """Start, and wait until it says where it listens. Starting again means the same port and file."""
        assert self._process is None, "it runs already"
        self._has_spoken.clear()
        self._is_listening = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backend.server", *self._flags],
            cwd=ROOT,
            env=os.environ
            | {"HOST": LOOPBACK, "PORT": str(self.port), "DATA": str(self.data), "PYTHONUNBUFFERED": "1"}
            | self._settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=[self._process], daemon=True)
        self._reader.start()
        self._has_spoken.wait(START_WITHIN)
        if not self._is_listening:
            self.kill()
            raise AssertionError(
                f"the server did not say within {START_WITHIN} s that it listens:\n{self.output}"
            )
        return self

    def stop(self) -> int:
        """SIGTERM, and its exit code; AssertionError if it stays."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: no farewell to anybody."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop politely and start again."""
        self.stop()
        self.start()

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON, and read JSON."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            decoded: dict[str, Any] = json.load(answer)
            return decoded

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()

    def _end(self, with_signal: signal.Signals) -> int:
        process, reader = self._process, self._reader
        assert process is not None, "it does not run"
        assert reader is not None
        self._process = None
        process.send_signal(with_signal)
        try:
            code = process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(
                f"still there {STOP_WITHIN} s after {with_signal.name}:\n{self.output}"
            ) from None
        finally:
            reader.join(STOP_WITHIN)
            assert process.stdout is not None
            process.stdout.close()
        return code

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line
            if line.startswith("Kizuna is at "):
                self._is_listening = True
                self._has_spoken.set()
        self._has_spoken.set()  # its last words
