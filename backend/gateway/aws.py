"""The gateway on AWS: posts frames through API Gateway's ``@connections`` management API.

Its answers by status, since not every implementation of this API names its errors:

- 200: taken. 410 (``GoneException``): there is no such connection.
- 429: too many requests in this account, or this client's buffer is full; the API does not say which. 5xx, and a
  connection that broke: trouble on the way. These are tried again, a few times and soon, then they have failed.
- 400 (a malformed id), 403 (a wrong endpoint or stage, or no permission), 413 (over 128 KiB): asking again would
  not help.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from backend.gateway.base import Delivery

log = logging.getLogger(__name__)

# Posts at the same time. A post is some 5 to 10 ms of waiting and under 1 ms of one CPU, so about a dozen keep one
# CPU busy; the rest is for those that wait before they try again.
THREADS = 32
# The first post and two more within 0.15 s: a page that is slow for a moment gets its frame, and one that is stuck does
# not delay the others for long. A post that arrived although its answer was lost arrives twice; pages drop the second.
ATTEMPTS = 3
BASE_SECONDS = 0.050
CAP_SECONDS = 0.100
# The management API is in the same region: an answer that takes longer is lost.
CONNECT_TIMEOUT_SECONDS = 1.0
READ_TIMEOUT_SECONDS = 2.0

# When a broadcast stops: Lambda ends the function after 29 s, and the records of gone connections are still to delete.
BROADCAST_SECONDS = 20.0

_OK, _FORBIDDEN, _GONE, _TOO_MANY, _ERROR = 200, 403, 410, 429, 500
# The status of a connection that broke before any came.
_BROKEN = 0


class ManagementApi(Protocol):
    """The two operations of boto3's ``apigatewaymanagementapi`` client that are used here."""

    def post_to_connection(self, *, ConnectionId: str, Data: bytes) -> Any:  # noqa: N803 (boto3's spelling)
        """Send POST @connections/{id}; raises ClientError or BotoCoreError."""

    def delete_connection(self, *, ConnectionId: str) -> Any:  # noqa: N803
        """Send DELETE @connections/{id}; raises ClientError or BotoCoreError."""


def management_client(endpoint: str, threads: int = THREADS) -> ManagementApi:
    """Return a client for one API's stage, by its URL (``https://<api>.execute-api.<region>.amazonaws.com/<stage>``).

    botocore tries nothing again: how often, and after which answers, is decided in one place, below.
    """
    config = Config(
        max_pool_connections=threads,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    client: ManagementApi = boto3.client("apigatewaymanagementapi", endpoint_url=endpoint, config=config)
    return client


class AwsGateway:
    """A gateway through ``@connections`` that posts to many connections at the same time.

    ``sleep`` takes seconds, ``random`` gives a number in [0, 1), ``monotonic`` seconds.
    """

    def __init__(
        self,
        api: ManagementApi,
        *,
        threads: int = THREADS,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._monotonic = monotonic
        self._sleep = sleep
        self._random = random
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="post")

    def post_many(self, connection_ids: Iterable[str], frame: str) -> dict[str, Delivery]:
        """Post one text frame to each connection and say how each went, once all of them are over.

        A Lambda function is frozen as soon as it returns, so all posts are awaited. It must return before its timeout:
        a post that has not begun after 20 s has failed.
        """
        data, until = frame.encode(), self._monotonic() + BROADCAST_SECONDS
        posts = {
            connection_id: self._pool.submit(self._post, connection_id, data, until)
            for connection_id in dict.fromkeys(connection_ids)
        }
        return {connection_id: post.result() for connection_id, post in posts.items()}

    def close(self, connection_id: str) -> None:
        """Close a connection; no error if it is gone. The page sees code 1000."""
        until = self._monotonic() + BROADCAST_SECONDS
        status = self._try(
            "close", connection_id, lambda: self._api.delete_connection(ConnectionId=connection_id), until
        )
        if status not in (_OK, _GONE):
            log.warning("could not close connection %s: %s", connection_id, _named(status))

    def shut_down(self) -> None:
        """Release the threads after their current posts."""
        self._pool.shutdown()

    # --- inside ---

    def _post(self, connection_id: str, data: bytes, until: float) -> Delivery:
        status = self._try(
            "post to",
            connection_id,
            lambda: self._api.post_to_connection(ConnectionId=connection_id, Data=data),
            until,
        )
        if status == _OK:
            return Delivery.DELIVERED
        if status == _GONE:
            return Delivery.GONE
        log.warning("could not post to connection %s: %s", connection_id, _named(status))
        return Delivery.FAILED

    def _try(self, what: str, connection_id: str, request: Callable[[], Any], until: float) -> int:
        """Return the status of the last attempt. Raises nothing: it must not stop the posts beside it."""
        status = _BROKEN
        for attempt in range(ATTEMPTS):
            if self._monotonic() >= until:
                return status
            if attempt:
                self._sleep(self._random() * min(CAP_SECONDS, BASE_SECONDS * 2 ** (attempt - 1)))
            try:
                request()
                return _OK
            except ClientError as error:
                status = _status(error)
            except BotoCoreError:
                status = _BROKEN
            except Exception:
                log.exception("could not %s connection %s", what, connection_id)
                return _BROKEN
            if status not in (_BROKEN, _TOO_MANY) and status < _ERROR:
                return status
        return status


def _status(error: ClientError) -> int:
    """Return the HTTP status behind an error: by its class where the answer names one, else as it came."""
    if error.response.get("Error", {}).get("Code") == "GoneException":
        return _GONE
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", _BROKEN)
    return status if isinstance(status, int) else _BROKEN


def _named(status: int) -> str:
    if status == _FORBIDDEN:
        return "status 403, check MANAGEMENT_ENDPOINT and the right execute-api:ManageConnections"
    return f"status {status}" if status else "no answer"
