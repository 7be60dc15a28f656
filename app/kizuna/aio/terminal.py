"""A connection whose frames are typed and shown in a terminal: `python -m kizuna URL`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from kizuna.aio import AioPlatform, AioSocket
from kizuna.core.states import ConnectionState, Status
from kizuna.errors import ConfigurationError
from kizuna.platform import SocketListener
from kizuna.service import WebSocketService
from kizuna.wire import ARTICLE, KIZUNA, PLAIN, Wire

WIRES = {wire.name: wire for wire in (PLAIN, KIZUNA, ARTICLE)}
DESCRIPTION = """Connect and stay connected; print each state and each frame; send each line of the input as one text
frame, as it is. The end of the input ends nothing; Ctrl-C does."""
REFUSED, WRONG_CALL, INTERRUPTED = 1, 2, 130
CHUNK = 65536


def main(
    arguments: Sequence[str] | None = None, *, input_file: int = 0, say: Callable[[str], None] = print
) -> int:
    """Run the command, and return its exit code: 130 after Ctrl-C, 1 if the server refuses us, 2 for a wrong call.

    Args:
        arguments: The command line; None: this program's.
        input_file: The file descriptor that lines are read from.
        say: Prints a line.
    """
    parser = argparse.ArgumentParser(prog="python -m kizuna", description=DESCRIPTION)
    parser.add_argument("url", help="ws://, wss://, http:// or https://")
    parser.add_argument(
        "--wire", choices=WIRES, default=PLAIN.name, help="what the server speaks (default: plain)"
    )
    options = parser.parse_args(arguments)
    try:
        return asyncio.run(converse(options.url, WIRES[options.wire], input_file, say))
    except ConfigurationError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return WRONG_CALL
    except KeyboardInterrupt:
        return INTERRUPTED


async def converse(url: str, wire: Wire, input_file: int, say: Callable[[str], None]) -> int:
    """Connect, show states and frames, and send lines, until cancelled.

    Args:
        url: ws://, wss://, http:// or https://.
        wire: What the server speaks.
        input_file: As ``main()`` has it.
        say: As ``main()`` has it.

    Returns:
        REFUSED, once the server wants no further attempt.

    Raises:
        ConfigurationError: A URL that can never work.
    """
    platform = _TextPlatform(lambda text: say(f"<- {text}"))
    service = WebSocketService(url, platform=platform, wire=wire)
    refused = asyncio.Event()

    def show(state: ConnectionState) -> None:
        say(f"-- {state.status}: {state.reason.words}" if state.reason else f"-- {state.status}")
        if state.status is Status.REJECTED:
            refused.set()

    def send(line: str) -> None:
        socket = platform.open_one
        if socket is None:
            say(f"-- not sent, as there is no connection: {line}")
        else:
            socket.send(line)

    service.subscribe(lambda state: (state.status, state.reason), lambda _: show(service.state))
    loop = asyncio.get_running_loop()
    read = threading.Thread(target=_read_lines, args=(input_file, loop, send), daemon=True)
    read.start()
    with _shown_log(say):
        connecting = loop.create_task(service.connect())
        connecting.add_done_callback(lambda task: task.cancelled() or task.exception())  # its state is shown
        try:
            await refused.wait()
        finally:
            service.disconnect()
    return REFUSED


class _TextPlatform(AioPlatform):
    """A platform that passes each text frame on as it is, and knows the socket that lines are sent on."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        super().__init__()
        self._on_text = on_text
        self._sockets: list[AioSocket] = []

    @property
    def open_one(self) -> AioSocket | None:
        """Return the newest socket that is open."""
        return next((socket for socket in reversed(self._sockets) if socket.is_open), None)

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> AioSocket:
        """Begin to open a socket."""
        socket = super().open_socket(url, _TextListener(listener, self._on_text), protocols)
        self._sockets = [other for other in self._sockets if other.is_open] + [socket]
        return socket


class _TextListener:
    def __init__(self, listener: SocketListener, on_text: Callable[[str], None]) -> None:
        self._show = on_text
        self._listener = listener
        self.on_open = listener.on_open
        self.on_close = listener.on_close

    def on_text(self, text: str) -> None:
        self._show(text)
        self._listener.on_text(text)

    def on_binary(self, data: bytes) -> None:
        self._show(f"{len(data):,} bytes: {data[:32].hex(' ')}{' ...' if len(data) > 32 else ''}")
        self._listener.on_binary(data)


def _read_lines(input_file: int, loop: asyncio.AbstractEventLoop, on_line: Callable[[str], None]) -> None:
    """Read without a buffer of Python's: a thread that waits in one would hold up the end of the program."""
    rest = b""
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
        while chunk := os.read(input_file, CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(on_line, line.decode(errors="replace").rstrip("\r"))
        if rest:
            loop.call_soon_threadsafe(on_line, rest.decode(errors="replace"))


class _LogOnScreen(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(f"-- {record.getMessage()}")


@contextlib.contextmanager
def _shown_log(say: Callable[[str], None]) -> Iterator[None]:
    """Show why a socket could not be opened, which states do not say, as in a browser."""
    log, handler = logging.getLogger("kizuna.aio"), _LogOnScreen(say)
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
