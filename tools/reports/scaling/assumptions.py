"""The figures that are not computed: AWS's quotas and prices, counted and measured costs, assumptions.

Quotas are AWS's defaults for one account in one region. Prices are third-party figures for us-east-1 in US dollars,
without free tiers: check them before you budget. Times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from kizuna.core.timing import rollover_due_in
from kizuna.wire import KIZUNA, Numbers

# --- quotas. AWS documentation: "API Gateway quotas", "Lambda quotas", "Quotas in Amazon DynamoDB" ---

# Requests per second of an account and region: handshakes, frames upward and posts to @connections together, and
# every REST and HTTP API of the account. Can be raised.
ACCOUNT_REQUESTS = 10_000
# New connections per second of an account and region. Can be raised.
NEW_CONNECTIONS = 500
# Executions at the same time, of an account and region; a new account begins with fewer. Can be raised.
LAMBDA_CONCURRENCY = 1_000
# Invocations per second: ten times the concurrency.
LAMBDA_INVOCATIONS = 10 * LAMBDA_CONCURRENCY
# Request units per second of one table that is paid per request. Can be raised.
TABLE_READS = TABLE_WRITES = 40_000

# --- prices, US dollars ---

# Per million messages of at most 32 KB, up or down: the first thousand million of a month, and the others.
MESSAGES_PRICE = 1.00
MESSAGES_PRICE_BEYOND = 0.80
MESSAGES_TIER = 1_000_000_000
# Per million minutes of connection, and invocations.
CONNECTION_MINUTES_PRICE = 0.25
INVOCATIONS_PRICE = 0.20
# Per GB-second on arm64.
GB_SECOND_PRICE = 0.0000133334
# Per million request units of a table that is paid per request; per GB and month that it keeps.
READS_PRICE = 0.125
WRITES_PRICE = 0.625
STORAGE_PRICE = 0.25
# Per GB that leaves for the internet, the first 10 TB.
EGRESS_PRICE = 0.09

# --- measured on 2 cores, against stand-ins on the same machine ---

# CPU seconds of one post to @connections by boto3: 0.65 to 0.9 ms, however many threads.
BOTO3_POST_SECONDS = 0.00077
# The same by botocore's SigV4Auth over a plain HTTP client: 0.19 to 0.33 ms.
SIGNED_POST_SECONDS = 0.00026

# --- assumed ---

# Seconds of one read, and of one transaction, seen from a function in the same region. AWS promises single digits of
# milliseconds for a read; a transaction takes two rounds.
READ_SECONDS = 0.005
TRANSACTION_SECONDS = 0.015
# Seconds of an invocation besides the database and the posts: JSON, the token, logging.
HANDLER_SECONDS = 0.002
# GB of memory of the function that answers frames: 1,769 MB are one vCPU (AWS documentation, "Lambda").
FUNCTION_GB = 1769 / 1024

# --- the code's own ---

HOUR = 3600.0
# Hours of a month: 365 days / 12.
MONTH_HOURS = 730.0
_NUMBERS = Numbers.of(KIZUNA.defaults)
PING_SECONDS = _NUMBERS.heartbeat_interval
# Seconds until a page replaces its link: before a token of an hour expires, and without a token at 110 minutes.
LINK_SECONDS = rollover_due_in(_NUMBERS, HOUR, lambda: 0.5) or 0.0
LONG_LINK_SECONDS = _NUMBERS.rollover_after

# --- one connection in a busy hour: put your own numbers here ---

MESSAGES_PER_HOUR = 6
TYPING_PER_MESSAGE = 2


@dataclass(frozen=True, slots=True)
class Work:
    """The cost of one event. Reads and writes are DynamoDB's request units."""

    requests: int = 0  #: of the account's quota: the handshake or the frame itself, and every post
    messages: int = 0  #: that API Gateway bills: up, answered and posted
    posts: int = 0  #: to @connections
    read_calls: int = 0
    reads: int = 0
    write_calls: int = 0
    writes: int = 0
    bytes_down: int = 0  #: to all connections together, before compression
    invocations: int = 1

    @property
    def seconds(self) -> float:
        """Function time: the database's answers one after another, then the posts at the pace of one vCPU."""
        waiting = self.read_calls * READ_SECONDS + self.write_calls * TRANSACTION_SECONDS
        return self.invocations * HANDLER_SECONDS + waiting + self.posts * BOTO3_POST_SECONDS


# Counted on 2026-11-30 by running the handlers over a store and a gateway that count, for a person in 5 rooms of 50
# connections whose messages have 200 bytes. Other rooms need other counts.
TICKET = Work(requests=1, messages=1, read_calls=1, reads=1, write_calls=1, writes=2)
CONNECT = Work(
    requests=1, read_calls=2, reads=2, write_calls=2, writes=8, invocations=2
)  # and its authorizer
# On a link that replaces another; and after an absence, which small rooms are told.
HELLO = Work(12, 12, 11, read_calls=18, reads=23, write_calls=1, writes=22, bytes_down=1394)
ARRIVAL = Work(257, 257, 256, read_calls=18, reads=23, write_calls=1, writes=22, bytes_down=25_699)
PING = Work(1, 2, 0, read_calls=3, reads=7, bytes_down=428)
SEND = Work(52, 52, 51, read_calls=4, reads=5, write_calls=1, writes=8, bytes_down=25_333)
TYPING = Work(50, 50, 49, read_calls=3, reads=4, bytes_down=5439)
DISCONNECT = Work(read_calls=7, reads=12, write_calls=1, writes=24)  # of a link that another has replaced
# Bytes of one message in the log and as its dedupe record.
STORED_BYTES = 642
