"""A gateway on one machine that behaves as API Gateway's WebSocket APIs do.

The facts it imitates, with their sources, are in AWS's documentation and in issues of its users: identifiers of AWS's
shape, events with AWS's keys, a socket that does not exist yet while ``$connect`` runs (posting answers Gone), frames
of one client handled concurrently, text frames alone (a binary one closes with 1003), 10 minutes idle and 2 hours in
all (1001), ``Forbidden`` and ``Internal server error`` frames, and a buffer for each connection that, once full, fails
the post (429) and does not delay others.

It does not imitate the limits of an account, which all its clients share. Instead each person has limits: see
:mod:`backend.gateway.people`.

Frames of more than 32 KiB are refused by the WebSocket protocol below (1009): see ``ws_max_size`` in
:mod:`backend.local.server`.

Handlers run in threads and call :meth:`LocalGateway.post_many`; sockets belong to the event loop. Between them are one
lock and a queue for each connection; no thread ever waits for a socket.

A frame is made once for all its receivers: see :mod:`backend.gateway.sockets`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from backend.auth.authorizer import allows, context_of
from backend.auth.refusals import log_refusal
from backend.gateway.base import Delivery
from backend.gateway.events import (
    FrameText,
    Handshake,
    authorizer_event,
    connect_event,
    disconnect_event,
    message_event,
)
from backend.gateway.people import People, Person, Turns
from backend.gateway.sockets import OutgoingFrame, Socket
from backend.limits.addresses import counted_as
from backend.limits.rate_limit import Rate

log = logging.getLogger(__name__)

# API Gateway's fixed limits, in seconds. Any frame in either direction ends the idle time.
IDLE_SECONDS = 10 * 60
DURATION_SECONDS = 2 * 60 * 60
INTEGRATION_TIMEOUT_SECONDS = 29.0
# The largest payload of @connections.
MAX_POST_BYTES = 128 * 1024
# Threads that handle frames at the same time, of those that write and of those that only read. Fewer than there are
# (backend.local.app): handshakes and requests find one free. And Python runs one of them at a time: with 20 people who
# ask for history as fast as they can, another person's ack took 135 ms at 24 threads, and 50 ms at 8.
THREADS, READING_THREADS = 12, 8
# Threads for $connect and $disconnect, and open handshakes of one address: twice a crowd of 500 behind a proxy that
# PROXIES does not name. A handshake counts until its handlers are done, even if the client closes at once.
OPENING_THREADS = 8
MAX_OPENING = 1_000
# Reading is computing, mostly: two of them keep a person with many tabs from waiting for one slow page of history.
READING_THREADS_EACH = 2
# 11 bytes give the 16 characters of AWS's ids: "BFaT_fALIAMCKug=".
ID_BYTES = 11

NORMAL, GOING_AWAY, UNSUPPORTED = 1000, 1001, 1003
# No status came with the close frame, and none came at all (RFC 6455, 7.4.1).
NO_STATUS, ABNORMAL = 1005, 1006

Invoke = Callable[[Mapping[str, Any]], Mapping[str, Any]]

_FAILED: Mapping[str, Any] = {"statusCode": 500, "body": "Internal server error"}


def new_aws_id() -> str:
    """Return an identifier of the shape that API Gateway gives to connections and requests."""
    return urlsafe_b64encode(secrets.token_bytes(ID_BYTES)).decode()


class LocalGateway:
    """All WebSocket connections of this process.

    ``workers`` runs handlers. ``readers`` runs those that only read; None: ``workers`` does. ``monotonic`` and
    ``sleep`` (seconds) measure idle time, age and pace, ``wall`` (epoch seconds) goes into events. :meth:`attach` names
    the handlers before the first connection is served.

    ``frame_rate`` is the limit of one person over all connections (None: any number), and ``rate_limited`` the last
    frame of a person who keeps exceeding it.
    """

    def __init__(
        self,
        workers: Executor,
        *,
        readers: Executor | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        new_id: Callable[[], str] = new_aws_id,
        idle_seconds: float = IDLE_SECONDS,
        duration_seconds: float = DURATION_SECONDS,
        integration_timeout: float = INTEGRATION_TIMEOUT_SECONDS,
        frame_rate: Rate | None = None,
        rate_limited: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._workers = workers
        self._readers = readers or workers
        self._monotonic = monotonic
        self._wall = wall
        self._new_id = new_id
        self._idle_seconds = idle_seconds
        self._duration_seconds = duration_seconds
        self._integration_timeout = integration_timeout
        self._rate_limited = rate_limited
        self._sleep = sleep
        self._people = People(rate=frame_rate, monotonic=monotonic)
        self._turns, self._reading_turns = Turns(THREADS), Turns(READING_THREADS, each=READING_THREADS_EACH)
        self._opening_turns = Turns(OPENING_THREADS)
        self._opening: Counter[str] = Counter()  # handshakes that are under way, by address
        self._invoke: Invoke = _not_attached
        self._authorize: Invoke | None = None
        self._routes: frozenset[str] = frozenset()
        self._reads: frozenset[str] = frozenset()
        self._lock = threading.Lock()  # guards _sockets and every socket's queue
        self._sockets: dict[str, Socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining = False

    def attach(
        self,
        invoke: Invoke,
        routes: Iterable[str],
        authorize: Invoke | None = None,
        *,
        reads: Iterable[str] = (),
    ) -> None:
        """Set the handlers: ``invoke`` answers events, ``routes`` are the keys that a frame's action can select.

        ``authorize`` is asked before ``$connect``, with the ``token`` of the URL as its identity source. ``reads`` are
        the routes that write nothing: they have their own threads, and do not wait behind writers.
        """
        self._reads = frozenset(reads)
        self._authorize = authorize
        self._invoke = invoke
        self._routes = frozenset(routes)

    # --- called by handlers, from their threads ---

    def post_many(self, connection_ids: Iterable[str], frame: str) -> dict[str, Delivery]:
        """Put a frame into each connection's buffer. Waits for no socket."""
        outgoing = OutgoingFrame.of(frame)
        results: dict[str, Delivery] = {}
        taken = []
        with self._lock:
            for connection_id in connection_ids:
                socket = self._sockets.get(connection_id)
                if socket is None or socket.closing is not None:
                    results[connection_id] = Delivery.GONE
                elif outgoing.size > MAX_POST_BYTES or not socket.offer(outgoing):
                    results[connection_id] = Delivery.FAILED
                else:
                    results[connection_id] = Delivery.DELIVERED
                    taken.append(socket)
        self._wake(taken)
        return results

    def close(self, connection_id: str) -> None:
        """Close a connection with 1000 after its queue, as DELETE @connections does."""
        with self._lock:
            socket = self._sockets.get(connection_id)
            if socket is not None:
                socket.close(NORMAL, "Connection Closed Normally")
        self._wake([socket] if socket else [])

    # --- called by the server, in the event loop ---

    def connection_ids(self) -> list[str]:
        """Return the connections that exist now."""
        with self._lock:
            return list(self._sockets)

    def sweep(self) -> None:
        """Close connections that were idle for 10 minutes or open for 2 hours. Called every few seconds."""
        now = self._monotonic()
        cut = []
        with self._lock:
            for socket in self._sockets.values():
                if (
                    now - socket.opened_at >= self._duration_seconds
                    or now - socket.active_at >= self._idle_seconds
                ):
                    socket.close(GOING_AWAY, "Going away")
                    cut.append(socket)
        self._wake(cut)
        self._people.sweep()

    async def shut_down(self, bye: str, within: float) -> None:
        """Refuse new connections, send ``bye`` to all, close with 1001. Returns after at most ``within`` seconds."""
        self._draining = True
        last = OutgoingFrame.of(bye)
        with self._lock:
            leaving = list(self._sockets.values())
            for socket in leaving:
                socket.queue_last(last)
                socket.close(GOING_AWAY, "The server restarts")
        self._wake(leaving)
        ends = [asyncio.ensure_future(socket.ended.wait()) for socket in leaving]
        if ends:
            _, late = await asyncio.wait(ends, timeout=within)
            for end in late:
                end.cancel()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection, from its handshake to its $disconnect."""
        self._loop = asyncio.get_running_loop()
        if self._draining:
            await websocket.send_denial_response(PlainTextResponse("The server restarts", 503))
            return
        handshake = Handshake(self._new_id(), websocket.scope, self._wall())
        if not await self._admitted(websocket, handshake):
            return
        code, reason = ABNORMAL, "Lost during the handshake"
        try:
            await websocket.accept()
            code, reason = await self._run_connection(websocket, handshake)
        except (WebSocketDisconnect, RuntimeError, OSError) as error:
            log.info("connection %s was lost: %s", handshake.connection_id, type(error).__name__)
        finally:
            await self._disconnected(handshake, code, reason)

    # --- a connection's life ---

    async def _admitted(self, websocket: WebSocket, handshake: Handshake) -> bool:
        """Return whether authorizer and $connect admit it; if not, the handshake has been answered."""
        address = counted_as(handshake.source_ip)
        if self._opening[address] >= MAX_OPENING:
            log_refusal(f"connection refused: {MAX_OPENING} handshakes are under way", handshake.source_ip)
            response: Mapping[str, Any] = {"statusCode": 503, "body": "Service Unavailable"}
        else:
            self._opening[address] += 1
            try:
                response = await self._connected(handshake, address)
            finally:
                self._opening[address] -= 1
                if not self._opening[address]:
                    del self._opening[address]
        if 200 <= response["statusCode"] < 300:
            return True
        await websocket.send_denial_response(
            PlainTextResponse(response.get("body", ""), response["statusCode"])
        )
        return False

    async def _connected(self, handshake: Handshake, address: str) -> Mapping[str, Any]:
        """Return the authorizer's refusal, else the response of $connect."""
        response = await self._authorized(handshake, address)
        if response is None:
            event = connect_event(handshake, self._new_id(), self._wall())
            response = await self._run_in_turn(self._opening_turns, handshake.person, event) or _FAILED
        return response

    async def _authorized(self, handshake: Handshake, address: str) -> Mapping[str, Any] | None:
        """Return None if the authorizer admits the handshake or there is none, else the response to it."""
        if self._authorize is None:
            return None
        if not dict(handshake.query).get("token"):
            log_refusal("connection refused: neither a ticket nor a token", handshake.source_ip)
            return {"statusCode": 401, "body": "Unauthorized"}
        event = authorizer_event(handshake, self._new_id(), self._wall())
        answer = await self._run_in_turn(self._opening_turns, address, event, self._authorize)
        if answer is None:
            return _FAILED
        if not allows(answer):
            return {"statusCode": 403, "body": "Forbidden"}
        handshake.authorizer = context_of(answer)
        return None

    async def _run_connection(self, websocket: WebSocket, handshake: Handshake) -> tuple[int, str]:
        """Read and write until one side ends; return the close code and reason."""
        socket = Socket(websocket, self._lock, self._monotonic)
        with self._lock:
            self._sockets[handshake.connection_id] = socket
            if self._draining:
                socket.close(GOING_AWAY, "The server restarts")
        person = self._people.enter(handshake.person)
        reader = asyncio.create_task(self._read(socket, handshake, person))
        writer = socket.start_writing()
        description = _description(handshake)
        log.info("%s opened", description)
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._people.leave(person)
            with self._lock:
                del self._sockets[handshake.connection_id]
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            socket.ended.set()
        is_lost = reader.cancelled() or reader.exception() is not None
        code, reason = (socket.closing or (ABNORMAL, "Connection lost")) if is_lost else reader.result()
        # The other side's reason may hold any text.
        ending = "lost" if code == ABNORMAL else "by the other side"
        ending = socket.closing[1] if socket.closing else ending
        open_for = self._monotonic() - socket.opened_at
        log.info(
            "%s closed: %d %s, after %.1f s, frames: %d", description, code, ending, open_for, socket.frames
        )
        return code, reason

    async def _read(self, socket: Socket, handshake: Handshake, person: Person) -> tuple[int, str]:
        """Pass each frame to a handler at the person's rate. While this waits, the rest waits in TCP."""
        while True:
            received = await socket.receive()
            if received["type"] == "websocket.disconnect":
                return received.get("code") or NO_STATUS, received.get("reason") or ""
            if (text := received.get("text")) is None:
                with self._lock:
                    socket.close(UNSUPPORTED, "Binary frames are not supported")
                self._wake([socket])
                continue
            if wait := self._people.pace(person):
                if self._people.is_flooding(person):
                    await self._end(socket, handshake)
                await self._sleep(wait)
            await person.slots.acquire()
            task = asyncio.create_task(self._answer(handshake, text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            task.add_done_callback(lambda _: person.slots.release())

    async def _end(self, socket: Socket, handshake: Handshake) -> None:
        """Tell a person who keeps sending too much to come back later, and close. Nothing more is read meanwhile."""
        log.warning(
            "connection %s of %s sends too much: closed",
            handshake.connection_id,
            handshake.person,
            extra={"source": handshake.source_ip},
        )
        with self._lock:
            socket.queue_last(OutgoingFrame.of(self._rate_limited))
            socket.close(NORMAL, "Connection Closed Normally")
        self._wake([socket])
        await socket.ended.wait()

    async def _answer(self, handshake: Handshake, text: str) -> None:
        """Run the handler of one frame and send back what it answers."""
        request_id = self._new_id()
        text = FrameText.read(text)
        route = select_route(text, self._routes)
        if route is None:
            self._post_own(handshake.connection_id, request_id, "Forbidden")
            return
        turns = self._reading_turns if route in self._reads else self._turns
        event = message_event(handshake, request_id, self._wall(), route, text)
        response = await self._run_in_turn(turns, handshake.person, event)
        if response is None:
            self._post_own(handshake.connection_id, request_id, "Internal server error")
        elif body := response.get("body"):
            self.post_many([handshake.connection_id], body)

    async def _disconnected(self, handshake: Handshake, code: int, reason: str) -> None:
        event = disconnect_event(handshake, self._new_id(), self._wall(), code, reason)
        await self._run_in_turn(self._opening_turns, handshake.person, event)

    async def _run_in_turn(
        self, turns: Turns, person: str, event: Mapping[str, Any], function: Invoke | None = None
    ) -> Mapping[str, Any] | None:
        """Do the same as :meth:`_run`, at the turn of the person or the address."""
        await turns.take(person)
        try:
            return await self._run(event, function)
        finally:
            turns.give_back(person)

    async def _run(
        self, event: Mapping[str, Any], function: Invoke | None = None
    ) -> Mapping[str, Any] | None:
        """Return the answer of the handler, or of ``function``; None if it failed or took too long.

        Failures are logged without the event, which may hold a token or a message.
        """
        route = event["requestContext"]["routeKey"]
        where = f"{route} of {event['requestContext']['connectionId']}"
        try:
            running = asyncio.get_running_loop().run_in_executor(
                self._readers if route in self._reads else self._workers, function or self._invoke, event
            )
            return await asyncio.wait_for(running, self._integration_timeout)
        except TimeoutError:
            log.error("%s took more than %g s", where, self._integration_timeout)
        except Exception:
            if self._draining:
                log.info("%s was cut off by the shutdown", where)
            else:
                log.exception("%s failed", where)
        return None

    def _post_own(self, connection_id: str, request_id: str, message: str) -> None:
        frame = {"message": message, "connectionId": connection_id, "requestId": request_id}
        self.post_many([connection_id], json.dumps(frame))

    def _wake(self, sockets: Sequence[Socket]) -> None:
        """Make the event loop look at the queues: one hop for a whole broadcast."""
        if sockets and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended while this thread still worked
                self._loop.call_soon_threadsafe(_wake_all, sockets)


def select_route(body: str, routes: frozenset[str]) -> str | None:
    """Return the route key that ``$request.body.action`` selects: an exact match, else ``$default``, else None.

    Keys that begin with ``$`` are API Gateway's own; a frame cannot name them.
    """
    action = body.frame.get("action") if isinstance(body, FrameText) else None
    if isinstance(action, str) and action in routes and not action.startswith("$"):
        return action
    return "$default" if "$default" in routes else None


def _description(handshake: Handshake) -> str:
    """Return a connection for the log: its id, its address, and its person."""
    person = (handshake.authorizer or {}).get("principalId", "unknown")
    return f"connection {handshake.connection_id} of {handshake.source_ip}, person {person}"


def _wake_all(sockets: Sequence[Socket]) -> None:
    for socket in sockets:
        socket.wake()


def _not_attached(event: Mapping[str, Any]) -> Mapping[str, Any]:
    raise RuntimeError("LocalGateway.attach was not called")
