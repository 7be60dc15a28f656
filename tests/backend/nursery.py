"""Servers that are born quickly: a process that has imported everything forks one for each life.

    python -m tests.backend.nursery FLAGS

Each line on stdin begins a life of ``backend.server`` with these flags. Its lines are ``pid N``, then what the server
prints, then ``ended STATUS``.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.support.server import LOOPBACK, ROOT

WITHIN_SECONDS = 20.0


class Nursery:
    """Responsible for one server after the other on one SQLite file; what they log goes into the file ``log``."""

    def __init__(self, data: Path, log: Path, *flags: str) -> None:
        self._flags = ["--host", LOOPBACK, "--port", "0", "--data", str(data), *flags]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._pid = 0

    async def __aenter__(self) -> "Nursery":
        with self._log.open("w") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.backend.nursery", *self._flags),
                cwd=ROOT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)  # the server that lives is in its group
        await asyncio.wait_for(self._process.wait(), WITHIN_SECONDS)

    async def begin(self) -> None:
        """Let a server be born; it does not listen yet."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._pid = int(await self._read("pid "))

    async def listening(self) -> int:
        """The port, once it listens."""
        return int((await self._read("Kizuna is at ")).rpartition(":")[2])

    async def kill(self) -> None:
        """SIGKILL, whatever it does at this moment."""
        os.kill(self._pid, signal.SIGKILL)
        await self._read("ended ")

    async def _read(self, beginning: str) -> str:
        """The rest of the next line that begins so."""
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await asyncio.wait_for(self._process.stdout.readline(), WITHIN_SECONDS):
            if (text := line.decode().strip()).startswith(beginning):
                return text.removeprefix(beginning)
        raise AssertionError(f"the server ended; its log:\n{self._log.read_text()}")


def main() -> None:
    """Fork a server for each line, one after the other."""
    # What uvicorn would import only when it serves.
    import uvicorn.lifespan.on
    import uvicorn.loops.auto
    import uvicorn.protocols.http.auto
    import uvicorn.protocols.websockets.websockets_sansio_impl  # noqa: F401

    from backend import server

    while sys.stdin.readline():
        if (pid := os.fork()) == 0:
            os.write(1, f"pid {os.getpid()}\n".encode())
            os._exit(server.main(sys.argv[1:]))
        # A line of its own, even if the server was killed within one.
        os.write(1, f"\nended {os.waitpid(pid, 0)[1]}\n".encode())


if __name__ == "__main__":
    main()
