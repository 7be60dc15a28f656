"""Stand-ins for clocks, identifiers, API Gateway and people in tests of the backend."""

import base64
import itertools
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from backend.auth.authorizer import Authorizer, allows, context_of
from backend.auth.tokens import Tokens
from backend.auth.verification import Verifier
from backend.gateway.base import Delivery
from backend.gateway.events import METHOD_ARN
from backend.messaging.handlers import Backend, Response
from chat.protocol import UP_FRAMES
from tests.support.server import secret_of

START = 1_700_000_000


@dataclass
class FakeClock:
    """Epoch seconds that only :meth:`advance` moves."""

    now: float = START

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
    """A gateway that remembers the posts, with chosen results: gone, failed, or a call in between.

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
        """Remember the frame for its recipients."""
        ids = list(connection_ids)
        data = json.loads(frame)
        self.before_post(ids, data)
        with self._lock:
            self.attempts += ids
            results = {connection_id: self._delivery(connection_id) for connection_id in ids}
            self.posts += [(to, data) for to, delivery in results.items() if delivery is Delivery.DELIVERED]
        return results

    def close(self, connection_id: str) -> None:
        """Remember the closed connection; from now on it is gone."""
        self.closed.append(connection_id)
        self.gone.add(connection_id)

    def frames(self, connection_id: str, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the frames of a connection, of one type or all."""
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
    """Return the authorizer's context for a good token, as every event of the connection has it."""
    question = {"methodArn": METHOD_ARN, "queryStringParameters": {"token": token}}
    answer = Authorizer(tokens).authorize(question)
    assert allows(answer)
    return context_of(answer)


def event(
    kind: str,
    connection_id: str,
    body: Any = None,
    query: dict[str, str] | None = None,
    authorizer: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return an event with the keys that handlers use. ``body``: text, or an object that becomes JSON."""
    context: dict[str, Any] = {
        "eventType": kind,
        "routeKey": "$default" if kind == "MESSAGE" else f"${kind.lower()}",
        "connectionId": connection_id,
        "requestId": "r=",
        "domainName": "api.example.org",
        "stage": "prod",
    }
    if authorizer is not None:
        context["authorizer"] = authorizer
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    made = {"requestContext": context, "body": text, "queryStringParameters": query, "isBase64Encoded": False}
    return {name: value for name, value in made.items() if value is not None}


class ApiGateway:
    """API Gateway's handling of handshakes, frames and requests; ``run`` answers an event."""

    def __init__(self, run: Callable[[dict[str, Any]], Any]) -> None:
        self.authorizers: dict[str, dict[str, str]] = {}
        self._run = run

    def connect(self, connection_id: str, token: str, origin: str | None = None) -> int:
        """Return the status of a handshake: the authorizer's refusal, or the status of $connect."""
        happened = event("CONNECT", connection_id, query={"token": token})
        if origin is not None:
            happened["headers"] = {"Host": "x", "Origin": origin}
        answer = self._run({**happened, "type": "REQUEST", "methodArn": "arn:1"})
        (statement,) = answer["policyDocument"]["Statement"]
        assert statement["Resource"] == "arn:1"
        if not allows(answer):
            return 403
        self.authorizers[connection_id] = context_of(answer)
        happened["requestContext"]["authorizer"] = self.authorizers[connection_id]
        return int(self._run(happened)["statusCode"])

    def say(self, connection_id: str, frame: dict[str, Any], **context: str) -> Any:
        """Return the answer to a frame; its action selects the route."""
        route = frame["action"] if frame["action"] in UP_FRAMES else "$default"
        happened = event("MESSAGE", connection_id, frame, authorizer=self.authorizers.get(connection_id))
        happened["requestContext"].update(context, routeKey=route)
        return self._run(happened)

    def leave(self, connection_id: str) -> Any:
        """End a connection."""
        authorizer = self.authorizers.get(connection_id)
        return self._run(event("DISCONNECT", connection_id, authorizer=authorizer))

    def post(
        self,
        path: str = "/ticket",
        method: str = "POST",
        body: bytes | str | None = None,
        stage: str = "",
        **headers: str,
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Return status, body and headers of a request to the HTTP API, with an event of payload format 2.0."""
        happened = {
            "version": "2.0",
            "routeKey": f"{method} {path}",
            "rawPath": f"/{stage}{path}" if stage else path,  # as AWS has it, of a stage with a name
            "rawQueryString": "",
            "headers": {"content-length": "0", **headers},
            "requestContext": {"http": {"method": method, "path": path, "protocol": "HTTP/1.1"}},
            "isBase64Encoded": isinstance(body, bytes),
            "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        }
        answer = self._run(happened)
        return answer["statusCode"], json.loads(answer["body"]), dict(answer["headers"])


class Person:
    """One connection of a person whose secret follows from the name."""

    def __init__(
        self, backend: Backend, gateway: FakeGateway, tokens: Tokens, name: str, connection_id: str | None
    ) -> None:
        issued = tokens.issue(name, secret_of(name))
        self.name = name
        self.id = connection_id or f"{name}="
        self.user_id = issued.user_id
        self.token = issued.token
        self.authorizer = authorizer_of(tokens, issued.token)
        self._backend = backend
        self._gateway = gateway

    def connect(self) -> Response:
        """Send $connect of this person."""
        return self._handle("CONNECT")

    def disconnect(self) -> None:
        """Send $disconnect."""
        self._handle("DISCONNECT")

    def say(self, body: Any) -> dict[str, Any] | None:
        """Send a frame, and what the handler answers it with."""
        response = self._handle("MESSAGE", body)
        assert response["statusCode"] == 200
        answer = response.get("body")
        return None if answer is None else json.loads(answer)

    def hello(self, *rooms: str | dict[str, Any]) -> None:
        """Send the first frame; rooms by name have nothing yet."""
        positions = [{"roomId": room} if isinstance(room, str) else room for room in rooms]
        assert self.say({"action": "hello", "v": 1, "rooms": positions}) is None

    def send(self, text: str, client_message_id: str = "c-1", room: str = "general") -> dict[str, Any] | None:
        """Say something; None is the answer of a message that was stored, its ack is among the frames."""
        message = {"clientMessageId": client_message_id, "roomId": room, "content": text}
        return self.say({"action": "sendMessage", **message})

    def got(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the frames posted to this connection."""
        return self._gateway.frames(self.id, kind)

    def texts(self) -> list[str]:
        """Return the contents of the messages that were broadcast to this connection."""
        return [frame["content"] for frame in self.got("message")]

    def _handle(self, kind: str, body: Any = None) -> Response:
        return self._backend.handle(event(kind, self.id, body, authorizer=self.authorizer))
