"""From what one event costs to what many connections need, what is full first, and what a month costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from backend.messaging.presence import MOST_TOLD
from chat.presence import TYPING_INTERVAL
from tools.reports.scaling import given
from tools.reports.scaling.counts import Events, Work, added


@dataclass(frozen=True, slots=True)
class Habits:
    """What one connection does, in a busy hour. An assumption: put your own numbers here."""

    rooms: int = 5
    members: int = 50  #: connections in each of them
    messages_per_hour: float = 6
    content_bytes: int = 200
    seconds_of_writing: float = 6  #: for each message; the page tells the room every 3 s

    @property
    def typing_per_message(self) -> float:
        """Frames that say that somebody writes, for each message."""
        return self.seconds_of_writing / TYPING_INTERVAL


@dataclass(frozen=True, slots=True)
class Design:
    """What is done otherwise than the first release does it. All of it off: as shipped."""

    link_seconds: float = given.LINK_SECONDS
    mock_pings: bool = (
        False  #: API Gateway answers pings by itself; every tenth asks a function for the heads
    )
    quiet_typing: bool = False  #: rooms as large as these are not told who writes
    queued: bool = False  #: a function of its own fans out, and signs its posts without boto3


AS_SHIPPED = Design()
#: For a million connections.
CHANGED = Design(link_seconds=given.LONG_LINK_SECONDS, mock_pings=True, quiet_typing=True, queued=True)

# Of so many pings one reaches a function, where the others are answered by API Gateway: heads every five minutes.
PINGS_PER_HEADS = 10
# Members of a room that one function of a queued fan-out posts to.
SHARD = 500
# What API Gateway does with a ping by a MOCK integration and a route response.
MOCK_PING = Work(requests=1, messages=2)


class Resource(Enum):
    """What can be full. The value is what a person reads."""

    REQUESTS = "requests/s"
    NEW_CONNECTIONS = "new connections/s"
    INVOCATIONS = "invocations/s"
    CONCURRENCY = "functions at once"
    READS = "table reads/s"
    WRITES = "table writes/s"


QUOTAS: Mapping[Resource, float] = {
    Resource.REQUESTS: given.ACCOUNT_REQUESTS,
    Resource.NEW_CONNECTIONS: given.NEW_CONNECTIONS,
    Resource.INVOCATIONS: given.LAMBDA_INVOCATIONS,
    Resource.CONCURRENCY: given.LAMBDA_CONCURRENCY,
    Resource.READS: given.TABLE_READS,
    Resource.WRITES: given.TABLE_WRITES,
}


@dataclass(frozen=True, slots=True)
class Flow:
    """One kind of event: how often a connection causes it, per second, and what it costs each time."""

    per_second: float
    work: Work
    seconds: float  #: of function time
    links: int = 0  #: new connections

    def needs(self) -> dict[Resource, float]:
        """What one connection needs of each resource."""
        per_event = {
            Resource.REQUESTS: self.work.requests,
            Resource.NEW_CONNECTIONS: self.links,
            Resource.INVOCATIONS: self.work.invocations,
            Resource.CONCURRENCY: self.seconds,
            Resource.READS: self.work.reads,
            Resource.WRITES: self.work.writes,
        }
        return {resource: self.per_second * amount for resource, amount in per_event.items()}


def flows(habits: Habits, events: Events, design: Design = AS_SHIPPED) -> dict[str, Flow]:
    """What one connection does, by its kinds. ``events`` were counted in rooms as large as the habits say."""
    if (events.rooms, events.members) != (habits.rooms, habits.members):
        raise ValueError("the events were counted in other rooms than these habits have: count them anew")
    said = habits.messages_per_hour / given.HOUR
    link = added(events.ticket, events.connect, events.hello, events.disconnect)
    ping, typing, send = events.ping, events.typing, events.send
    ping_seconds, send_seconds = ping.seconds, send.seconds
    if design.quiet_typing:
        typing = replace(typing, requests=1, messages=1, posts=0, bytes_down=0)
    found = {}
    if design.mock_pings:
        rate = 1 / given.PING_SECONDS
        found["ping"] = Flow(rate * (1 - 1 / PINGS_PER_HEADS), MOCK_PING, 0)
        found["heads"] = Flow(rate / PINGS_PER_HEADS, ping, ping_seconds)
    else:
        found["ping"] = Flow(1 / given.PING_SECONDS, ping, ping_seconds)
    if design.queued:
        send_seconds -= send.posts * (given.BOTO3_POST_SECONDS - given.SIGNED_POST_SECONDS)
        send = replace(send, invocations=2)
    found["links"] = Flow(1 / design.link_seconds, link, link.seconds, links=1)
    found["messages"] = Flow(said, send, send_seconds)
    found["typing"] = Flow(said * habits.typing_per_message, typing, typing.seconds)
    return found


def needs(of: Mapping[str, Flow]) -> dict[Resource, float]:
    """What one connection needs of each resource in all."""
    return {resource: sum(flow.needs()[resource] for flow in of.values()) for resource in Resource}


def capacity(of: Mapping[str, Flow]) -> dict[Resource, int]:
    """How many connections fill each resource at its default quota, of those that they need at all."""
    return {resource: math.floor(QUOTAS[resource] / need) for resource, need in needs(of).items() if need}


def first_full(of: Mapping[str, Flow]) -> Resource:
    """What saturates first as connections are added."""
    full = capacity(of)
    return min(full, key=full.__getitem__)


# --- coming back ---


def requests_of_return(habits: Habits, alone: Work, *, most_told: int = MOST_TOLD) -> float:
    """Requests that one connection causes when all come back to empty rooms, on average.

    ``alone``: the ``hello`` of somebody who is alone in as many rooms. Rooms of at most ``most_told`` hear of each
    arrival: while a room fills, the k-th arrival is told to k connections, later ones only to themselves.
    """
    told = sum(k if k <= most_told else 1 for k in range(1, habits.members + 1)) / habits.members
    handshake_and_ticket = 2
    return handshake_and_ticket + alone.requests + habits.rooms * (told - 1)


def returns_per_second(requests: float) -> float:
    """How many connections come back each second, if nothing else uses the account."""
    return min(given.NEW_CONNECTIONS, given.ACCOUNT_REQUESTS / requests)


# --- one room ---


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """What a room of ``members`` connections takes. Messages per second, seconds for the fan-out of one."""

    members: int
    requests: int  #: of the account for each message: the frame, its ack, and a post to each member
    by_account: float
    by_members: float  #: reading who is there, from one partition
    by_heads: bool  #: whether the pings of so many fill the head's partition alone
    fan_out_seconds: float  #: in the invocation that answers the sender, after its ack
    queued_seconds: float  #: by a function for every 500 members, within the account's requests
    return_seconds: (
        float  #: until all are back at once: each who arrives has the whole room read, to count it
    )


def room_limits(members: int, member_bytes: int) -> RoomLimits:
    """The limits that depend on a room's size. ``member_bytes``: of one record of who is in a room."""
    requests = members + 2
    size = members * member_bytes
    pages = max(1, math.ceil(size / given.PAGE_BYTES))
    return RoomLimits(
        members=members,
        requests=requests,
        by_account=given.ACCOUNT_REQUESTS / requests,
        by_members=given.PARTITION_READS / max(1, math.ceil(size / given.READ_UNIT_BYTES)),
        by_heads=members / given.PING_SECONDS > given.PARTITION_READS,
        fan_out_seconds=pages * given.READ_SECONDS + members * given.BOTO3_POST_SECONDS,
        queued_seconds=max(
            given.READ_SECONDS + min(members, SHARD) * given.SIGNED_POST_SECONDS,
            (members - given.ACCOUNT_BURST) / given.ACCOUNT_REQUESTS,
        ),
        return_seconds=max(
            members / given.NEW_CONNECTIONS,
            members * (size / 2 / given.READ_UNIT_BYTES) / given.PARTITION_READS,
        ),
    )


def log_commits(content_bytes: int, overhead_bytes: int) -> float:
    """Messages per second that the partition of a room's log takes. ``overhead_bytes``: of a record but its text."""
    units = math.ceil((content_bytes + overhead_bytes) / given.WRITE_UNIT_BYTES)
    return given.PARTITION_WRITES / (given.TRANSACTION_FACTOR * units)


def largest_fan_out() -> int:
    """Posts that one invocation makes before it is cut off."""
    return math.floor(given.INTEGRATION_TIMEOUT / given.BOTO3_POST_SECONDS)


# --- money ---


@dataclass(frozen=True, slots=True)
class Bill:
    """US dollars a month, without free tiers, logs, backups and taxes."""

    minutes: float = 0.0
    messages: float = 0.0
    functions: float = 0.0
    table: float = 0.0
    egress: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.minutes + self.messages + self.functions + self.table + self.egress


def bill(of: Mapping[str, Flow], connections: int, *, minutes: bool = True) -> Bill:
    """What so many connections cost that are open, and do these things, all month."""
    seconds = given.MONTH_HOURS * given.HOUR * connections

    def monthly(amount: str) -> float:
        return sum((seconds * flow.per_second * getattr(flow.work, amount) for flow in of.values()), 0.0)

    gb_seconds = seconds * sum(flow.per_second * flow.seconds for flow in of.values()) * given.FUNCTION_GB
    return Bill(
        minutes=seconds / 60 / 1e6 * given.CONNECTION_MINUTES_PRICE if minutes else 0.0,
        messages=messages_price(monthly("messages")),
        functions=monthly("invocations") / 1e6 * given.INVOCATIONS_PRICE + gb_seconds * given.GB_SECOND_PRICE,
        table=(monthly("reads") * given.READS_PRICE + monthly("writes") * given.WRITES_PRICE) / 1e6,
        egress=monthly("bytes_down") / 1e9 * given.EGRESS_PRICE,
    )


def messages_price(count: float) -> float:
    """US dollars for so many messages of one month."""
    cheap = max(0.0, count - given.MESSAGES_TIER)
    return ((count - cheap) * given.MESSAGES_PRICE + cheap * given.MESSAGES_PRICE_BEYOND) / 1e6


def stored_gb_per_month(habits: Habits, stored_bytes: int, connections: int) -> float:
    """GB that a month's messages add to the table, for ever."""
    return connections * habits.messages_per_hour * given.MONTH_HOURS * stored_bytes / 1e9


# --- many cells ---


def cells_touched(members: int, cells: int) -> float:
    """In how many of ``cells`` a room's members are, on average, if nobody cares where they go."""
    return cells * (1 - (1 - 1 / cells) ** members)


def deliveries_per_second(habits: Habits, connections: int) -> float:
    """Messages that reach somebody, in a busy hour."""
    return connections * habits.messages_per_hour / given.HOUR * habits.members
