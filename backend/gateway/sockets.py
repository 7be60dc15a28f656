"""The outgoing side of a connection at the local gateway.

A frame is made once for all its receivers, as the bytes that go into the socket. While a client reads, the server below
takes them at once (``WRITE``), without a task for each connection; from one that does not, its own task waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.frames import Frame, Opcode

# The buffer of one slow reader. It holds the answer to a hello with 50 rooms, 32 KiB each (1.6 MiB).
BUFFER_BYTES = 2 * 1024 * 1024
BUFFER_FRAMES = 1_000
# Queued frames are written together, up to so many bytes: a system call costs more than all the rest. Behind a full
# buffer of the transport this lies beside one frame, which may be larger.
TOGETHER_BYTES = 32 * 1024
# How long a closing socket may take to send its queue.
CLOSE_SECONDS = 2.0

#: The extension of a WebSocket's ASGI scope by which the server takes whole frames in bytes. ``write(data)`` returns
#: False, and has written nothing, if the client does not read or the connection is closing: then ``send`` waits.
WRITE = "kizuna.write"


@dataclass(frozen=True, slots=True)
class OutgoingFrame:
    """A frame for any number of connections. ``size``: bytes of its text; ``wire``: the bytes that are sent."""

    size: int
    wire: bytes

    @classmethod
    def of(cls, text: str) -> OutgoingFrame:
        """Return a frame with this text."""
        data = text.encode()
        return cls(len(data), Frame(Opcode.TEXT, data).serialize(mask=False))

    @property
    def text(self) -> str:
        """The text. Kept once, since frames wait in buffers."""
        return self.wire[len(self.wire) - self.size :].decode()


class Socket:
    """One connection's outgoing side: its buffer, and the two ways out of it.

    While the client reads, :meth:`wake` writes the buffer into the transport. From the moment in which it does not, a
    task waits with each frame until the transport takes it, and no other way is used until the buffer is empty.

    ``offer``, ``queue_last`` and ``close`` are called under the gateway's lock from any thread; everything else in
    the event loop.
    """

    def __init__(self, websocket: WebSocket, lock: threading.Lock, monotonic: Callable[[], float]) -> None:
        self.opened_at = self.active_at = monotonic()
        self.closing: tuple[int, str] | None = None
        self.frames = 0  #: received
        self.ended = asyncio.Event()
        self._websocket = websocket
        self._lock = lock
        self._monotonic = monotonic
        extension = websocket.scope.get("extensions", {}).get(WRITE, {})
        self._write_now: Callable[[bytes], bool] = extension.get("write", _never)
        self._queue: deque[OutgoingFrame] = deque()
        self._queued_bytes = 0
        self._wakened = asyncio.Event()
        self._is_waiting = False  # the task has taken over
        self._writer: asyncio.Task[None] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def offer(self, frame: OutgoingFrame) -> bool:
        """Queue a frame; False if the buffer is full."""
        if self._queued_bytes + frame.size > BUFFER_BYTES or len(self._queue) >= BUFFER_FRAMES:
            return False
        self._queue.append(frame)
        self._queued_bytes += frame.size
        return True

    def queue_last(self, frame: OutgoingFrame) -> None:
        """Queue a frame however full the buffer is."""
        self._queue.append(frame)
        self._queued_bytes += frame.size

    def close(self, code: int, reason: str) -> None:
        """Close after the queue is sent. The first reason counts."""
        self.closing = self.closing or (code, reason)

    def wake(self) -> None:
        """Look at the queue again; a close has 2 s from here."""
        if self.closing is None and not self._is_waiting:
            try:
                self._is_waiting = not self._flush()
            except (RuntimeError, OSError):
                self._is_waiting = True  # the task meets it again, and ends; the others get their frames
            if not self._is_waiting:
                return
        self._wakened.set()
        if self.closing is not None and self._deadline is None and self._writer is not None:
            self._deadline = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._writer.cancel)

    async def receive(self) -> Mapping[str, Any]:
        """Return the next ASGI message. Any frame is a sign of life."""
        received = await self._websocket.receive()
        self.active_at = self._monotonic()
        self.frames += received["type"] == "websocket.receive"
        return received

    def start_writing(self) -> asyncio.Task[None]:
        """Return the task that sends what :meth:`wake` does not, and ends with the close frame or the connection."""
        self._writer = asyncio.create_task(self._write())
        self.wake()
        return self._writer

    async def _write(self) -> None:
        try:
            while True:
                await self._wakened.wait()
                self._wakened.clear()
                while not self._flush():
                    frame = self._queue[0]
                    self._remove(1)
                    await self._websocket.send_text(frame.text)
                    self.active_at = self._monotonic()
                if self.closing is not None:
                    await self._websocket.close(*self.closing)
                    return
                self._is_waiting = False
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # the other side is gone; the reader says how
        finally:
            if self._deadline is not None:
                self._deadline.cancel()

    def _flush(self) -> bool:
        """Write what is queued as far as the client reads, and return whether that was all."""
        while waiting := len(self._queue):
            count, data = self._joined(waiting) if waiting > 1 else (1, self._queue[0].wire)
            if not self._write_now(data):
                return False
            self._remove(count)
            self.active_at = self._monotonic()
        return True

    def _joined(self, waiting: int) -> tuple[int, bytes]:
        """Return how many of the ``waiting`` frames go together, and their bytes."""
        wires = [self._queue[0].wire]
        size = len(wires[0])
        # By number: other threads append meanwhile, which no iterator survives.
        for number in range(1, waiting):
            wire = self._queue[number].wire
            if (size := size + len(wire)) > TOGETHER_BYTES:
                break
            wires.append(wire)
        return len(wires), b"".join(wires)

    def _remove(self, count: int) -> None:
        with self._lock:
            for _ in range(count):
                self._queued_bytes -= self._queue.popleft().size


def _never(data: bytes) -> bool:
    """Write nothing: the server below has no ``WRITE``."""
    return False
