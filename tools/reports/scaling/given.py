"""The figures that nothing here can compute: quotas, prices, what was measured elsewhere, what is assumed.

Quotas are AWS's defaults for one account in one region. Prices are third-party figures for us-east-1 in US dollars,
without free tiers: check them before you budget. What is assumed was measured by nobody; change it and compute again.
"""

from __future__ import annotations

from backend.auth.tokens import DEFAULT_LIFETIME_SECONDS
from kizuna.core.rollover import due_in
from kizuna.options import Options

# --- quotas. AWS documentation: "API Gateway quotas", "Lambda quotas", "Quotas in Amazon DynamoDB" ---

# Requests per second of an account and region: handshakes, frames upward and posts to @connections together, and
# every REST and HTTP API of the account. The bucket of a burst holds 5,000. Can be raised.
ACCOUNT_REQUESTS = 10_000
ACCOUNT_BURST = 5_000
# New connections per second of an account and region. Can be raised.
NEW_CONNECTIONS = 500
# Seconds that a connection may last, whatever happens on it. Fixed.
LONGEST_CONNECTION = 2 * 3600
# Seconds that API Gateway waits for a function. Fixed.
INTEGRATION_TIMEOUT = 29
# Executions at the same time, of an account and region; a new account begins with fewer. Can be raised.
LAMBDA_CONCURRENCY = 1_000
# Invocations per second: ten times the concurrency.
LAMBDA_INVOCATIONS = 10 * LAMBDA_CONCURRENCY
# Request units per second of one table that is paid per request. Can be raised. A new table begins at 12,000 and
# 4,000 and takes on twice its former peak within 30 minutes.
TABLE_READS = 40_000
TABLE_WRITES = 40_000
# Units per second of one partition. Fixed.
PARTITION_READS = 3_000
PARTITION_WRITES = 1_000
# Bytes that one unit reads consistently, and writes; bytes of one page of a query.
READ_UNIT_BYTES = 4 * 1024
WRITE_UNIT_BYTES = 1024
PAGE_BYTES = 1024 * 1024
# A transaction writes everything twice: to prepare, and to commit.
TRANSACTION_FACTOR = 2
# Bytes that API Gateway counts as one message.
BILLED_MESSAGE_BYTES = 32 * 1024

# Frames, and requests for tickets and tokens, that the stages let through in a second: backend/aws/template.yaml.
STAGE_FRAMES = 250
STAGE_REQUESTS = 500

# --- prices, US dollars: third-party figures for us-east-1, check them before you budget ---

# Per million messages, up or down: the first thousand million of a month, and the others.
MESSAGES_PRICE = 1.00
MESSAGES_PRICE_BEYOND = 0.80
MESSAGES_TIER = 1_000_000_000
# Per million requests to an HTTP API.
HTTP_PRICE = 1.00
# Per million minutes of connection.
CONNECTION_MINUTES_PRICE = 0.25
# Per million invocations, and per GB-second on arm64.
INVOCATIONS_PRICE = 0.20
GB_SECOND_PRICE = 0.0000133334
# Per million request units of a table that is paid per request.
READS_PRICE = 0.125
WRITES_PRICE = 0.625
# Per GB and month that a table keeps.
STORAGE_PRICE = 0.25
# Per GB that leaves for the internet, the first 10 TB.
EGRESS_PRICE = 0.09

# --- measured, on 2 cores, against stand-ins on the same machine ---

# CPU seconds of one post to @connections by boto3: 0.65 to 0.9 ms, however many threads.
BOTO3_POST_SECONDS = 0.00077
# The same by botocore's SigV4Auth over a plain HTTP client: 0.19 to 0.33 ms.
SIGNED_POST_SECONDS = 0.00026
# Frames of 260 bytes that one core sends to WebSockets of its own (uvicorn, websockets-sansio).
OWN_SENDS = 41_000

# --- assumed ---

# Seconds of one read, and of one transaction, seen from a function in the same region. AWS promises single digits of
# milliseconds for a read; a transaction takes two rounds.
READ_SECONDS = 0.005
TRANSACTION_SECONDS = 0.015
# Seconds of an invocation besides the database and the posts: JSON, the token, logging.
HANDLER_SECONDS = 0.002
# GB of memory of the function that answers frames: 1,769 MB are one vCPU (AWS documentation, "Lambda").
FUNCTION_GB = 1769 / 1024
# Connections that one process of one's own holds.
OWN_CONNECTIONS = 50_000
# Connections that one account and region is trusted with: after a failure they come back at the quota below.
CELL_CONNECTIONS = 1_000_000
# New connections per second of such a cell, after asking AWS for more.
CELL_NEW_CONNECTIONS = 5_000

# --- the code's own ---

HOUR = 3600.0
#: Hours of a month: 365 days / 12.
MONTH_HOURS = 730.0
PING_SECONDS = Options().heartbeat_interval
# Seconds until a page replaces its link: before its token of an hour ends, which is sooner than 110 minutes.
LINK_SECONDS = due_in(Options(), DEFAULT_LIFETIME_SECONDS, lambda: 0.5) or float(LONGEST_CONNECTION)
LONG_LINK_SECONDS = due_in(Options(), None, lambda: 0.5) or float(LONGEST_CONNECTION)
