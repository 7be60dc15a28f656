"""The server: the real handlers behind a gateway that does whatever API Gateway and a crash may do to them."""

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
from tests.simulation.network import ABNORMAL, End, Line, Signal, Text, Way
from tests.simulation.passing_store import PassingStore

SECRET = bytes(range(32))
NORMAL, GOING_AWAY = 1000, 1001
#: What one person may send: so little that talking is turned away now and then.
RATE = Rate(per_second=2.0, burst=4)
#: Handlers that run at once: one inside another is what one thread can show of it.
INSTANCES = 2


class Fault(Enum):
    """What may happen in the middle of a handler."""

    KILLED = auto()  #: the whole process is gone
    FAILED = auto()  #: this handler is: out of time, out of luck
    CONFLICT = auto()  #: somebody else wrote at the same time, says the store
    BUSY = auto()  #: the same from here on, however often it is tried
    MEANWHILE = auto()  #: something else happens between two of its steps


class Killed(BaseException):
    """The process ends here: no ``except Exception`` sees it."""


class TimedOut(RuntimeError):
    """The handler ends here, and the gateway says so."""


RAISED = {Fault.KILLED: Killed, Fault.FAILED: TimedOut, Fault.CONFLICT: Conflict, Fault.BUSY: Conflict}


@dataclass(slots=True)
class Mishap:
    """``fault`` before the step with this number, counted from 0; steps are calls of the store and the gateway."""

    fault: Fault
    step: int
    meanwhile: Callable[[], object] = lambda: None


class Server:
    """Responsible for the handlers' lives, and for being the gateway of their connections.

    A store outlives the server's crashes. ``mishap`` strikes in the next handler of a frame.
    """

    def __init__(self, store: PassingStore, clock: Callable[[], float]) -> None:
        self.store = store
        self.is_up = False
        self.mishap: Mishap | None = None
        self.posts_to_fail = 0  #: so many posts answer 429
        self._clock = clock
        self._ids = Ids()
        numbers = itertools.count(1)
        tokens = Tokens(SECRET, clock=clock)
        tickets = Tickets(store, clock=clock, new_ticket=lambda: f"ticket-{next(numbers)}")
        bans = Bans(store, clock=clock)
        self._endpoints: dict[str, Endpoint] = {"/token": TokenEndpoint(lambda: tokens, bans)}
        self._endpoints["/ticket"] = TicketEndpoint(tickets, tokens, bans)
        self._authorizer = Authorizer(TicketOrToken(tickets, tokens))
        self._lines: dict[str, Line] = {}
        self._instances: list[Backend] = []
        self._running = 0
        self.boot()

    # --- its life ---

    def boot(self) -> None:
        """Begin to serve. No socket outlives its process, so all records of connections are those of an earlier
        life, as backend.local.app has it."""
        if self.is_up:
            return
        self.is_up = True
        store, retry = WatchedStore(self.store, self._moment), Retry(sleep=lambda seconds: None)
        make = partial(Backend, store, self, clock=self._clock, new_id=self._ids, rate=RATE, retry=retry)
        self._instances = [make() for _ in range(INSTANCES)]
        self._instances[0].connections.purge(map(connection_id_of, self.store.partitions(CONNECTION_PREFIX)))

    def kill(self, *, notices: bool = True, code: int = ABNORMAL) -> None:
        """The process is gone. ``notices``: its system tells the pages; else the machine is gone too."""
        self.is_up = False
        self.mishap = None
        for instance in self._instances:
            instance.close()
        self._instances = []
        for line in self._lines.values():
            line.up.clear()
            if notices:
                line.send(Way.DOWN, End(code))
            else:
                line.strand(keeps_up=False)
        self._lines.clear()

    def shut_down(self) -> None:
        """A restart on purpose: everybody is told, and let go."""
        for line in self._lines.values():
            line.send(Way.DOWN, Text(encode(Bye(reason="restart"))))
        self.kill(code=GOING_AWAY)

    def restore(self, backup: list[Item]) -> None:
        """Killed, and back with an earlier history, each room of it under a new epoch."""
        self.kill()
        self.store.replace_all(backup)
        heads = filter(None, map(room_of_head, self.store.partitions(ROOM_PREFIX)))
        Rooms(self.store, clock=self._clock, new_id=self._ids).begin_epochs(heads)
        self.boot()

    def delete(self, room_id: str, seq: int) -> None:
        """What an operator does, in another process."""
        delete_message(self.store, room_id, seq, new_id=self._ids)

    def keep(self, room_id: str, seconds: int) -> None:
        """The same."""
        keep_messages(self.store, room_id, seconds, new_id=self._ids)

    def log(self, room_id: str) -> list[Item]:
        return self.store.query(f"ROOM#{room_id}#LOG")

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """What POST /token and POST /ticket answer. Raises OSError while nobody serves."""
        if not self.is_up:
            raise OSError("connection refused")
        named = {"content-type": "application/json"} | {name.lower(): headers[name] for name in headers}
        return self._endpoints[path].answer(named, json.dumps(body))

    # --- what lines bring ---

    def connect(self, line: Line) -> None:
        """A handshake. The socket exists once $connect has let it in, and not before."""
        token = parse_qs(urlsplit(line.url).query).get("token", [""])[0]
        asked = {"methodArn": METHOD_ARN, "queryStringParameters": {"token": token}}
        answer = self._authorizer.authorize(asked)
        authorizer = context_of(answer) if allows(answer) else None
        response = authorizer and self._invoke(event("CONNECT", line.connection_id, authorizer=authorizer))
        if not response or response["statusCode"] != 200:
            line.send(Way.DOWN, End(ABNORMAL))
        else:
            self._lines[line.connection_id] = line
            line.authorizer = authorizer
            line.send(Way.DOWN, Signal.OPENED)

    def receive(self, line: Line, text: str) -> None:
        response = self._invoke(event("MESSAGE", line.connection_id, text, authorizer=line.authorizer))
        answer = INTERNAL_SERVER_ERROR if response is None else response.get("body")
        if self.is_up and answer is not None:
            self.post_many([line.connection_id], answer)

    def let_go(self, line: Line) -> None:
        self._lines.pop(line.connection_id, None)

    def disconnect(self, line: Line) -> None:
        self._invoke(event("DISCONNECT", line.connection_id, authorizer=line.authorizer))

    def _invoke(self, what: dict[str, Any]) -> Response | None:
        """What the handler answers; None if it failed, or if nobody is there."""
        if not self.is_up:
            return None
        instance = self._instances[self._running]
        self._running += 1
        try:
            return instance.handle(what)
        except (TimedOut, Conflict):
            return None
        except Killed:
            if self._running == 1:
                self.kill()
                return None
            raise
        finally:
            self._running -= 1
            if self._running == 0:
                self.mishap = None

    def _moment(self, *, in_store: bool) -> None:
        """A handler is about to take its next step."""
        mishap = self.mishap
        if mishap is None:
            return
        mishap.step -= 1
        if mishap.step >= 0 or (mishap.fault in (Fault.CONFLICT, Fault.BUSY) and not in_store):
            return
        if mishap.fault is not Fault.BUSY:
            self.mishap = None
        if mishap.fault is Fault.MEANWHILE:
            mishap.meanwhile()
        else:
            raise RAISED[mishap.fault]("the test says so")

    # --- backend.gateway.base.Gateway ---

    def post_many(self, connection_ids: Iterable[str], frame: str) -> dict[str, Delivery]:
        if self._running:
            self._moment(in_store=False)
        return {connection_id: self._post(connection_id, frame) for connection_id in connection_ids}

    def close(self, connection_id: str) -> None:
        """Close a connection after what was posted before."""
        line = self._lines.pop(connection_id, None)
        if line is not None:
            line.send(Way.DOWN, End(NORMAL))
            line.tell_gateway()

    def _post(self, connection_id: str, frame: str) -> Delivery:
        line = self._lines.get(connection_id)
        if line is None:
            return Delivery.GONE
        if self.posts_to_fail:
            self.posts_to_fail -= 1
            return Delivery.FAILED
        line.send(Way.DOWN, Text(frame))
        return Delivery.DELIVERED


INTERNAL_SERVER_ERROR = '{"message": "Internal server error", "connectionId": "c=", "requestId": "r="}'


class AtOnce(Executor):
    """Responsible for doing what is submitted right then and there: threads take their steps in another order each
    time."""

    def __init__(self, workers: int, thread_name_prefix: str) -> None: ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class WatchedStore:
    """Responsible for telling of each call of a store before it is made."""

    def __init__(self, store: PassingStore, moment: Callable[..., None]) -> None:
        self._store = store
        self._moment = moment

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            self._moment(in_store=True)
            return getattr(self._store, name)(*args, **named)

        return call
