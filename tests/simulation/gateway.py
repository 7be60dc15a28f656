"""The server: the real handlers behind a gateway that may do to them what API Gateway and crashes do."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend.auth.authorizer import Authorizer, allows, context_of
from backend.auth.bans import Bans
from backend.auth.endpoints import Answer, Endpoint, TicketEndpoint, TokenEndpoint
from backend.auth.tickets import TicketOrToken, Tickets
from backend.auth.tokens import Tokens
from backend.gateway.base import Delivery
from backend.gateway.events import METHOD_ARN
from backend.limits.rate_limit import Rate
from backend.messaging.connections import CONNECTION_PREFIX, connection_id_of
from backend.messaging.handlers import Backend, Response
from backend.messaging.message_log import ROOM_PREFIX, Rooms, room_of_head
from backend.messaging.moderation import delete_message, keep_messages
from backend.store.base import Conflict, Item
from backend.store.retry import Retry
from chat.protocol import Bye, encode
from tests.backend.fakes import Ids, event
from tests.simulation.network import ABNORMAL, End, Signal, SimulatedLink, Text, Way
from tests.simulation.temporary_store import TemporaryStore

SECRET = bytes(range(32))
NORMAL, GOING_AWAY = 1000, 1001
#: A person's rate limit, low enough that messages are rejected now and then.
RATE = Rate(per_second=2.0, burst=4)
#: Handlers that run at the same time, one inside another, since there is one thread.
INSTANCES = 2


class FaultKind(Enum):
    """Faults in the middle of a handler."""

    KILLED = auto()  #: the process ends
    FAILED = auto()  #: this handler ends, by a timeout
    CONFLICT = auto()  #: the store reports a concurrent write
    BUSY = auto()  #: the same at every further try
    MEANWHILE = auto()  #: something else happens between two steps


class ProcessKilled(BaseException):
    """The end of the process, which no ``except Exception`` catches."""


class TimedOut(RuntimeError):
    """The end of a handler, which the gateway reports."""


RAISED = {
    FaultKind.KILLED: ProcessKilled,
    FaultKind.FAILED: TimedOut,
    FaultKind.CONFLICT: Conflict,
    FaultKind.BUSY: Conflict,
}


@dataclass(slots=True)
class InjectedFault:
    """A fault before one step of a handler. ``step``: counted from 0; a call of the store or the gateway."""

    fault: FaultKind
    step: int
    meanwhile: Callable[[], object] = lambda: None


class Server:
    """The processes of the handlers, and the gateway of their connections.

    The store survives the server's crashes. ``injected``: the fault of the next handler of a frame.
    """

    def __init__(self, store: TemporaryStore, clock: Callable[[], float]) -> None:
        self.store = store
        self.is_up = False
        self.injected: InjectedFault | None = None
        self.posts_to_fail = 0  #: number of posts that will fail with 429
        self._clock = clock
        self._ids = Ids()
        numbers = itertools.count(1)
        tokens = Tokens(SECRET, clock=clock)
        tickets = Tickets(store, clock=clock, new_ticket=lambda: f"ticket-{next(numbers)}")
        bans = Bans(store, clock=clock)
        self._endpoints: dict[str, Endpoint] = {"/token": TokenEndpoint(lambda: tokens, bans)}
        self._endpoints["/ticket"] = TicketEndpoint(tickets, tokens, bans)
        self._authorizer = Authorizer(TicketOrToken(tickets, tokens))
        self._links: dict[str, SimulatedLink] = {}
        self._instances: list[Backend] = []
        self._running = 0
        self.start()

    # --- starting and stopping ---

    def start(self) -> None:
        """Start to serve. Old connection records are deleted, as backend.local.app does, since no socket survives."""
        if self.is_up:
            return
        self.is_up = True
        store, retry = WatchedStore(self.store, self._before_step), Retry(sleep=lambda seconds: None)
        make = partial(Backend, store, self, clock=self._clock, new_id=self._ids, rate=RATE, retry=retry)
        self._instances = [make() for _ in range(INSTANCES)]
        self._instances[0].connections.purge(map(connection_id_of, self.store.partitions(CONNECTION_PREFIX)))

    def kill(self, *, notices: bool = True, code: int = ABNORMAL) -> None:
        """End the process. ``notices``: its system closes the sockets; else the whole machine is gone."""
        self.is_up = False
        self.injected = None
        for instance in self._instances:
            instance.close()
        self._instances = []
        for link in self._links.values():
            link.up.clear()
            if notices:
                link.send(Way.DOWN, End(code))
            else:
                link.strand(keeps_up=False)
        self._links.clear()

    def shut_down(self) -> None:
        """Stop as for a restart: say ``bye`` to everybody and close."""
        for link in self._links.values():
            link.send(Way.DOWN, Text(encode(Bye(reason="restart"))))
        self.kill(code=GOING_AWAY)

    def restore(self, backup: list[Item]) -> None:
        """Kill the server and start it with the items of a backup, each room with a new epoch."""
        self.kill()
        self.store.replace_all(backup)
        heads = filter(None, map(room_of_head, self.store.partitions(ROOM_PREFIX)))
        Rooms(self.store, clock=self._clock, new_id=self._ids).begin_epochs(heads)
        self.start()

    def delete(self, room_id: str, seq: int) -> None:
        """Delete a message, as an operator does in another process."""
        delete_message(self.store, room_id, seq, new_id=self._ids)

    def keep(self, room_id: str, seconds: int) -> None:
        """Set a room's retention, as an operator does in another process."""
        keep_messages(self.store, room_id, seconds, new_id=self._ids)

    def log(self, room_id: str) -> list[Item]:
        return self.store.query(f"ROOM#{room_id}#LOG")

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """Return the answer of POST /token or POST /ticket. Raises OSError while the server is down."""
        if not self.is_up:
            raise OSError("connection refused")
        named = {"content-type": "application/json"} | {name.lower(): headers[name] for name in headers}
        return self._endpoints[path].answer(named, json.dumps(body))

    # --- frames from links ---

    def connect(self, link: SimulatedLink) -> None:
        """Handle a handshake: the link is open once $connect has accepted it."""
        token = parse_qs(urlsplit(link.url).query).get("token", [""])[0]
        asked = {
            "methodArn": METHOD_ARN,
            "queryStringParameters": {"token": token},
            "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
        }
        answer = self._authorizer.authorize(asked)
        authorizer = context_of(answer) if allows(answer) else None
        response = authorizer and self._invoke(event("CONNECT", link.connection_id, authorizer=authorizer))
        if not response or response["statusCode"] != 200:
            link.send(Way.DOWN, End(ABNORMAL))
        else:
            self._links[link.connection_id] = link
            link.authorizer = authorizer
            link.send(Way.DOWN, Signal.OPENED)

    def receive(self, link: SimulatedLink, text: str) -> None:
        response = self._invoke(event("MESSAGE", link.connection_id, text, authorizer=link.authorizer))
        answer = INTERNAL_SERVER_ERROR if response is None else response.get("body")
        if self.is_up and answer is not None:
            self.post_many([link.connection_id], answer)

    def forget(self, link: SimulatedLink) -> None:
        self._links.pop(link.connection_id, None)

    def disconnect(self, link: SimulatedLink) -> None:
        self._invoke(event("DISCONNECT", link.connection_id, authorizer=link.authorizer))

    def _invoke(self, what: dict[str, Any]) -> Response | None:
        """Return the handler's answer; None if it failed, or if the server is down."""
        if not self.is_up:
            return None
        instance = self._instances[self._running]
        self._running += 1
        try:
            return instance.handle(what)
        except (TimedOut, Conflict):
            return None
        except ProcessKilled:
            if self._running == 1:
                self.kill()
                return None
            raise
        finally:
            self._running -= 1
            if self._running == 0:
                self.injected = None

    def _before_step(self, *, in_store: bool) -> None:
        """Apply the injected fault, if it belongs to the handler's next step."""
        injected = self.injected
        if injected is None:
            return
        injected.step -= 1
        if injected.step >= 0 or (injected.fault in (FaultKind.CONFLICT, FaultKind.BUSY) and not in_store):
            return
        if injected.fault is not FaultKind.BUSY:
            self.injected = None
        if injected.fault is FaultKind.MEANWHILE:
            injected.meanwhile()
        else:
            raise RAISED[injected.fault]("the test says so")

    # --- backend.gateway.base.Gateway ---

    def post_many(self, connection_ids: Iterable[str], frame: str) -> dict[str, Delivery]:
        if self._running:
            self._before_step(in_store=False)
        return {connection_id: self._post(connection_id, frame) for connection_id in connection_ids}

    def close(self, connection_id: str) -> None:
        """Close a connection after what was posted before."""
        link = self._links.pop(connection_id, None)
        if link is not None:
            link.send(Way.DOWN, End(NORMAL))
            link.tell_gateway()

    def _post(self, connection_id: str, frame: str) -> Delivery:
        link = self._links.get(connection_id)
        if link is None:
            return Delivery.GONE
        if self.posts_to_fail:
            self.posts_to_fail -= 1
            return Delivery.FAILED
        link.send(Way.DOWN, Text(frame))
        return Delivery.DELIVERED


INTERNAL_SERVER_ERROR = '{"message": "Internal server error", "connectionId": "c=", "requestId": "r="}'


class ImmediateExecutor(Executor):
    """An executor that runs what is submitted at once, since threads would run in another order each time."""

    def __init__(self, workers: int, thread_name_prefix: str) -> None: ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class WatchedStore:
    """A store that reports each call before it is made."""

    def __init__(self, store: TemporaryStore, moment: Callable[..., None]) -> None:
        self._store = store
        self._before_step = moment

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self._before_step(in_store=True)
            return getattr(self._store, name)(*args, **named)

        return call
