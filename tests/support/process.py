"""A program in a child process: its output, its signals and its end."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from random import SystemRandom
from signal import SIGKILL, SIGTERM

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
#: Seconds until a wait fails: far more than any program needs on a busy machine.
PATIENCE = 120.0


def free_port() -> int:
    """Return a free port below 32768, where the ports of outgoing connections begin."""
    while True:
        port = SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return port


class Process:
    """A child process and what it prints on both streams.

    Its standard input stays open, so that it can notice the end of the tests.
    """

    def __init__(self, *arguments: str, env: Mapping[str, str], cwd: Path = ROOT) -> None:
        self.output = ""
        self._lines = threading.Condition()
        self._has_ended = False
        self._process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str, within: float = PATIENCE) -> re.Match[str]:
        """Return the first match in the output. Without one, kills the process and raises AssertionError."""

        def found() -> re.Match[str] | None:
            return re.search(pattern, self.output, re.MULTILINE)

        with self._lines:
            self._lines.wait_for(lambda: found() or self._has_ended, within)
            match = found()
        if match is None:
            self.end(SIGKILL)
            raise AssertionError(f"{pattern!r} was not printed within {within} s:\n{self.output[-3000:]}")
        return match

    def type(self, text: str) -> None:
        """Write to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal and return at once."""
        self._process.send_signal(number)

    def wait(self, within: float = PATIENCE) -> int:
        """Return the exit code. Raises AssertionError, and kills the process, if it does not end."""
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"still there after {within} s:\n{self.output[-3000:]}") from None
        finally:
            self._reader.join(PATIENCE)
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                stream.close()
        return code

    def end(self, with_signal: int = SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.signal(with_signal)
        return self.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._lines:
                self.output += line
                self._lines.notify_all()
        with self._lines:
            self._has_ended = True
            self._lines.notify_all()
