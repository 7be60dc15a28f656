"""The handlers of events: the same functions on one machine and on Lambda.

:meth:`Backend.handle` takes an event as API Gateway's WebSocket APIs make them and returns ``{statusCode, body}``;
``body`` goes back to the sender as a frame (a route response). Nothing here knows asyncio, sockets or SQL: store,
gateway, clock and identifiers come from outside.

Errors and their answers:

- a frame that is malformed, unknown or not allowed: an ``error`` frame, or a ``nack`` when it is a message;
- a connection without a record, or whose token has expired: ``bye`` with ``reconnect`` and the connection is closed;
- a handshake that no authorizer has checked (:mod:`backend.auth.authorizer`): 401; one of a banned person: 403;
- a store that cannot be written, because its disk is full: a ``nack`` for a message, 503 for a handshake;
- connections of one person beyond 20: the oldest gets ``bye`` when a new one sends ``hello``, since after a change of
  networks it is most likely dead; beyond twice as many the handshake is answered by 429;
- frames that come faster than :mod:`backend.limits.actions` allows: nothing, since the page asks again; ``bye`` for
``hello``,
  and 429 for a handshake;
- a page that speaks another version of the protocol: ``bye`` without ``reconnect``, and the connection is closed;
- anything unexpected: the exception leaves ``handle``, the gateway answers "Internal server error" and the connection
  stays open.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NotRequired, TypedDict, TypeVar

from backend.auth.authorizer import Unauthorized, identity_in
from backend.auth.bans import Banned
from backend.auth.permissions import may_join
from backend.auth.refusals import log_refusal, source_of
from backend.auth.tokens import Identity
from backend.gateway.base import Delivery, Gateway
from backend.gateway.events import frame_in
from backend.limits.actions import ActionLimits, Actions
from backend.limits.rate_limit import Rate, TooFast
from backend.messaging.broadcast import Dispatcher
from backend.messaging.connections import Connection, Connections, Departure, TooManyRooms, UnknownConnection
from backend.messaging.message_log import ReusedId, Rooms, Sender
from backend.messaging.presence import PresenceTracker
from backend.store.base import Conflict, Store, StoreError, StoreUnavailable
from backend.store.retry import Retry
from chat.protocol import (
    PROTOCOL_VERSION,
    Batch,
    Bye,
    DownFrame,
    Error,
    Hello,
    History,
    InvalidField,
    Join,
    Leave,
    Nack,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    RoomPosition,
    SendMessage,
    Sync,
    Typing,
    UpFrame,
    check_id,
    check_room,
    encode,
    parse_up,
)

log = logging.getLogger(__name__)

# What a nack for a room that is too busy asks the page to wait.
BUSY_RETRY_SECONDS = 1.0
# And for a store that cannot be written: a disk is not freed sooner.
UNAVAILABLE_RETRY_SECONDS = 5.0
# Tabs of one person, each with the link that it replaces, and dead connections that the server has not noticed: a phone
# that loses its network leaves one each time, for up to 10 minutes (IDLE_SECONDS).
MAX_CONNECTIONS_PER_PERSON = 20
# How long a connection that was closed for too many waits: its return closes another one.
CROWDED_RETRY_SECONDS = 60.0

T = TypeVar("T")
Event = Mapping[str, Any]
Handler = Callable[[Connection, Any], DownFrame | None]


class Response(TypedDict):
    """The answer of a Lambda function. ``body`` goes back as a frame; without it nothing does."""

    statusCode: int
    body: NotRequired[str]


class RequestRejected(Exception):
    """A request that is answered by an ``error`` frame, or by a ``nack`` when it is a message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class CloseConnection(Exception):
    """The connection cannot go on: it gets ``bye`` with this reason and ``reconnect``, and is closed.

    ``retry_after``: seconds after which, None for soon.
    """

    def __init__(self, reason: str, *, reconnect: bool = True, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reconnect = reconnect
        self.retry_after = retry_after


class Backend:
    """The handler of all events. One instance serves all connections from any number of threads.

    ``clock`` gives epoch seconds, ``new_id`` a fresh identifier of at most 64 printable ASCII characters,
    ``may_join(user_id, room_id)`` decides who gets into a room, ``rate`` limits one person's messages (None: no limit),
    ``actions`` their other frames, by ``monotonic`` seconds (None: no limit). ``most_connections``: of one person (0:
    any number).
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        *,
        clock: Callable[[], float] = time.time,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
        may_join: Callable[[str, str], bool] = may_join,
        rate: Rate | None = None,
        actions: ActionLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        most_connections: int = 0,
        retry: Retry | None = None,
    ) -> None:
        self.connections = Connections(store, clock=clock, retry=retry)
        self.rooms = Rooms(store, clock=clock, new_id=new_id, rate=rate, retry=retry)
        self._dispatcher = Dispatcher(gateway, self.connections)
        self._presence = PresenceTracker(self.connections, self._dispatcher)
        self._actions = Actions(actions or ActionLimits(0, 0, 0), monotonic=monotonic)
        self._most_connections = most_connections
        self._clock = clock
        self._may_join = may_join
        self._handlers: dict[type[UpFrame], Handler] = {
            Hello: self._hello,
            Join: self._join,
            Leave: self._leave,
            SendMessage: self._send_message,
            Sync: self._sync,
            History: self._history,
            Ping: self._ping,
            Typing: self._typing,
        }

    @property
    def routes(self) -> frozenset[str]:
        """The route keys that a gateway selects by ``$request.body.action``; all else goes to ``$default``."""
        return frozenset({"$connect", "$disconnect", "$default", *(frame.action for frame in self._handlers)})

    @property
    def reads(self) -> frozenset[str]:
        """The route keys whose frames write nothing."""
        return frozenset(frame.action for frame in (Ping, Sync, History))

    def handle(self, event: Event, context: object = None) -> Response:
        """Answer one event. ``context`` is Lambda's and unused. The gateway reports exceptions."""
        kind = event["requestContext"]["eventType"]
        if kind == "CONNECT":
            return self._connect(event)
        if kind == "DISCONNECT":
            return self._disconnect(event)
        return self._message(event)

    def close(self) -> None:
        """Release the threads. Running work finishes."""
        self._dispatcher.close()

    # --- connections come and go ---

    def _connect(self, event: Event) -> Response:
        try:
            identity = identity_in(event)
        except Unauthorized as error:
            log.error("connection refused: %s", error)
            return {"statusCode": 401, "body": "Unauthorized"}
        if self._actions.wait_to_open(identity.user_id):
            log_refusal("connection refused: too many in a short time", source_of(event), identity.user_id)
            return {"statusCode": 429, "body": "Too many connections"}
        # Counted before it is written: of those that come at the same time some more may be admitted.
        most = 2 * self._most_connections
        if most and self.connections.has_at_least(identity.user_id, most):
            log_refusal(f"connection refused: {most} of them", source_of(event), identity.user_id)
            return {"statusCode": 429, "body": "Too many connections"}
        try:
            self.connections.open(event["requestContext"]["connectionId"], identity)
        except Banned:
            log_refusal("connection refused: banned", source_of(event), identity.user_id)
            return {"statusCode": 403, "body": "Forbidden"}
        except StoreError as error:
            log_refusal(
                f"connection refused: {type(error).__name__} {error}", source_of(event), identity.user_id
            )
            return {"statusCode": 503, "body": "Service Unavailable"}
        return {"statusCode": 200}

    def _disconnect(self, event: Event) -> Response:
        departure = self.connections.remove(event["requestContext"]["connectionId"])
        if departure is not None:
            self._presence.departed([departure])
        return {"statusCode": 200}

    def _message(self, event: Event) -> Response:
        connection_id = event["requestContext"]["connectionId"]
        try:
            answer = self._answer(event)
        except CloseConnection as error:
            person = (event["requestContext"].get("authorizer") or {}).get("principalId", "")
            log_refusal(f"connection {connection_id} closed: {error}", source_of(event), person)
            bye = Bye(reason=error.reason, reconnect=error.reconnect, retry_after=error.retry_after)
            self._dispatcher.post(connection_id, bye)
            self._dispatcher.close_connection(connection_id)
            answer = None
        if answer is None:
            return {"statusCode": 200}
        return {"statusCode": 200, "body": encode(answer)}

    def _answer(self, event: Event) -> DownFrame | None:
        data: Mapping[str, Any] = {}
        try:
            data = frame_in(event.get("body") or "")
            frame = parse_up(data)
            if wait := self._actions.wait(identity_in(event).user_id, frame):
                if isinstance(frame, Hello):
                    raise CloseConnection("rate_limited", retry_after=max(1.0, wait))
                return None
            connection = self._authenticated(event)
            if not connection.active and not isinstance(frame, Hello | Ping):
                raise RequestRejected("hello_first", f"say hello before {frame.action}")
            return self._handlers[type(frame)](connection, frame)
        except ProtocolError as error:
            return _refusal(data, error.code, str(error))
        except RequestRejected as error:
            return _refusal(data, error.code, error.message)
        except (UnknownConnection, Unauthorized):
            raise CloseConnection("unknown_connection") from None

    def _authenticated(self, event: Event) -> Connection:
        """Return the connection of the person that the event names. Raises Unauthorized, UnknownConnection,
        CloseConnection."""
        identity = identity_in(event)
        connection = self.connections.get(event["requestContext"]["connectionId"])
        if connection is None or _person(connection) != identity:
            raise UnknownConnection
        if identity.expires_at <= self._clock():
            raise CloseConnection("token_expired")
        return connection

    # --- one method for each action; its result goes back to the sender ---

    def _hello(self, connection: Connection, frame: Hello) -> None:
        """Activate, enter the rooms, then read them: a message sent meanwhile is broadcast to it."""
        if frame.v != PROTOCOL_VERSION:
            raise CloseConnection("unsupported", reconnect=False)
        positions = {position.room_id: position for position in frame.rooms}
        refused = [room_id for room_id in positions if not self._may_join(connection.user_id, room_id)]
        for room_id in refused:
            del positions[room_id]
        entered = self._enter(lambda: self.connections.activate(connection, positions))
        if self._post_ready(connection, positions.values(), refused) is Delivery.GONE:
            return
        if self._most_connections:
            self._close_oldest(connection)
        for room_id in positions:
            self._presence.arrived(connection, room_id, entered=room_id in entered)

    def _close_oldest(self, newest: Connection) -> None:
        """Close the oldest connections of this person beyond the limit."""
        most = self._most_connections
        ids = self.connections.of_person(newest.user_id, 2 * most)
        others = [connection_id for connection_id in ids if connection_id != newest.connection_id]
        bye = Bye(reason="too_many_connections", retry_after=CROWDED_RETRY_SECONDS)
        for connection_id in others[: max(0, len(others) + 1 - most)]:
            log.info("connection %s of %s ends: too many", connection_id, newest.user_id)
            if self._dispatcher.post(connection_id, bye) is not Delivery.GONE:
                self._dispatcher.close_connection(connection_id)
            elif (departure := self.connections.remove(connection_id)) is not None:
                self._presence.departed([departure])

    def _post_ready(
        self, connection: Connection, positions: Iterable[RoomPosition], refused: Iterable[str]
    ) -> Delivery:
        """Post ``ready``, and one page of the missed messages of each room; the page asks for the rest by ``sync``.

        ``ready`` is posted before the batches. On AWS that order is likely, not certain; pages accept any.
        """
        ready = Ready(
            connection_id=connection.connection_id,
            user_id=connection.user_id,
            server_time=int(self._clock() * 1000),
            expires_in=max(0, connection.token_expires_at - int(self._clock())),
            v=PROTOCOL_VERSION,
        )
        if self._dispatcher.post(connection.connection_id, ready) is Delivery.GONE:
            return Delivery.GONE
        for room_id in refused:
            error = Error(code="forbidden", message=_closed_room(room_id), room_id=room_id)
            self._dispatcher.post(connection.connection_id, error)
        for position in positions:
            delivery = self._dispatcher.post(connection.connection_id, self._missed(position))
            if delivery is not Delivery.DELIVERED:
                return delivery  # gone, or so slow that the page will ask again
        return Delivery.DELIVERED

    def _missed(self, position: RoomPosition) -> Batch | Error:
        """Return the missed messages of one room. A room that cannot be read does not stop the others."""
        try:
            return self.rooms.read_after(position.room_id, position.after, position.epoch)
        except Exception:
            log.exception("could not read the missed messages of %s", position.room_id)
            return Error(
                code="internal", message=f"{position.room_id} cannot be read now", room_id=position.room_id
            )

    def _join(self, connection: Connection, frame: Join) -> None:
        """Enter, then read, then tell the others: they wait until the new member has the batch."""
        self._admit(connection, frame.room_id)
        entered = self._enter(lambda: self.connections.join(connection, frame.room_id))
        batch = self.rooms.read_after(frame.room_id, frame.after, frame.epoch, frame.ref)
        if self._dispatcher.post(connection.connection_id, batch) is not Delivery.GONE:
            self._presence.arrived(connection, frame.room_id, entered=entered)

    def _leave(self, connection: Connection, frame: Leave) -> None:
        if self.connections.leave(connection.connection_id, frame.room_id):
            self._presence.departed([Departure(connection.user_id, connection.name, (frame.room_id,))])

    def _send_message(self, connection: Connection, frame: SendMessage) -> DownFrame | None:
        """Store, acknowledge, then broadcast: the ack is posted first, so that it waits for no delivery."""
        self._admit(connection, frame.room_id)
        try:
            appended = self.rooms.append(Sender(connection.user_id, connection.name), frame)
        except ReusedId as error:
            raise RequestRejected(InvalidField.code, str(error)) from None
        except TooFast as error:
            return _retryable_nack(frame, "rate_limited", str(error), error.retry_after)
        except Conflict:
            return _retryable_nack(frame, "busy", "the room is too busy, try again", BUSY_RETRY_SECONDS)
        except StoreUnavailable as error:
            log.error("a message cannot be stored: %s", error, extra={"source": "the store"})
            return _retryable_nack(
                frame, "busy", "nothing can be stored now, try again", UNAVAILABLE_RETRY_SECONDS
            )
        self._dispatcher.post(connection.connection_id, appended.ack)
        if appended.message is not None:
            sender = connection.connection_id
            self._presence.departed(
                self._dispatcher.post_to_room(frame.room_id, appended.message, sender=sender, to_sender=True)
            )
        return None

    def _sync(self, connection: Connection, frame: Sync) -> DownFrame:
        self._admit_reader(connection, frame.room_id)
        return self.rooms.read_after(frame.room_id, frame.after, frame.epoch, frame.ref)

    def _history(self, connection: Connection, frame: History) -> DownFrame:
        self._admit_reader(connection, frame.room_id)
        return self.rooms.read_before(frame.room_id, frame.before, frame.limit, frame.ref)

    def _ping(self, connection: Connection, frame: Ping) -> DownFrame:
        rooms = self.connections.rooms_of(connection.connection_id)
        return Pong(t=frame.t, heads=tuple(self.rooms.heads(rooms)))

    def _typing(self, connection: Connection, frame: Typing) -> None:
        if not self.connections.is_in(connection.connection_id, frame.room_id):
            raise RequestRejected("not_in_room", f"roomId: enter {frame.room_id} before you type there")
        self._presence.typing(connection, frame.room_id)

    # --- permissions ---

    def _admit(self, connection: Connection, room_id: str) -> None:
        if not self._may_join(connection.user_id, room_id):
            raise RequestRejected("forbidden", _closed_room(room_id))

    def _admit_reader(self, connection: Connection, room_id: str) -> None:
        """Check that a reader is in the room, and so counted. A writer need not be: a message in an outbox is sent
        after its person has left the room, or by another page of theirs."""
        self._admit(connection, room_id)
        if not self.connections.is_in(connection.connection_id, room_id):
            raise RequestRejected("not_in_room", f"roomId: enter {room_id} before you read it")

    def _enter(self, enter: Callable[[], T]) -> T:
        try:
            return enter()
        except TooManyRooms as error:
            raise RequestRejected("too_many_rooms", str(error)) from None


def _person(connection: Connection) -> Identity:
    return Identity(connection.user_id, connection.name, connection.token_expires_at)


def _refusal(data: Mapping[str, Any], code: str, message: str) -> DownFrame:
    """Return a ``nack`` for a message that can be named, else an ``error`` with its ``ref`` and ``roomId``."""
    client_message_id = _checked(check_id, data, "clientMessageId")
    if data.get("action") == SendMessage.action and client_message_id and code != "hello_first":
        return Nack(client_message_id=client_message_id, code=code, message=message, retryable=False)
    ref, room_id = _checked(check_id, data, "ref"), _checked(check_room, data, "roomId")
    return Error(code=code, message=message, ref=ref, room_id=room_id)


def _retryable_nack(frame: SendMessage, code: str, message: str, seconds: float) -> Nack:
    return Nack(
        client_message_id=frame.client_message_id,
        code=code,
        message=message,
        retryable=True,
        retry_after=seconds,
    )


def _checked(check: Callable[[str, Any], str], data: Mapping[str, Any], name: str) -> str | None:
    try:
        return check(name, data.get(name))
    except ProtocolError:
        return None


def _closed_room(room_id: str) -> str:
    return f"roomId: you may not enter {room_id}"
