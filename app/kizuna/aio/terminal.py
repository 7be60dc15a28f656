"""A connection whose frames are typed and shown in a terminal: `python -m kizuna URL`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kizuna.aio import AioPlatform
from kizuna.codec import JSON
from kizuna.core.states import ConnectionState, Status
from kizuna.errors import ConfigurationError, FrameTooLarge, NotConnected
from kizuna.runtime.transport import LinkHandle
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
    service = WebSocketService(url, codec=_Shown(say), wire=wire, platform=AioPlatform())
    service.on_message(lambda frame: None)  # a reader, for whom the server need not wait
    links: deque[LinkHandle[Any]] = deque(maxlen=1)  # also the one on which the server has not said ready yet
    service.before_connected(links.append)
    refused = asyncio.Event()

    def show(state: ConnectionState) -> None:
        say(f"-- {state.status}: {state.reason.words}" if state.reason else f"-- {state.status}")
        if state.status is Status.REJECTED:
            refused.set()

    def send(line: str) -> None:
        try:
            links[-1].send(line)
        except (IndexError, NotConnected):
            say(f"-- not sent, as there is no connection: {line}")
        except FrameTooLarge as error:
            say(f"-- not sent: {error}")

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


class _Shown:
    """A codec of lines, which are sent as they are. What comes is shown as it is, and read as JSON for the wire."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def encode(self, value: Any, /) -> str | bytes:
        return value if isinstance(value, str) else JSON.encode(value)

    def decode(self, data: str | bytes, /) -> Any:
        if isinstance(data, str):
            self._say(f"<- {data}")
        else:
            self._say(f"<- {len(data):,} bytes: {data[:32].hex(' ')}{' ...' if len(data) > 32 else ''}")
        try:
            return JSON.decode(data)
        except ValueError:
            return data


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
