"""A chat session on a fake platform, with the test as its server."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from chat.admission import Answer, Endpoints
from chat.cache import RoomCache
from chat.identity import Identity
from chat.read_marks import ReadMarks
from chat.session import ChatSession
from chat.store import ChatState, ChatStore
from chat.timeline import Delivery
from kizuna.codec import JSON_OBJECTS
from kizuna.core.states import Status
from kizuna.delivery.fallback_storage import FallbackStorage
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform, FakeSocket, MemoryLocks, MemoryStorage
from kizuna.wire import KIZUNA, Options, Wire

ROOM = {"roomId": "general", "epoch": "e"}
START = 1_700_000_000_000


class MemorySettings(dict[str, str]):
    """Settings in memory."""

    def set(self, key: str, value: str) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)

    def names(self, prefix: str) -> list[str]:
        return [key.removeprefix(prefix) for key in self if key.startswith(prefix)]


class Browser:
    """The settings, storage and locks that the pages of one browser share."""

    def __init__(self) -> None:
        self.settings, self.storage = MemorySettings(), MemoryStorage()
        self.held: dict[str, object] = {}
        self.pages, self.secrets = itertools.count(1), itertools.count(1)

    def rows(self, table: str) -> dict[str, str]:
        """Return what is committed in a table."""
        return self.storage.tables.get(table, {})

    @property
    def drafts(self) -> list[str]:
        """The ids of messages that are kept and not stored yet."""
        return [key.split("/")[-1] for key in self.settings.names("kizuna.unstored.")]


class SessionHarness:
    """One page with its session, and the server's side of its socket."""

    def __init__(
        self,
        browser: Browser | None = None,
        *,
        wire: Wire = KIZUNA,
        options: Options | None = None,
        tab: MemorySettings | None = None,
    ) -> None:
        self.browser = browser or Browser()
        self.tab = MemorySettings() if tab is None else tab
        self.settings = self.browser.settings
        self.platform = FakePlatform()
        self.locks = MemoryLocks(self.browser.held)
        self.store = ChatStore()
        self.tokens_asked: list[Mapping[str, Any]] = []
        self.token_lifetime = 3600
        self.tickets_asked = 0
        self.ticket_answer: Answer | None = None  #: in place of a ticket
        self.identity = Identity(
            self.settings,
            Endpoints(self.post_json, "/token", "/ticket", self.platform.now),
            lambda: f"secret-{next(self.browser.secrets)}-0123456789",
            self.tab,
        )
        self.service = WebSocketService(
            "ws://127.0.0.1/ws",
            self.identity.get_token,
            platform=self.platform,
            codec=JSON_OBJECTS,
            wire=wire,
            options={"idle_retry_interval": 0.0, **(options or {})},  # a test ends after the last retry
        )
        page, ids = next(self.browser.pages), itertools.count(1)

        def make_id() -> str:
            return f"c{next(ids)}" if page == 1 else f"p{page}-c{next(ids)}"  # another page draws other ids

        storage = FallbackStorage(self.browser.storage, lambda: self.session.on_storage_failed())
        self.session = ChatSession(
            self.store,
            self.service,
            self.identity,
            self.platform,
            make_id,
            OutboxStorage(storage, self.locks, f"tab-{page}", self.settings),
            RoomCache(
                FallbackStorage(self.browser.storage),
                ReadMarks(self.settings),
                self.platform,
                lambda: not self.identity.has_left,
            ),
            kizuna_wire=wire is KIZUNA,
        )
        self.seen_states: list[ChatState] = []
        self.unsubscribe = self.store.subscribe(lambda state: state, self.seen_states.append)

    def crash(self) -> None:
        """End the page abruptly: only committed data remains."""
        self.locks.end()

    def reloaded(self) -> SessionHarness:
        """Crash, and return the next page of the same tab."""
        self.crash()
        return SessionHarness(self.browser, tab=self.tab)

    async def post_json(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        if url == "/ticket":
            self.tickets_asked += 1
            return self.ticket_answer or (200, {"ticket": "a ticket", "expiresIn": 30}, None)
        self.tokens_asked.append(body)
        token = {"token": "t", "userId": f"id-of-{body['name']}", "expiresIn": self.token_lifetime}
        return 200, token, None

    @property
    def state(self) -> ChatState:
        return self.store.state

    @property
    def socket(self) -> FakeSocket:
        return self.platform.socket

    def sent(self, action: str) -> list[dict[str, Any]]:
        return [frame for frame in self.socket.sent if frame["action"] == action]

    def entries(self) -> list[tuple[str, Delivery]]:
        return [(entry.content, entry.state) for entry in self.state.timeline.entries]

    async def send(self, text: str) -> bool:
        """Send a message, and let everything settle."""
        is_taken = self.session.send_message(text)
        await self.platform.settle()
        return is_taken

    async def receive(self, *frames: Mapping[str, Any]) -> None:
        """Receive frames from the server, and let everything settle after each."""
        for frame in frames:
            self.socket.receive(frame)
            await self.platform.settle()

    async def open_link(
        self, head: int = 0, messages: list[dict[str, Any]] | None = None, **parts: Any
    ) -> None:
        """Accept the socket, send ``ready`` and the room's newest page."""
        await self.platform.settle()
        self.socket.accept()
        await self.platform.settle()
        ready = {"type": "ready", "connectionId": "x=", "userId": "id-of-Mika", "serverTime": 1}
        await self.receive(ready, batch(head, messages or [], **parts))

    async def join(self, **page: Any) -> None:
        self.session.join("Mika")
        await self.open_link(**page)
        assert self.state.connection.status is Status.CONNECTED


def message(seq: int, **parts: Any) -> dict[str, Any]:
    return {
        "type": "message",
        **ROOM,
        "seq": seq,
        "messageId": f"m{seq}",
        "clientMessageId": f"his-{seq}",
        "senderId": "id-of-Ren",
        "senderName": "Ren",
        "content": f"words {seq}",
        "timestamp": START + seq,
        **parts,
    }


def batch(head: int, messages: list[dict[str, Any]], **parts: Any) -> dict[str, Any]:
    page = {"messages": messages, "head": head, "next": head, "complete": True}
    return {"type": "batch", **ROOM, **page, **parts}


def ack(client_message_id: str, seq: int, **parts: Any) -> dict[str, Any]:
    place = {"messageId": f"m{seq}", "seq": seq, "timestamp": START + seq}
    return {"type": "ack", "clientMessageId": client_message_id, **ROOM, **place, **parts}
