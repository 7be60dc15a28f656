"""What many connections need, what is full first, and what a month costs, from the cost of one event."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import Enum

from tools.reports.scaling import assumptions as given
from tools.reports.scaling.assumptions import Work


class Resource(Enum):
    """The resources that have a quota; the value is their heading."""

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
    """One kind of event: how often a connection causes it per second, and its cost each time."""

    per_second: float
    work: Work
    seconds: float  #: of function time
    links: int = 0  #: new connections

    def needs(self) -> dict[Resource, float]:
        """Return the need of one connection for each resource."""
        per_event = {
            Resource.REQUESTS: self.work.requests,
            Resource.NEW_CONNECTIONS: self.links,
            Resource.INVOCATIONS: self.work.invocations,
            Resource.CONCURRENCY: self.seconds,
            Resource.READS: self.work.reads,
            Resource.WRITES: self.work.writes,
        }
        return {resource: self.per_second * amount for resource, amount in per_event.items()}


def added(*works: Work) -> Work:
    """Return the sum of several costs."""
    return Work(**{f.name: sum(getattr(work, f.name) for work in works) for f in fields(Work)})


def shipped() -> dict[str, Flow]:
    """Return the events of one connection, as the first release handles them."""
    link = added(given.TICKET, given.CONNECT, given.HELLO, given.DISCONNECT)
    sent = given.MESSAGES_PER_HOUR / given.HOUR
    return {
        "ping": Flow(1 / given.PING_SECONDS, given.PING, given.PING.seconds),
        "links": Flow(1 / given.LINK_SECONDS, link, link.seconds, links=1),
        "messages": Flow(sent, given.SEND, given.SEND.seconds),
        "typing": Flow(sent * given.TYPING_PER_MESSAGE, given.TYPING, given.TYPING.seconds),
    }


def changed() -> dict[str, Flow]:
    """Return the same with the four changes for a million: see "A million" in docs/scaling.md."""
    before = shipped()
    sent, typing = before["messages"], before["typing"]
    faster = given.SEND.posts * (given.BOTO3_POST_SECONDS - given.SIGNED_POST_SECONDS)
    quiet = replace(given.TYPING, requests=1, messages=1, posts=0, bytes_down=0)
    # API Gateway answers nine of ten pings itself; the tenth asks a function for the heads.
    rate = before["ping"].per_second
    return {
        "ping": Flow(rate * 0.9, Work(requests=1, messages=2, invocations=0), 0),
        "heads": replace(before["ping"], per_second=rate / 10),
        "links": replace(before["links"], per_second=1 / given.LONG_LINK_SECONDS),
        "messages": Flow(sent.per_second, replace(sent.work, invocations=2), sent.seconds - faster),
        "typing": Flow(typing.per_second, quiet, quiet.seconds),
    }


def needs(flows: Mapping[str, Flow]) -> dict[Resource, float]:
    """Return the need of one connection for each resource, over all its events."""
    return {resource: sum(flow.needs()[resource] for flow in flows.values()) for resource in Resource}


def capacity(flows: Mapping[str, Flow]) -> dict[Resource, int]:
    """Return how many connections fill each resource that they need at all, at its default quota."""
    return {resource: math.floor(QUOTAS[resource] / need) for resource, need in needs(flows).items() if need}


@dataclass(frozen=True, slots=True)
class Bill:
    """US dollars a month, without free tiers, logs, backups and taxes."""

    minutes: float
    messages: float
    functions: float
    table: float
    egress: float

    @property
    def total(self) -> float:
        """The sum."""
        return self.minutes + self.messages + self.functions + self.table + self.egress


def bill(flows: Mapping[str, Flow], connections: int, *, minutes: bool = True) -> Bill:
    """Return the cost of so many connections that are open, and cause these events, all month."""
    seconds = given.MONTH_HOURS * given.HOUR * connections

    def monthly(amount: str) -> float:
        return sum((seconds * flow.per_second * getattr(flow.work, amount) for flow in flows.values()), 0.0)

    gb_seconds = seconds * sum(flow.per_second * flow.seconds for flow in flows.values()) * given.FUNCTION_GB
    return Bill(
        minutes=seconds / 60 / 1e6 * given.CONNECTION_MINUTES_PRICE if minutes else 0.0,
        messages=messages_price(monthly("messages")),
        functions=monthly("invocations") / 1e6 * given.INVOCATIONS_PRICE + gb_seconds * given.GB_SECOND_PRICE,
        table=(monthly("reads") * given.READS_PRICE + monthly("writes") * given.WRITES_PRICE) / 1e6,
        egress=monthly("bytes_down") / 1e9 * given.EGRESS_PRICE,
    )


def messages_price(count: float) -> float:
    """Return the US dollars for so many messages of one month."""
    cheap = max(0.0, count - given.MESSAGES_TIER)
    return ((count - cheap) * given.MESSAGES_PRICE + cheap * given.MESSAGES_PRICE_BEYOND) / 1e6
