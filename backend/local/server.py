"""The server process: ``python -m backend.server``.

Its settings: :mod:`backend.local.settings`. ``--dev``, which has no variable: live reload
(:mod:`backend.local.live_reload`).

SIGTERM or SIGINT: every connection gets ``bye`` and is closed with 1001, new ones are refused, and the process ends
with exit code 0 within 5 seconds even if handlers hang or clients never answer. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import re
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NoReturn

import uvicorn
from starlette.applications import Starlette

from backend.auth.origins import is_loopback
from backend.auth.refusals import LogThrottle
from backend.gateway.local import MAX_POST_BYTES
from backend.limits.addresses import stands_for_many
from backend.local.app import Options, Service
from backend.local.protocols import Guard, GuardedHttp, GuardedWebSocket
from backend.local.settings import Unusable, read_options
from backend.local.web import create_app
from backend.store.base import StoreError
from chat.protocol import MAX_FRAME_BYTES, Bye, encode

log = logging.getLogger(__name__)

# A stop takes at most 5 s: 1 s for ``bye``, 1 s for uvicorn, 0.5 s for handlers (backend.local.web), and the rest for a
# machine under load. Anything that hangs longer is cut off: every acknowledged message is already on disk.
BYE_SECONDS = 1.0
GRACE_SECONDS = 1
WATCHDOG_SECONDS = 4.0
# Connections that wait to be accepted: a restart brings everyone back within seconds.
BACKLOG = 2048
# Connections that asyncio accepts in one turn of its loop. Without files left it tries, and logs, as often. A handshake
# takes some 2 ms: while one client opened connections without end, another person's ack took 214 ms at 32, 60 ms at 4.
ACCEPTED_AT_ONCE = 4
# How long Python lets one thread compute before another may. With the default of 5 ms an ack would wait, at each step,
# for each of several threads that read history.
SWITCH_SECONDS = 0.0005


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal. Returns the exit code: 0, or 1 after one line on stderr."""
    try:
        allow_many_connections()
        options = read_options(sys.argv[1:] if arguments is None else arguments, os.environ)
        listener = bind(options.host, options.port)
        set_up_logging()
        warn_of_plain_http(options.host)
        app = create_app(options)
    except (Unusable, StoreError) as error:
        print(f"Kizuna cannot start: {error}", file=sys.stderr)
        return 1
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(serve(app, listener, options))
    if app.state.hung:
        # Threads that hang would keep the interpreter from ending.
        _end_now()
    return 0


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises Unusable, naming the address, if there cannot be one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Unusable(f"HOST {host!r} is no address of this machine: {error.strerror}") from None
    try:
        # Without this a restart would wait a minute for the old connections' TIME_WAIT.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Unusable(f"port {port} on {host} is taken; choose another one with PORT") from None
        raise Unusable(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return listener


def allow_many_connections() -> None:
    """Open as many files as the system lets this process: the usual first limit is 1,024, a socket each."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        # Systems without a hard limit may still refuse "infinity"; then the old limit stays.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# --- logging ---


class TokenRedactingFilter(logging.Filter):
    """A filter that redacts tokens in every line, and drops uvicorn's repeated lines."""

    _TOKEN = re.compile(r"(token=)[^&\s\"']+")
    # uvicorn logs each of these, at any rate that clients choose: every handshake that was answered with a status,
    # requests that cannot be read (backend.local.protocols logs them at a limited rate), and an Upgrade to something
    # else.
    _SAID_ELSEWHERE = (
        "ASGI callable returned without completing handshake",
        "Invalid HTTP request received",
        "Unsupported upgrade request",
    )

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return False
        message = record.getMessage()
        if message.startswith("Invalid UTF-8 sequence"):
            record.exc_info = None  # the traceback shows uvicorn's code for a client's mistake
        record.msg, record.args = self._TOKEN.sub(r"\1***", message), ()
        return not message.startswith(self._SAID_ELSEWHERE)


def set_up_logging() -> None:
    """Log everything to stderr, of uvicorn only warnings: its own lines print URLs with their tokens."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(LogThrottle())
    handler.addFilter(TokenRedactingFilter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def warn_of_plain_http(host: str) -> None:
    """Warn if other machines may read the traffic."""
    if not is_loopback(host):
        log.warning(
            "HOST=%s: this server speaks plain HTTP. Without a proxy for TLS in front of it, messages and the "
            "secrets that identify people are sent unencrypted: docs/deploying.md",
            host,
        )


# --- running ---


class _Server(uvicorn.Server):
    """uvicorn, without its signal handlers, with a line when it listens, and with the guard's sweep."""

    def __init__(self, config: uvicorn.Config, guard: Guard, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._guard = guard
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn would send 1012 and no ``bye``."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then call ``on_started``."""
        await super().startup(sockets=sockets)
        for listener in sockets or []:
            listener.listen(BACKLOG)  # asyncio has one number for both: it set this to ACCEPTED_AT_ONCE
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        """Sweep overdue connections, once a second: uvicorn ticks ten times as often."""
        if counter % 10 == 0:
            self._guard.sweep(self.server_state.connections)
        return await super().on_tick(counter)


async def serve(app: Starlette, listener: socket.socket, options: Options) -> None:
    """Serve on ``listener`` until a signal, then end in an orderly way."""
    host, port = listener.getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    guard = Guard(options.bounds, is_shared=lambda address: stands_for_many(address, options.proxies))
    http: Any = partial(GuardedHttp, guard=guard)
    websocket: Any = partial(GuardedWebSocket, guard=guard)
    config = uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        # A message and a frame, as API Gateway has it. uvicorn passes the pair on to websockets, which its
        # documentation does not say: the version is pinned, and a test sends 40 KiB.
        ws_max_size=(MAX_POST_BYTES, MAX_FRAME_BYTES),  # type: ignore[arg-type]
        ws_ping_interval=None,  # API Gateway sends no pings that anyone could rely on
        ws_per_message_deflate=False,  # nor does it compress
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # done by backend.local.web, for PROXIES only
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=ACCEPTED_AT_ONCE,
    )
    server = _Server(config, guard, lambda: _print(f"Kizuna is at http://{name}:{port}"))
    loop = asyncio.get_running_loop()
    ending: list[asyncio.Task[None]] = []

    def on_signal() -> None:
        if ending:
            _end_now()
        ending.append(loop.create_task(_end(app, server)))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await server.serve(sockets=[listener])


async def _end(app: Starlette, server: _Server) -> None:
    _print("Kizuna stops")
    watchdog = threading.Timer(WATCHDOG_SECONDS, _end_now)
    watchdog.daemon = True
    watchdog.start()
    app.state.changes.stop()  # else uvicorn would wait for pages that listen
    service: Service = app.state.service
    await service.gateway.shut_down(encode(Bye(reason="restart")), BYE_SECONDS)
    server.should_exit = True


def _print(line: str) -> None:
    """Print a line at once. A closed stdout is ignored."""
    try:
        print(line, flush=True)
    except OSError:
        # The rest of the buffer would fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end_now() -> NoReturn:
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
