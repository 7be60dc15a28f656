"""Limits of one client below ASGI, which no handler sees.

uvicorn trusts every client: it reads up to 256 KiB of frames in one turn of the event loop, answers every WebSocket
PING, waits without end for the rest of a request and for output to be read, and takes connections until the system has
no files left. Two subclasses of its protocols limit, with a common :class:`Guard`:

- how much is read in one turn, so that the parser never keeps the others waiting;
- control and continuation frames a second, beyond which a connection is aborted;
- the time for a request's head, and for its body: 408; the pieces that a body may come in: 400;
- the bytes that a client may send after the server's close frame, whose answer uvicorn awaits: aborted;
- the time that output may lie unread, and that a closing connection may take: aborted;
- connections in all (503), below the system's limit of files, and from one address (429);
- a text that is not UTF-8: closed with 1007;
- a WebSocket handshake that websockets cannot read: answered and closed. uvicorn never answers it, and then fails at
  its own end.

And frames that were made once for many connections are written as they are: ``WRITE`` of
:mod:`backend.gateway.sockets`.

Written for the versions in ``WRITTEN_FOR``, since it overrides and calls private parts: a test fails when others are
installed. Then read the changes of uvicorn's h11_impl and websockets_sansio_impl, and run `make attacks`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import resource
import time
from asyncio.transports import BaseTransport, Transport
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.protocol import Protocol, State

from backend.auth.refusals import log_refusal
from backend.gateway.sockets import WRITE
from backend.limits.addresses import counted_as, stands_for_many
from backend.limits.buckets import warnings
from backend.limits.rate_limit import MICROSECONDS, Rate, TooFast

log = logging.getLogger(__name__)

WRITTEN_FOR = {"uvicorn": "0.54.0", "websockets": "17.4", "h11": "0.16.0"}

# 4 KiB are at most 680 empty frames, some 10 ms of parsing; asyncio's own 256 KiB are 43,000.
READ_BYTES = 4096
# Browsers send no PINGs of their own and do not split what fits into a frame. A proxy may do either, at leisure.
CONTROL_FRAMES_PER_SECOND = 20.0
CONTROL_FRAMES_AT_ONCE = 64
# A token request is under 1 KiB: over 10 s on no line that could carry the page.
REQUEST_SECONDS = 10.0
# A body of 16 KiB (backend.auth.endpoints) comes in one piece, or in those of the network. A chunk of one byte costs
# as much as one of a thousand.
MAX_CHUNKS = 64
# Output waits in the system's buffers first. A client that reads nothing for a minute is gone, or an attacker.
UNREAD_SECONDS = 60.0
# Bytes that were on the way when our close frame was sent. Until the other side answers it, uvicorn goes on reading.
BYTES_AFTER_CLOSE = 128 * 1024
# After a close everything has been sent; this is the time for the other side to take it.
CLOSE_SECONDS = 5.0
# An office of some 200 behind one address, each with an open WebSocket and those that bring the page. Never more than
# half of all connections.
CONNECTIONS_OF_ADDRESS = 1000
# Files that are no connection: SQLite's, those of its readers, logs, a backup.
RESERVED_FILES = 128


def max_open_connections() -> int:
    """Return how many connections the system's limit of files allows: each may have a file open that it is sent."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 0
    return max(1, (soft - RESERVED_FILES) // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits of a client; 0 is no limit. Times are in seconds, ``control_frames`` a second."""

    control_frames: float = CONTROL_FRAMES_PER_SECOND
    request_seconds: float = REQUEST_SECONDS
    unread_seconds: float = UNREAD_SECONDS
    max_connections: int = 0
    address_connections: int = CONNECTIONS_OF_ADDRESS


class Guard:
    """The connections by address, and the end of those that are overdue.

    ``is_shared`` tells whether many people share an address, as with a proxy. ``clock`` gives seconds.
    """

    def __init__(
        self,
        bounds: Bounds,
        *,
        is_shared: Callable[[str], bool] = stands_for_many,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bounds = bounds
        self.clock = clock
        self._is_shared = is_shared
        most, most_of_address = bounds.max_connections, bounds.address_connections
        self._most = most or math.inf
        # One address never takes all connections.
        self._most_of_address = max(1, min(most_of_address, self._most // 2)) if most_of_address else math.inf
        #: The rate of control and continuation frames of one connection; None: any.
        self.control_rate = (
            Rate(bounds.control_frames, CONTROL_FRAMES_AT_ONCE) if bounds.control_frames else None
        )
        self._transports: dict[BaseTransport, str] = {}
        self._of_address: dict[str, int] = {}
        self._warnings = warnings(clock)

    @property
    def counts(self) -> Mapping[str, int]:
        """The connections of each address."""
        return self._of_address

    def enter(self, transport: BaseTransport) -> tuple[int, str] | None:
        """Count a connection; again is no error. Return a status and a text if there is no room for it.

        Counted it is all the same, until :meth:`leave`: it holds a file.
        """
        if transport in self._transports:
            return None
        peer = _peer(transport)
        address = counted_as(peer)
        self._transports[transport] = address
        self._of_address[address] = self._of_address.get(address, 0) + 1
        if len(self._transports) > self._most:
            if not self._warnings.take("all"):
                log.warning(
                    "the limit of %d connections is reached (MAX_CONNECTIONS, or `ulimit -n`): %s is refused",
                    self._most,
                    address,
                )
            return 503, "Service Unavailable"
        if self._of_address[address] > self._most_of_address and not self._is_shared(peer):
            if not self._warnings.take(address):
                log.warning(
                    "%s has more than %d connections (ADDRESS_CONNECTIONS) and is refused. If it is your proxy, "
                    "name it in PROXIES",
                    address,
                    self._most_of_address,
                )
            return 429, "Too Many Requests"
        return None

    def leave(self, transport: BaseTransport) -> None:
        """Forget a connection that is over."""
        address = self._transports.pop(transport, None)
        if address is None:
            return
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]

    def sweep(self, connections: Iterable[object]) -> None:
        """End the overdue ones of uvicorn's connections. Called about once a second."""
        now = self.clock()
        for connection in list(connections):
            if isinstance(connection, _Guarded):
                connection.check(now)


class _Guarded(asyncio.Protocol):
    """The common part of HTTP and WebSocket: the connection is counted, and its output is read in time.

    Stands before uvicorn's class among the bases.
    """

    transport: Transport
    _guard: Guard
    _full_since = math.inf
    _closing_since = math.inf

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._guard.leave(self.transport)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Note that the client does not read: the transport's buffer went over its high-water mark."""
        super().pause_writing()
        self._full_since = self._guard.clock()

    def resume_writing(self) -> None:
        """Note that the client reads."""
        super().resume_writing()
        self._full_since = math.inf

    def check(self, now: float) -> None:
        """Abort the connection if its output is overdue. Called about once a second."""
        if self.transport.is_closing():
            self._closing_since = min(self._closing_since, now)
        most = self._guard.bounds.unread_seconds
        if (most and now - self._full_since >= most) or now - self._closing_since >= CLOSE_SECONDS:
            self.transport.abort()


class _Requests(h11.Connection):
    """h11's reader of requests, for bodies of few pieces."""

    _chunks = 0

    def next_event(self) -> Any:
        """Return the next event. Raises h11.RemoteProtocolError also for a body of too many chunks."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = 0
        elif isinstance(event, h11.Data):
            self._chunks += 1
        if self._chunks > MAX_CHUNKS:
            raise h11.RemoteProtocolError(f"a body of more than {MAX_CHUNKS} chunks")
        return event


class GuardedHttp(_Guarded, H11Protocol):
    """One connection that speaks HTTP, until it ends or becomes a WebSocket."""

    def __init__(self, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = _Requests(h11.SERVER)
        self._guard = guard
        self._awaited: object = None
        self._awaited_since = math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit each read, and turn the connection away if there is no room."""
        super().connection_made(transport)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # asyncio's own name for it
        self._wait_for(h11.IDLE)
        if (refusal := self._guard.enter(transport)) is not None:
            transport.write(_answer(*refusal))
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Note what is awaited next: the rest of a head, of a body, or nothing."""
        super().data_received(data)
        state = self.conn.their_state
        self._wait_for(state if state in (h11.IDLE, h11.SEND_BODY) else None)

    def on_response_complete(self) -> None:
        """Wait for the next request as uvicorn does, by its own timer; or for the rest of a body: this request's, or
        that of one which came together with it, and begins now."""
        super().on_response_complete()
        self._wait_for(h11.SEND_BODY if self.conn.their_state is h11.SEND_BODY else None)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that cannot be read; if it was answered already, close. uvicorn alone fails then."""
        log_refusal("request refused: it cannot be read", _peer(self.transport))
        can_answer = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        self._disconnect_application()
        if can_answer:
            # The request may have been a HEAD, whose answer has no body: the status is written by then.
            with contextlib.suppress(h11.LocalProtocolError):
                super().send_400_response(msg)
        self.transport.close()

    def check(self, now: float) -> None:
        """End the connection if its request or its reader is overdue."""
        super().check(now)
        most = self._guard.bounds.request_seconds
        if not most or now - self._awaited_since < most or self.transport.is_closing():
            return
        # A client that has sent nothing at all, as a browser's spare connection, awaits no answer.
        has_begun = self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]
        if has_begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_answer(408, "Request Timeout"))
        self._disconnect_application()
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _disconnect_application(self) -> None:
        """Tell a running application that the client is gone, before it answers a second time."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _wait_for(self, state: object) -> None:
        """Begin to wait, unless it is for the same as before: time runs from the first byte, not from the last."""
        if state is not self._awaited:
            self._awaited = state
            self._awaited_since = math.inf if state is None else self._guard.clock()


class GuardedWebSocket(_Guarded, WebSocketsSansIOProtocol):
    """One connection that speaks WebSocket, from its handshake on."""

    def __init__(self, *args: Any, guard: Guard, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = guard
        self._rate = guard.control_rate
        self._due: int | None = None
        self._after_close = 0

    def connection_made(self, transport: BaseTransport) -> None:
        """Take over the transport from HTTP."""
        super().connection_made(transport)
        self._guard.enter(transport)

    def handle_connect(self, event: Request) -> None:
        """Also offer the application to write whole frames."""
        super().handle_connect(event)
        if not self.close_sent:  # the handshake is not refused already
            extensions: dict[str, Any] = self.scope["extensions"]
            # Not a method: it would keep this object until the garbage collector comes.
            extensions[WRITE] = {"write": partial(_write_now, self.conn, self.writable, self.transport)}

    def data_received(self, data: bytes) -> None:
        """Also answer a handshake that cannot be read, and abort a client that sends long after our close frame."""
        if self.close_sent:
            self._after_close += len(data)
            if self._after_close > BYTES_AFTER_CLOSE:
                self.transport.abort()
                return
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_complete:
            # websockets has an answer for a head that is too long, and none for one that it does not understand.
            answer = b"".join(self.conn.data_to_send()) or _answer(400, "Bad Request")
            self.handshake_complete = self.close_sent = True
            self.transport.write(answer)
            self.transport.close()

    def shutdown(self) -> None:
        """Close for the server's end, unless the connection ends already: uvicorn alone fails then. It answers a
        handshake by 500, and would fail again at what the application says after that."""
        if not self.transport.is_closing():
            is_answered = self.handshake_complete
            super().shutdown()
            self.disconnected = self.disconnected or not is_answered

    def handle_parser_exception(self) -> None:
        """End a connection that broke the protocol; before its handshake is answered no close frame can say so."""
        if self.conn.close_sent is None:
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def send_500_response(self) -> None:
        """Answer a handshake that failed here, unless the connection ends already: uvicorn alone fails then."""
        if not self.transport.is_closing():
            super().send_500_response()

    def send_receive_event_to_app(self) -> None:
        """Refuse a text that is not UTF-8. uvicorn logs a traceback for each, and before the handshake is answered it
        fails."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf_8(self.frames):
            self.frames = []
            log_refusal("connection ended: a text is not UTF-8", _peer(self.transport))
            if self.handshake_complete:
                self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """Count a continuation frame: a message may have any number of empty ones."""
        if self._is_within_rate():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        """Count a PING, and answer it if the client reads."""
        if self._is_within_rate():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Count a PONG, which was not asked for."""
        if self._is_within_rate():
            super().handle_pong(event)

    def _is_within_rate(self) -> bool:
        """Return whether one more such frame is within the rate; if not, the connection is aborted."""
        if self.transport.is_closing():
            return False
        if self._rate is None:
            return True
        try:
            self._due = self._rate.next_arrival(self._due, int(self._guard.clock() * MICROSECONDS))
        except TooFast:
            most = self._guard.bounds.control_frames
            log_refusal(
                f"connection aborted: more than {most:g} control frames a second (CONTROL_FRAMES)",
                _peer(self.transport),
            )
            self.transport.abort()
            return False
        return True


def _write_now(conn: Protocol, writable: asyncio.Event, transport: Transport, data: bytes) -> bool:
    """Write whole frames, not masked, unless the client does not read or the connection is closing: then nothing is
    written, and False returned."""
    if conn.state is not State.OPEN or not writable.is_set() or transport.is_closing():
        return False
    transport.write(data)
    return True


def _peer(transport: BaseTransport) -> str:
    """Return the address of the other side."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


def _is_utf_8(pieces: Iterable[bytes]) -> bool:
    try:
        b"".join(pieces).decode()
    except UnicodeDecodeError:
        return False
    return True


def _answer(status: int, text: str) -> bytes:
    head = f"HTTP/1.1 {status} {text}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\n"
    more = "Retry-After: 5\r\n" if status in (429, 503) else ""
    return f"{head}{more}Cache-Control: no-store\r\nConnection: close\r\n\r\n{text}".encode()
