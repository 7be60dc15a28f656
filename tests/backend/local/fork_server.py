"""Servers that start at once: forks of a process that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from backend.local import server
from tests.support.server import LOOPBACK

#: What uvicorn would import only when it serves.
_LATE = ["lifespan.on", "loops.auto", "protocols.http.auto", "protocols.websockets.websockets_sansio_impl"]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["backend.server", *(f"uvicorn.{name}" for name in _LATE)])


class ForkedServer:
    """One server on a SQLite file; its log is added to the file ``log``."""

    def __init__(self, data: Path, log: Path, *flags: str) -> None:
        self._output, output = _context.Pipe(duplex=False)
        arguments = ["--host", LOOPBACK, "--port", "0", "--data", str(data), *flags]
        self._process = _context.Process(target=_serve, args=(arguments, output, log), daemon=True)
        self._process.start()
        output.close()  # else what it prints would have no end

    def port(self) -> int:
        """Return its port, once it listens."""
        said = os.read(self._output.fileno(), 1000).decode()  # it flushes one line
        assert said.startswith("Kizuna is at "), said or "it ended"
        return int(said.rpartition(":")[2])

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()
        self._process.join()
        self._output.close()
        assert self._process.exitcode == -signal.SIGKILL, "it had ended by itself"


def _serve(arguments: list[str], output: Connection, log: Path) -> None:
    with log.open("a") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.dup2(output.fileno(), sys.stdout.fileno())
    server.main(arguments)
