"""The server of the demo: that of kizuna.testing, with what the chat needs beyond it.

People with tokens, presence, typing and a limit of messages; and a history that outlives a reload, in the settings of
the tab. To this server all connections are of one browser tab, so the only other people are the bots.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qs, urlsplit

from chat import protocol
from chat.admission import Answer
from kizuna import ListedSettings, Platform
from kizuna.testing import FakeChannelServer, FakeClient, FakeSocket

#: Seconds that a token is valid: an hour, as that of the real server.
TOKEN_LIFETIME = 3600
#: So many messages in RATE_PERIOD seconds, then they are refused until the oldest of them is so old.
RATE_LIMIT, RATE_PERIOD = 100, 10.0
_ITEM = "item/"


class Person(NamedTuple):
    """Somebody in the demo."""

    user_id: str
    name: str


class Company(Protocol):
    """Those who are told what happens on the server."""

    def on_entered(self, room: str) -> None:
        """Handle that the visitor has entered a room, with any connection."""

    def on_message(self, item: Mapping[str, Any], *, again: bool) -> None:
        """Handle a message of the visitor. ``again``: it had been stored before."""

    def on_gone(self) -> None:
        """Handle that the visitor's last connection has ended."""


class DemoServer(FakeChannelServer):
    """A server in the page.

    Args:
        platform: The clock and the timers.
        settings: Where the messages outlive a reload.
    """

    def __init__(self, platform: Platform, settings: ListedSettings) -> None:
        super().__init__()
        self.company: Company | None = None
        self.bots: tuple[Person, ...] = ()  #: who is in every room, beside the visitor
        self._platform = platform
        self._settings = settings
        self._people: dict[str, Person] = {}  # by token
        self._sent_at: deque[float] = deque(maxlen=RATE_LIMIT)  # of the messages that were taken
        self.handlers["typing"] = lambda client, frame: None  # nobody else has a connection
        self._restore()

    # --- what the bots do ---

    def say(self, person: Person, room: str, text: str) -> None:
        """Store a message of a bot, and send it."""
        number = len(self.log(room).items) + 1
        self.send_item(room, self.stored(room, f"{person.user_id}-{number}", self._written_by(person, text)))

    def show_typing(self, person: Person, room: str) -> None:
        """Notify the visitor that a bot is typing."""
        frame = protocol.TypingNotice(room_id=room, sender_id=person.user_id, sender_name=person.name)
        for client in self.clients_in(room):
            client.send(protocol.to_object(frame))

    def restart(self, seconds: float) -> None:
        """Go down as a server that is restarted, and come up after ``seconds``."""
        for client in self.clients:
            client.send(protocol.to_object(protocol.Bye(reason="restart")))
        self.is_down = True
        self.close_all(1012)
        self._platform.call_at(self._platform.now().monotonic + seconds, self.come_up)

    # --- the endpoints ---

    async def post_json(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """Answer as the token endpoint, or as the ticket endpoint: a token is its own ticket."""
        if "token" in body:
            return 200, {"ticket": body["token"], "expiresIn": TOKEN_LIFETIME}, None
        user_id = hashlib.sha256(body["clientSecret"].encode()).hexdigest()[:16]
        self._people[user_id] = Person(user_id, body["name"])
        return 200, {"token": user_id, "userId": user_id, "expiresIn": TOKEN_LIFETIME}, None

    # --- frames ---

    def on_frame(self, client: FakeClient, frame: Any) -> None:
        """Handle a frame, and forget it: a test would read it, but a page may be open for days."""
        self.frames.clear()
        client.frames.clear()
        super().on_frame(client, frame)

    def ready(self, client: FakeClient) -> dict[str, Any]:
        """Return the answer to hello."""
        frame = protocol.Ready(
            connection_id=f"demo-{len(self.urls)}",
            user_id=self._who(client).user_id,
            server_time=self._now_ms(),
            expires_in=TOKEN_LIFETIME,
        )
        return protocol.to_object(frame)

    def ack(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ack of a message."""
        return {**super().ack(item), "timestamp": item["timestamp"]}

    def on_hello(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        """Say ready, enter the rooms, and tell who is there."""
        super().on_hello(client, frame)
        for head in self.heads(client):
            self._welcome(client, head["roomId"])

    def on_join(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        """Enter a room, and tell who is there."""
        super().on_join(client, frame)
        self._welcome(client, frame["roomId"])

    def on_message(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        """Store a message under the visitor's name, unless there are too many."""
        message = protocol.parse_up(frame)
        assert isinstance(message, protocol.SendMessage)
        room, message_id = message.room_id, message.client_message_id
        is_known = message_id in self.log(room).ids
        if not is_known and (wait := self._wait_for_turn()) > 0:
            client.send(_rate_limited(message_id, wait))
            return
        super().on_message(client, {**frame, **self._written_by(self._who(client), message.content)})
        if self.company is not None:
            log = self.log(room)
            self.company.on_message(log.items[log.ids[message_id] - 1], again=is_known)

    def forget(self, socket: FakeSocket) -> None:
        """Forget a socket; the bots notice if it was the last one."""
        had_clients = bool(self.clients)
        super().forget(socket)
        if self.company is not None and had_clients and not self.clients:
            self.company.on_gone()

    # --- the history ---

    def stored(self, channel: str, message_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """Store a message, in the settings of the tab too."""
        item = super().stored(channel, message_id, data)
        self._settings.set(f"{_ITEM}{channel}/{item['seq']}", json.dumps(item))
        return item

    def _restore(self) -> None:
        texts = [self._settings.get(_ITEM + name) for name in self._settings.names(_ITEM)]
        for item in sorted((json.loads(text) for text in texts if text), key=lambda item: item["seq"]):
            log = self.log(item["roomId"])
            if item["seq"] == len(log.items) + 1:  # storage may have lost one
                log.epoch = item["epoch"]
                log.items.append(item)
                log.ids[item["clientMessageId"]] = item["seq"]

    # --- helpers ---

    def _welcome(self, client: FakeClient, room: str) -> None:
        people = {self._who(each).user_id for each in self.clients_in(room)}
        frame = protocol.Presence(room_id=room, count=len(people) + len(self.bots))
        client.send(protocol.to_object(frame))
        if self.company is not None:
            self.company.on_entered(room)

    def _who(self, client: FakeClient) -> Person:
        token = parse_qs(urlsplit(client.url).query)["token"][0]
        return self._people[token]

    def _written_by(self, person: Person, text: str) -> dict[str, Any]:
        who = {"senderId": person.user_id, "senderName": person.name}
        return {**who, "content": text, "timestamp": self._now_ms()}

    def _wait_for_turn(self) -> float:
        """Return the seconds until one more message may be taken; 0: it is taken now."""
        now = self._platform.now().monotonic
        if len(self._sent_at) == RATE_LIMIT and (wait := self._sent_at[0] + RATE_PERIOD - now) > 0:
            return wait
        self._sent_at.append(now)
        return 0

    def _now_ms(self) -> int:
        return round(self._platform.now().wall * 1000)


def _rate_limited(message_id: str, wait: float) -> dict[str, Any]:
    frame = protocol.Nack(
        client_message_id=message_id,
        code="rate_limited",
        message="too many messages",
        retryable=True,
        retry_after=wait,
    )
    return protocol.to_object(frame)
