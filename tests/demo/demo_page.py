"""A page of the demo in virtual time: the session of the chat on the parts of the demo."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import demo
from chat.admission import Endpoints
from chat.cache import RoomCache
from chat.identity import Identity
from chat.read_marks import ReadMarks
from chat.session import ChatSession
from chat.store import ChatStore
from demo import Demo
from kizuna import JSON_OBJECTS, KIZUNA, Platform, WebSocketService
from kizuna.delivery import NoLocks, OutboxStorage
from kizuna.testing import FakePlatform
from tests.chat.session_harness import MemorySettings
from ui.kit.texts import Texts, read_catalogue

CATALOGUES = Path(__file__).parents[2] / "static" / "i18n" / "demo"


def texts(language: str = "en") -> Texts:
    """What the bots can say."""
    return Texts(read_catalogue(CATALOGUES, language), language)


class DemoPage:
    """A page of one tab; a later one with the same settings is the page after a reload."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        settings: MemorySettings | None = None,
        say: Callable[..., str] | None = None,
        around: Callable[[Platform], Platform] = lambda platform: platform,
    ) -> None:
        """``around``: returns the platform that the session gets instead of the demo's."""
        self.settings = MemorySettings() if settings is None else settings
        self.browser = FakePlatform()
        self.demo = Demo(self.browser, self.settings, say or texts())
        self.server = self.demo.server
        self.platform = around(self.demo.platform)
        endpoints = Endpoints(
            self.server.post_json, demo.TOKEN_URL, demo.TICKET_URL, self.browser.now, "https://page.example/"
        )
        self.identity = Identity(self.settings, endpoints, lambda: f"secret-{next(self._numbers)}")
        self.service = WebSocketService(
            demo.WEB_SOCKET_URL,
            self.identity.get_token,
            platform=self.platform,
            codec=JSON_OBJECTS,
            wire=KIZUNA,
        )
        self.store = ChatStore()
        self.session = ChatSession(
            self.store,
            self.service,
            self.identity,
            self.platform,
            lambda: f"message-{next(self._numbers)}",
            OutboxStorage(self.demo.storage, NoLocks(), f"tab-{next(self._numbers)}"),
            RoomCache(self.demo.storage, ReadMarks(self.settings), self.platform),
        )

    async def open(self) -> None:
        """Open the page, and wait until it has caught up."""
        self.session.enter_room("general")
        self.session.start()
        await self.browser.until(lambda: self.store.state.caught_up)

    async def say(self, *texts: str) -> None:
        """Send messages, and let the page store them."""
        for text in texts:
            assert self.session.send_message(text)
        await self.browser.settle()

    async def until_heard(self, key: str, **params: str | int) -> None:
        """Wait until a bot has said this."""
        text = texts()(key, **params)
        await self.browser.until(lambda: any(text in each for each in self.heard))

    @property
    def heard(self) -> list[str]:
        """The texts that the page shows, in order."""
        return [entry.content for entry in self.store.state.timeline.entries]

    @property
    def own(self) -> list[tuple[str, str]]:
        """The person's own messages: text and state."""
        return [(entry.content, str(entry.state)) for entry in self.store.state.timeline.entries if entry.own]
