"""API Gateway's part before the functions: events of its shape, and who was admitted as whom."""

import base64
import json
from collections.abc import Callable
from typing import Any

from backend.authorizer import allows, context_of
from tests.backend.fakes import event

AUTHORIZER = "authorizer"


class ApiGateway:
    """Responsible for what becomes of handshakes, frames and requests.

    ``run(route, event)`` answers an event; AUTHORIZER stands for the route of who is asked before ``$connect``.
    """

    def __init__(self, run: Callable[[str, dict[str, Any]], Any]) -> None:
        self.authorizers: dict[str, dict[str, str]] = {}
        self._run = run

    def connect(self, connection_id: str, token: str, origin: str | None = None) -> int:
        """The status of a handshake: the authorizer's no, or what $connect says."""
        happened = self._event("CONNECT", "$connect", connection_id, query={"token": token})
        if origin is not None:
            happened["headers"] = {"Host": "x", "Origin": origin}
        answer = self._run(AUTHORIZER, {**happened, "type": "REQUEST", "methodArn": "arn:1"})
        (statement,) = answer["policyDocument"]["Statement"]
        assert statement["Resource"] == "arn:1"
        if not allows(answer):
            return 403
        self.authorizers[connection_id] = context_of(answer)
        happened["requestContext"]["authorizer"] = self.authorizers[connection_id]
        return int(self._run("$connect", happened)["statusCode"])

    def say(self, connection_id: str, frame: dict[str, Any], route: str = "$default", **context: str) -> Any:
        """What a frame is answered with."""
        happened = self._event("MESSAGE", route, connection_id, frame)
        happened["requestContext"].update(context)
        return self._run(route, happened)

    def leave(self, connection_id: str) -> Any:
        """A connection that ended."""
        return self._run("$disconnect", self._event("DISCONNECT", "$disconnect", connection_id))

    def post(
        self,
        path: str = "/ticket",
        method: str = "POST",
        body: bytes | str | None = None,
        stage: str = "",
        **headers: str,
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers of a request to the HTTP API, whose event is of payload format 2.0."""
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
        answer = self._run(f"{method} {path}", happened)
        return answer["statusCode"], json.loads(answer["body"]), dict(answer["headers"])

    def _event(self, kind: str, route: str, connection_id: str, body: Any = None, **more: Any) -> Any:
        happened = event(kind, connection_id, body, authorizer=self.authorizers.get(connection_id), **more)
        happened["requestContext"].update(
            routeKey=route, domainName="api.example.org", stage="prod", apiId="api"
        )
        return happened
