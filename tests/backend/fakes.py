"""What stands in for clocks, identifiers and API Gateway in tests of the backend."""

import itertools
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

from backend.authorizer import Authorizer, allows, context_of
from backend.gateway.base import Delivery
from backend.gateway.events import METHOD_ARN
from backend.verification import Verifier

START = 1_700_000_000


class FakeClock:
    """Epoch seconds that only :meth:`advance` moves."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Ids:
    """Identifiers that can be read in a failure: ``id-1``, ``id-2``, and so on, from any thread."""

    def __init__(self, prefix: str = "id-") -> None:
        self._numbers = itertools.count(1)
        self._prefix = prefix

    def __call__(self) -> str:
        return f"{self._prefix}{next(self._numbers)}"


class FakeGateway:
    """A gateway that remembers what was posted, and does as told: who is gone, who fails, what happens meanwhile.

    ``before_post(ids, frame)`` runs inside a post, in the handler's thread; it may wait or raise.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.closed: list[str] = []
        self.gone: set[str] = set()
        self.failing: set[str] = set()
        self.attempts: list[str] = []
        self.before_post: Callable[[list[str], dict[str, Any]], None] = lambda ids, frame: None
        self._lock = threading.Lock()

    def post_many(self, connection_ids: Iterable[str], frame: str) -> dict[str, Delivery]:
        """Remember the frame for those who get it."""
        ids = list(connection_ids)
        data = json.loads(frame)
        self.before_post(ids, data)
        with self._lock:
            self.attempts += ids
            results = {connection_id: self._delivery(connection_id) for connection_id in ids}
            self.posts += [(to, data) for to, delivery in results.items() if delivery is Delivery.DELIVERED]
        return results

    def close(self, connection_id: str) -> None:
        """Remember who was closed; from now on it is gone."""
        self.closed.append(connection_id)
        self.gone.add(connection_id)

    def frames(self, connection_id: str, kind: str | None = None) -> list[dict[str, Any]]:
        """What a connection got, of one type or of all."""
        return [frame for to, frame in self.posts if to == connection_id and kind in (None, frame["type"])]

    def clear(self) -> None:
        """Forget what was posted so far."""
        self.posts.clear()
        self.attempts.clear()

    def _delivery(self, connection_id: str) -> Delivery:
        if connection_id in self.gone:
            return Delivery.GONE
        return Delivery.FAILED if connection_id in self.failing else Delivery.DELIVERED


def authorizer_of(tokens: Verifier, token: str) -> dict[str, str]:
    """What the authorizer says of the person of a good token, as every event of their connection has it."""
    answer = Authorizer(tokens).authorize(
        {"methodArn": METHOD_ARN, "queryStringParameters": {"token": token}}
    )
    assert allows(answer)
    return context_of(answer)


def event(
    kind: str,
    connection_id: str,
    body: Any = None,
    query: dict[str, str] | None = None,
    authorizer: dict[str, str] | None = None,
) -> dict[str, Any]:
    """An event with the keys that handlers use. ``body``: text, or an object that becomes JSON."""
    routes = {"CONNECT": "$connect", "DISCONNECT": "$disconnect", "MESSAGE": "$default"}
    context: dict[str, Any] = {
        "eventType": kind,
        "routeKey": routes[kind],
        "connectionId": connection_id,
        "requestId": "r=",
    }
    if authorizer is not None:
        context["authorizer"] = authorizer
    made: dict[str, Any] = {"requestContext": context, "isBase64Encoded": False}
    if body is not None:
        made["body"] = body if isinstance(body, str) else json.dumps(body)
    if query is not None:
        made["queryStringParameters"] = query
    return made
