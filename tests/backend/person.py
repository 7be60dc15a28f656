"""A person in tests of the handlers: sends frames, keeps the answers."""

import json
from typing import Any

from backend.handlers import Backend, Response
from backend.tokens import Tokens
from tests.backend.fakes import FakeGateway, authorizer_of, event


class Person:
    """Responsible for one connection of somebody whose secret follows from the name."""

    def __init__(
        self, backend: Backend, gateway: FakeGateway, tokens: Tokens, name: str, connection_id: str | None
    ) -> None:
        issued = tokens.issue(name, f"the secret of {name}".ljust(20, "."))
        self.name = name
        self.id = connection_id or f"{name}="
        self.user_id = issued.user_id
        self.token = issued.token
        self.authorizer = authorizer_of(tokens, issued.token)
        self._backend = backend
        self._gateway = gateway

    def connect(self) -> Response:
        """$connect of this person."""
        return self._handle("CONNECT")

    def disconnect(self) -> None:
        """$disconnect."""
        self._handle("DISCONNECT")

    def say(self, body: Any) -> dict[str, Any] | None:
        """Send a frame, and what the handler answers it with."""
        response = self._handle("MESSAGE", body)
        assert response["statusCode"] == 200
        answer = response.get("body")
        return None if answer is None else json.loads(answer)

    def hello(self, *rooms: str | dict[str, Any]) -> None:
        """The first frame; rooms by name have nothing yet."""
        positions = [{"roomId": room} if isinstance(room, str) else room for room in rooms]
        assert self.say({"action": "hello", "v": 1, "rooms": positions}) is None

    def send(self, text: str, client_message_id: str = "c-1", room: str = "general") -> dict[str, Any] | None:
        """Say something; None is the answer of a message that was stored, its ack is among the frames."""
        frame = {
            "action": "sendMessage",
            "clientMessageId": client_message_id,
            "roomId": room,
            "content": text,
        }
        return self.say(frame)

    def got(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The frames posted to this connection."""
        return self._gateway.frames(self.id, kind)

    def texts(self) -> list[str]:
        """The contents of the messages that were broadcast to this connection."""
        return [frame["content"] for frame in self.got("message")]

    def _handle(self, kind: str, body: Any = None) -> Response:
        return self._backend.handle(event(kind, self.id, body, authorizer=self.authorizer))
