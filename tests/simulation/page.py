"""One page of the chat, from the moment it opens until it is closed, reloaded or killed."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chat.admission import Answer, Endpoints
from chat.cache import RoomCache
from chat.identity import Identity
from chat.session import ChatSession
from chat.store import ChatState, ChatStore
from chat.timeline import Delivery, Timeline
from kizuna.core.states import Status
from kizuna.delivery.fallback_storage import FallbackStorage
from kizuna.delivery.outbox_storage import TABLE, OutboxStorage
from kizuna.platform import SocketListener
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform
from tests.chat.stage import MemorySettings
from tests.simulation.disk import Browser, PageLocks, PageStorage
from tests.simulation.ledger import Said
from tests.simulation.loop import Life
from tests.simulation.network import LineSocket, Path

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(slots=True)
class Tab:
    """A tab of somebody's browser, with a page in it or without."""

    name: str
    person: str
    browser: Browser
    settings: MemorySettings = field(default_factory=MemorySettings)  #: outlive a reload of this tab
    path: Path = Path.GOOD
    page: Page | None = None


class Page:
    """Responsible for one ChatSession and all that it stands on."""

    def __init__(self, tab: Tab, number: int, world: World) -> None:
        self.tab = tab
        self.number = number
        self.world = world
        self.owner = f"tab-{number}"  #: what its rows are called
        self.life = Life()
        self.was_aside = False
        self.saying: Said | None = None  #: what is being kept
        self._ids = itertools.count(1)
        self.locks = PageLocks(tab.browser.held)
        self.storage = PageStorage(world.loop, tab.browser, self.life)
        self.platform = PagePlatform(self)
        self.store = ChatStore()
        self.store.subscribe(lambda state: state.timeline, self._look_at)
        self.run(self._open)

    def _open(self) -> None:
        identity = Identity(
            self.tab.browser.settings,
            Endpoints(self._post_json, "/token", "/ticket", self.platform.now),
            lambda: f"the secret of {self.tab.person}.",
            self.tab.settings,
        )
        self.service = WebSocketService(
            "ws://127.0.0.1/ws", identity.get_token, platform=self.platform, options=self.world.options
        )
        rows = OutboxStorage(FallbackStorage(self.storage), self.locks, self.owner)
        cache = RoomCache(FallbackStorage(self.storage), self.platform, lambda: not identity.has_left)
        self.session = ChatSession(
            self.store, self.service, identity, self.platform, self._make_id, rows, cache
        )
        self.session.start()

    # --- looking ---

    @property
    def state(self) -> ChatState:
        return self.store.state

    @property
    def texts(self) -> list[str]:
        """What the messages on the screen say."""
        return [entry.content for entry in self.state.timeline.entries]

    @property
    def is_joined(self) -> bool:
        """Whether somebody is in the chat on it."""
        return self.state.name is not None

    @property
    def is_settled(self) -> bool:
        """Whether it says itself that all is well."""
        state = self.state
        return state.link.status is Status.CONNECTED and state.caught_up and not state.waiting

    def wrong_with_rows(self) -> str | None:
        """What is wrong between what it shows as not sent and what it is to send, if anything is."""
        browser = self.tab.browser
        if self.life.is_frozen or not self.is_joined or browser.storage.is_stuck or browser.was_broken:
            return None
        rows = browser.rows(TABLE)
        mine = [json.loads(text) for key, text in rows.items() if f"/{self.owner}/" in key]
        here = {row["id"] for row in mine if row["lane"] == self.state.room_id}
        hidden = here - {entry.client_message_id for entry in self.state.timeline.entries}
        if hidden:
            return f"is to send what it does not show: {hidden}"
        pending = self.state.timeline.pending
        waiting = {entry.client_message_id for entry in pending if entry.state is not Delivery.SENT}
        forgotten = waiting - {key.split("/")[-1] for key in rows}
        if forgotten and not self.was_aside:  # else another page may have sent them meanwhile
            return f"shows as not sent what nobody is to send: {forgotten}"
        return None

    # --- acting ---

    def run(self, act: Callable[..., object], *args: Any) -> None:
        """Let its code run, unless it is gone."""
        if not self.life.is_over:
            self.world.loop.call_now(self.life, act, *args)

    def say(self, said: Said) -> None:
        """Send what was typed, as the composer does: one after the other."""

        async def say() -> None:
            self.saying = said
            said.is_kept = await self.session.say(said.text)
            said.is_fragile = bool(said.is_kept) and not any(
                key.endswith(f"/{said.id}") for key in self.tab.browser.rows(TABLE)
            )
            self.saying = None

        self.saying = said
        self.run(lambda: self.world.loop.create_task(say()))

    def freeze(self, *, aside: bool) -> None:
        """The browser stops it: in place, or ``aside`` to go back to."""
        if self.life.is_frozen:
            return
        self.run(self.platform.suspend)
        self.life.is_frozen = True
        self.was_aside = self.was_aside or aside
        if aside:
            self.locks.end()
            self.world.ledger.excuse(self.tab.person, self.number)

    def thaw(self) -> None:
        if self.life.is_frozen:
            self.life.is_frozen = False
            self.locks.take_again()
            self.world.loop.release()
            self.run(self.platform.resume)

    def die(self, *, loses: bool = False) -> None:
        """Gone without a word. ``loses``: with what it asked the browser to keep just before."""
        self.world.ledger.bury(self.number)
        self.life.is_over = True
        if loses:
            self.storage.drop()
        self.locks.end()
        for line in self.world.network.lines:
            if line.host is self and line.at_page:
                line.leave()
        self.tab.page = None

    # --- what the session asks for ---

    def _make_id(self) -> str:
        made = f"{self.tab.name}-{self.number}-{next(self._ids)}"
        if self.saying is not None:
            self.saying.id = made
        return made

    async def _post_json(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        while self.tab.path is Path.STALLED:
            arrived = asyncio.Event()
            self.platform.call_at(self.platform.now().monotonic + 1.0, arrived.set)
            await arrived.wait()
        if self.tab.path is Path.REFUSED:
            raise OSError("connection refused")
        return *self.world.server.post(url, body, headers), None

    # --- what it shows ---

    def _look_at(self, timeline: Timeline) -> None:
        problem = wrong_with(timeline)
        if problem:
            self.world.problems.append(f"{self.tab.name}: {problem}")
        for entry in timeline.entries:
            if entry.own and entry.state is Delivery.SENT and entry.client_message_id:
                self.world.seen_as_sent.add(entry.client_message_id)


class PagePlatform(FakePlatform):
    """Responsible for the outside of one page among many: the same clock, the same network."""

    def __init__(self, page: Page) -> None:
        super().__init__(chance=0.1 + page.number % 9 / 10)
        self.clock = page.world.clock
        self._page_of = page

    def open_socket(self, url: str, listener: SocketListener) -> LineSocket:
        return self._page_of.world.network.open(self._page_of, url, listener)

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        """A timer that fires while the page runs, or when it runs again."""
        return PageTimer(self._page_of, when, callback)


class PageTimer(asyncio.Handle):
    """Responsible for one timer of a page, which may be cancelled after it was due and before the page runs again."""

    def __init__(self, page: Page, when: float, callback: Callable[[], None]) -> None:
        super().__init__(callback, (), page.world.loop, page.life.context.copy())
        self._timer = page.world.clock.call_at(when, lambda: page.world.loop.add(self))

    def cancel(self) -> None:
        super().cancel()
        self._timer.cancel()


def wrong_with(timeline: Timeline) -> str | None:
    """What is wrong with what a page shows, if anything is."""
    confirmed, entries = timeline.confirmed, timeline.entries
    seqs = [entry.seq for entry in confirmed]
    first = seqs[0] if seqs else 1
    if first is None or seqs != list(range(first, first + len(seqs))):
        return f"shows messages out of order, twice, or with a gap: {seqs}"
    ids = [entry.message_id for entry in confirmed]
    if len(set(ids)) != len(ids):
        return f"shows the same message twice: {ids}"
    names = [(entry.sender_id, entry.client_message_id) for entry in entries]
    if len(set(names)) != len(names):
        return f"shows the same message twice: {names}"
    if not all(entry.own for entry in timeline.pending):
        return "shows somebody else's message as not sent"
    return None
