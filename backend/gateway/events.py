"""The events of API Gateway's WebSocket APIs, key for key.

The keys depend on the kind: headers and query come only with CONNECT, the body only with MESSAGE, the close code only
with DISCONNECT. A local gateway that gave more would hide errors that appear on AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from chat.protocol import MalformedFrame, decode

API_ID = "local"
STAGE = "local"
# The resource that an authorizer's policy is about, of AWS's shape.
METHOD_ARN = f"arn:aws:execute-api:local:000000000000:{API_ID}/{STAGE}/$connect"


class FrameText(str):
    """The text of a frame, with the JSON object that the gateway has read in it to select a route.

    To all that expects API Gateway's events it is the text alone; who wants the object need not read it again.
    """

    frame: Mapping[str, Any]

    @classmethod
    def read(cls, body: str) -> str:
        """Return ``body`` with its object; ``body`` itself if it holds none."""
        try:
            frame = decode(body)
        except MalformedFrame:
            return body
        text = cls(body)
        text.frame = frame
        return text


def frame_in(body: str) -> Mapping[str, Any]:
    """Return the JSON object in the body of an event. Raises MalformedFrame."""
    return body.frame if isinstance(body, FrameText) else decode(body)


class Handshake:
    """The facts about a connection from its handshake, which come with all of its events.

    ``scope`` is the ASGI scope; ``now`` epoch seconds. ``authorizer`` is the authorizer's context, once it was asked.
    """

    def __init__(self, connection_id: str, scope: Mapping[str, Any], now: float) -> None:
        self.connection_id = connection_id
        self.connected_at = int(now * 1000)
        self.headers = [(_canonical(name), value.decode("latin-1")) for name, value in scope["headers"]]
        self.query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        self.source_ip = (scope.get("client") or ("127.0.0.1", 0))[0]
        self.host = self.header("Host") or "localhost"
        self.authorizer: Mapping[str, Any] | None = None

    @property
    def person(self) -> str:
        """The user id, if an authorizer was asked; else the connection id."""
        return self.connection_id if self.authorizer is None else str(self.authorizer["principalId"])

    def header(self, name: str) -> str | None:
        """Return a header by its usual name, the last one if it was sent twice."""
        return dict(self.headers).get(name)


def authorizer_event(handshake: Handshake, request_id: str, now: float) -> dict[str, Any]:
    """Return the event that an authorizer gets before ``$connect``: the handshake, and the policy's resource."""
    return {"type": "REQUEST", "methodArn": METHOD_ARN, **connect_event(handshake, request_id, now)}


def connect_event(handshake: Handshake, request_id: str, now: float) -> dict[str, Any]:
    """Return the event of ``$connect``."""
    event = {
        "headers": dict(handshake.headers),
        "multiValueHeaders": _grouped(handshake.headers),
        "requestContext": _context(handshake, "$connect", "CONNECT", request_id, now),
        "isBase64Encoded": False,
    }
    if handshake.query:
        event["queryStringParameters"] = dict(handshake.query)
        event["multiValueQueryStringParameters"] = _grouped(handshake.query)
    return event


def message_event(handshake: Handshake, request_id: str, now: float, route: str, body: str) -> dict[str, Any]:
    """Return the event of one text frame."""
    context = _context(handshake, route, "MESSAGE", request_id, now)
    return {"requestContext": {**context, "messageId": request_id}, "body": body, "isBase64Encoded": False}


def disconnect_event(
    handshake: Handshake, request_id: str, now: float, code: int, reason: str
) -> dict[str, Any]:
    """Return the event of ``$disconnect``; ``code`` and ``reason`` as the close frame had them."""
    headers = {"Host": handshake.host, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    context = _context(handshake, "$disconnect", "DISCONNECT", request_id, now)
    return {
        "headers": headers,
        "multiValueHeaders": _grouped(list(headers.items())),
        "requestContext": {**context, "disconnectStatusCode": code, "disconnectReason": reason},
        "isBase64Encoded": False,
    }


def _context(handshake: Handshake, route: str, kind: str, request_id: str, now: float) -> dict[str, Any]:
    identity = {"sourceIp": handshake.source_ip}
    if (user_agent := handshake.header("User-Agent")) is not None:
        identity["userAgent"] = user_agent
    authorizer = {} if handshake.authorizer is None else {"authorizer": dict(handshake.authorizer)}
    return {
        "routeKey": route,
        "eventType": kind,
        "messageDirection": "IN",
        "connectionId": handshake.connection_id,
        "connectedAt": handshake.connected_at,
        "requestId": request_id,
        "extendedRequestId": request_id,
        "requestTime": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "requestTimeEpoch": int(now * 1000),
        "identity": identity,
        "stage": STAGE,
        "apiId": API_ID,
        "domainName": handshake.host,
        **authorizer,
    }


def _canonical(name: bytes) -> str:
    """Return a header's name as browsers spell it and API Gateway passes it on; uvicorn has made it lower case."""
    words = name.decode("latin-1").lower().split("-")
    return "-".join("WebSocket" if word == "websocket" else word.capitalize() for word in words)


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
