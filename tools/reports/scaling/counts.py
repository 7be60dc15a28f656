"""What one event makes the backend do: counted by running the real handlers over a store and a gateway that count.

The rules by which DynamoDB counts are its documentation's ("Read and write operations", "Item sizes and formats"):
a consistent read costs a unit for every 4 KB begun, at least one; a query counts the sum of what it reads, a batch
each item; a write costs a unit for every 1 KB begun, in a transaction two, and the check of a condition as a write.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from backend.auth.bans import Bans
from backend.auth.tickets import TicketOrToken, Tickets
from backend.auth.tokens import Tokens
from backend.gateway.base import Delivery
from backend.limits.rate_limit import Rate
from backend.messaging.connections import Connection
from backend.messaging.handlers import MOST_CONNECTIONS, Backend
from backend.messaging.message_log import Sender
from backend.store.base import Action, Condition, Item, Key, Put
from backend.store.retry import Retry
from chat.protocol import MAX_ROOMS_PER_HELLO, SendMessage
from tests.backend.fakes import FakeClock, authorizer_of, event
from tests.simulation.temporary_store import TemporaryStore
from tools.reports.scaling import given

NAME = "Murasaki"
MESSAGE_ID = "0123456789abcdef0123456789abcdef"  # as long as a real one, a UUID without hyphens


@dataclass(frozen=True, slots=True)
class Work:
    """What one event costs. Units are DynamoDB's request units, calls what the handler waits for in turn."""

    invocations: int = 0
    requests: int = 0  #: of the account's quota: the handshake or the frame itself, and every post
    messages: int = 0  #: that API Gateway bills: up, answered and posted
    posts: int = 0  #: to @connections
    read_calls: int = 0
    write_calls: int = 0
    reads: int = 0  #: units
    writes: int = 0  #: units
    bytes_down: int = 0  #: to all connections together, before compression

    @property
    def seconds(self) -> float:
        """How long the function runs, as assumed: the database in turn, then the posts at the pace of one vCPU."""
        waiting = self.read_calls * given.READ_SECONDS + self.write_calls * given.TRANSACTION_SECONDS
        return self.invocations * given.HANDLER_SECONDS + waiting + self.posts * given.BOTO3_POST_SECONDS


def item_bytes(item: Item) -> int:
    """An item's size: the UTF-8 of its names and texts, numbers at two digits a byte and one more."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def read_units(size: int) -> int:
    """Units of a consistent read of so many bytes."""
    return max(1, math.ceil(size / given.READ_UNIT_BYTES))


def write_units(size: int) -> int:
    """Units of a write of so many bytes, outside a transaction."""
    return max(1, math.ceil(size / given.WRITE_UNIT_BYTES))


class CountingStore(TemporaryStore):
    """Responsible for items in memory, and for what DynamoDB would count. ``work`` is what was counted so far."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.work = Work()

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Each item counts by itself, a missing one as the smallest."""
        wanted = list(keys)
        found = super().get_many(wanted)
        if wanted:  # DynamoStore sends no request for nothing
            self._read(1, sum(read_units(item_bytes(found[key])) if key in found else 1 for key in wanted))
        return found

    def query(self, pk: str, **arguments: Any) -> list[Item]:
        """The sum counts; every megabyte is a request of its own."""
        found = super().query(pk, **arguments)
        size = sum(item_bytes(item) for item in found)
        self._read(max(1, math.ceil(size / given.PAGE_BYTES)), read_units(size))
        return found

    def put(self, item: Item, condition: Condition | None = None) -> None:
        """One write."""
        super().transact([Put(item, condition)])
        self._write(write_units(item_bytes(item)))

    def transact(self, actions: Sequence[Action]) -> None:
        """Every action counts twice: by the item that it writes, deletes or checks."""
        units = sum(write_units(self._size(action)) for action in actions)
        super().transact(actions)
        self._write(given.TRANSACTION_FACTOR * units)

    def _size(self, action: Action) -> int:
        before = super().get_many([action.key]).get(action.key, {})
        after = action.item if isinstance(action, Put) else {}
        return max(item_bytes(before), item_bytes(after))

    def _read(self, calls: int, units: int) -> None:
        self.work = replace(self.work, read_calls=self.work.read_calls + calls, reads=self.work.reads + units)

    def _write(self, units: int) -> None:
        self.work = replace(self.work, write_calls=self.work.write_calls + 1, writes=self.work.writes + units)


def added(*works: Work) -> Work:
    """Several works one after the other."""
    return Work(**{f.name: sum(getattr(work, f.name) for work in works) for f in fields(Work)})


class CountingGateway:
    """Responsible for taking every post, and counting them."""

    def __init__(self) -> None:
        self.posts = self.messages = self.bytes_down = 0

    def post_many(self, connection_ids: Iterable[str], frame: str) -> dict[str, Delivery]:
        """All are delivered."""
        ids = list(connection_ids)
        self.posts += len(ids)
        self.messages += len(ids) * billed(frame)
        self.bytes_down += len(ids) * len(frame.encode())
        return dict.fromkeys(ids, Delivery.DELIVERED)

    def close(self, connection_id: str) -> None:
        """Nothing to count."""


def billed(frame: str) -> int:
    """As how many messages API Gateway bills a frame."""
    return max(1, math.ceil(len(frame.encode()) / given.BILLED_MESSAGE_BYTES))


@dataclass
class Scene:
    """Somebody in ``rooms`` rooms with ``members`` connections each, everyone else a person of their own."""

    rooms: int
    members: int
    content_bytes: int = 200
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.store = CountingStore(self.clock)
        self.gateway = CountingGateway()
        tokens = Tokens(bytes(32), clock=self.clock)
        self.tickets = Tickets(self.store, clock=self.clock, retry=Retry(sleep=self.clock.advance))
        self.person = tokens.verify(tokens.issue(NAME, "a secret of the page").token)
        self.bans = Bans(self.store, clock=self.clock)
        self.door = TicketOrToken(self.tickets, tokens)
        self.authorizer: dict[str, str] = {}
        self.backend = Backend(
            self.store,
            self.gateway,
            clock=self.clock,
            new_id=lambda: MESSAGE_ID,
            rate=Rate(),
            most_connections=MOST_CONNECTIONS,
            retry=Retry(sleep=self.clock.advance),
        )
        self.names = [f"team-room-{number:02d}" for number in range(self.rooms)]
        for room in self.names:
            said = SendMessage(client_message_id=room, room_id=room, content="the first message")
            self.backend.rooms.append(Sender("somebody", NAME), said)  # a room begins to exist with it
            self._fill(room, self.members - 1)

    def ticket(self) -> tuple[str, Work]:
        """``POST /ticket``: the ticket, and what it takes. An HTTP API bills a request like a message."""
        self.store.work = Work()
        assert not self.bans.is_banned(self.person.user_id)
        ticket = self.tickets.issue(self.person).ticket
        return ticket, replace(self.store.work, invocations=1, requests=1, messages=1)

    def connect(self, connection_id: str) -> Work:
        """The authorizer and the ``$connect`` of a new link. One person only, whoever opens the link."""
        ticket, _ = self.ticket()
        self.store.work = Work()
        self.authorizer = authorizer_of(self.door, ticket)
        asked = replace(self.store.work, invocations=1)
        return added(asked, self._counted(self._event("CONNECT", connection_id), requests=1))

    def hello(self, connection_id: str) -> Work:
        """The first frame of a link, which missed nothing."""
        heads = {head.room_id: head for head in self.backend.rooms.heads(self.names)}
        rooms = [
            {"roomId": room, "after": heads[room].seq, "epoch": heads[room].epoch} for room in self.names
        ]
        return self.frame(connection_id, {"action": "hello", "v": 1, "rooms": rooms})

    def ping(self, connection_id: str) -> Work:
        """A heartbeat and its pong."""
        return self.frame(connection_id, {"action": "ping", "t": int(self.clock() * 1000)})

    def send(self, connection_id: str) -> Work:
        """A message to the first room: stored, acknowledged, told to everybody."""
        frame = {"action": "sendMessage", "clientMessageId": MESSAGE_ID, "roomId": self.names[0]}
        return self.frame(connection_id, {**frame, "content": "x" * self.content_bytes})

    def typing(self, connection_id: str) -> Work:
        """Somebody writes: told to everybody else."""
        return self.frame(connection_id, {"action": "typing", "roomId": self.names[0]})

    def disconnect(self, connection_id: str) -> Work:
        """The ``$disconnect`` of a link, which no quota counts."""
        return self._counted(self._event("DISCONNECT", connection_id), requests=0)

    def frame(self, connection_id: str, body: dict[str, Any]) -> Work:
        """Any frame. It is itself a request and a message."""
        return self._counted(self._event("MESSAGE", connection_id, body), requests=1, messages=1)

    def log_and_dedupe_bytes(self) -> int:
        """What the messages sent so far take in the table."""
        return sum(
            item_bytes(item)
            for item in self.store.items()
            if item["pk"].endswith("#LOG") or item["pk"].startswith("DEDUPE#")
        )

    def _fill(self, room: str, count: int) -> None:
        """Let others be in a room, without the frames that they would get."""
        expires_at = int(self.clock()) + 3600
        for number in range(count):
            other = Connection(
                f"{room[-2:]}-{number:011d}==",
                f"{room[-2:]}{number:030d}",
                NAME,
                False,
                expires_at,
                expires_at,
            )
            # The real $connect and hello, without their posts.
            self.store.transact([Put(_metadata_of(other))])
            self.backend.connections.activate(other, [room])

    def _event(self, kind: str, connection_id: str, body: Any = None) -> dict[str, Any]:
        return event(kind, connection_id, body, authorizer=self.authorizer)

    def _counted(self, what: dict[str, Any], *, requests: int, messages: int = 0) -> Work:
        self.store.work = Work()
        self.gateway.posts = self.gateway.messages = self.gateway.bytes_down = 0
        response = self.backend.handle(what)
        if response["statusCode"] != 200 or '"type":"error"' in response.get("body", ""):
            raise RuntimeError(f"nothing to count, the backend answers {response}")
        body = response.get("body", "")
        return replace(
            self.store.work,
            invocations=1,
            requests=requests + self.gateway.posts,
            messages=messages + self.gateway.messages + (billed(body) if body else 0),
            posts=self.gateway.posts,
            bytes_down=self.gateway.bytes_down + len(body.encode()),
        )


@dataclass(frozen=True, slots=True)
class Events:
    """What each kind of event costs for somebody in ``rooms`` rooms of ``members`` connections."""

    rooms: int
    members: int
    ticket: Work
    connect: Work  #: the authorizer too
    hello: Work  #: of somebody who is in the rooms already, through the link that this one replaces
    arrival: Work  #: ``hello`` of somebody who was away: small rooms are told
    ping: Work
    send: Work
    typing: Work
    disconnect: Work  #: of a link that another has replaced
    stored_bytes: int  #: of one message, in the log and as its dedupe record


def count(rooms: int, members: int, content_bytes: int = 200) -> Events:
    """Run one of each. ``members``: connections in each room, at least 1; ``rooms``: at most 50."""
    if not 1 <= rooms <= MAX_ROOMS_PER_HELLO or members < 1:
        raise ValueError(f"1 to {MAX_ROOMS_PER_HELLO} rooms of at least one member, not {rooms} of {members}")
    scene = Scene(rooms, members, content_bytes)
    old, new = "AAAAAAAAAAAAAAA=", "BBBBBBBBBBBBBBB="
    connect, arrival = scene.connect(old), scene.hello(old)
    earlier_bytes = scene.log_and_dedupe_bytes()
    ping, typing, send = scene.ping(old), scene.typing(old), scene.send(old)
    stored_bytes = scene.log_and_dedupe_bytes() - earlier_bytes
    scene.connect(new)
    hello = scene.hello(new)
    disconnect = scene.disconnect(old)
    _, ticket = scene.ticket()
    return Events(
        rooms, members, ticket, connect, hello, arrival, ping, send, typing, disconnect, stored_bytes
    )


def record_bytes(*, log: bool = False) -> int:
    """The size of one record of who is in a room; with ``log`` of a message, without its text."""
    scene = Scene(1, 1, content_bytes=1)
    scene.connect("AAAAAAAAAAAAAAA=")
    scene.hello("AAAAAAAAAAAAAAA=")
    if not log:
        (member,) = scene.store.query(f"ROOM#{scene.names[0]}")
        return item_bytes(member)
    scene.send("AAAAAAAAAAAAAAA=")
    *_, message = scene.store.query(f"ROOM#{scene.names[0]}#LOG")
    return item_bytes(message) - 1


def _value_bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        return math.ceil(len(str(abs(value))) / 2) + 1
    raise TypeError(f"no item of the backend holds {value!r}")


def _metadata_of(connection: Connection) -> Item:
    return {
        "pk": f"CONNECTION#{connection.connection_id}",
        "sk": "METADATA",
        "expiresAt": connection.expires_at,
    }
