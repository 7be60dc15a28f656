"""One page of the chat: a ChatSession with its service, platform, storage and locks."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chat.admission import Answer, Endpoints
from chat.cache import RoomCache
from chat.identity import Identity
from chat.read_marks import ReadMarks
from chat.session import ChatSession
from chat.store import ChatState, ChatStore
from chat.timeline import Delivery, Timeline
from kizuna.codec import JSON_OBJECTS
from kizuna.core.states import Status
from kizuna.delivery.fallback_storage import FallbackStorage
from kizuna.delivery.outbox_storage import TABLE, OutboxStorage
from kizuna.platform import SocketListener
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform
from tests.chat.session_harness import MemorySettings
from tests.simulation.browser_profile import BrowserProfile, PageLocks, PageStorage
from tests.simulation.loop import Lifetime
from tests.simulation.network import LinkSocket, Path
from tests.simulation.sent_messages import SentMessage

if TYPE_CHECKING:
    from tests.simulation.world import ChatWorld


@dataclass(slots=True)
class Tab:
    """A tab of a person's browser, with or without a page."""

    name: str
    person: str
    browser: BrowserProfile
    settings: MemorySettings = field(default_factory=MemorySettings)  #: kept over reloads of this tab
    path: Path = Path.GOOD
    page: ChatPage | None = None


class ChatPage:
    """One ChatSession and everything it needs."""

    def __init__(self, tab: Tab, number: int, world: ChatWorld) -> None:
        self.tab = tab
        self.number = number
        self.world = world
        self.owner = f"tab-{number}"  #: part of its rows' keys
        self.lifetime = Lifetime()
        self.was_in_back_forward_cache = False
        self.saying: SentMessage | None = None  #: the message that say() hands over
        self._ids = itertools.count(1)
        self.locks = PageLocks(tab.browser.held)
        self.storage = PageStorage(world.loop, tab.browser, self.lifetime)
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
            "ws://127.0.0.1/ws",
            identity.get_token,
            platform=self.platform,
            codec=JSON_OBJECTS,
            options=self.world.options,
        )
        fallback = FallbackStorage(self.storage, self._note_failed_storage)
        rows = OutboxStorage(fallback, self.locks, self.owner, self.tab.browser.settings)
        marks = ReadMarks(self.tab.browser.settings)
        cache = RoomCache(FallbackStorage(self.storage), marks, self.platform, lambda: not identity.has_left)
        self.session = ChatSession(
            self.store, self.service, identity, self.platform, self._make_id, rows, cache
        )
        self.session.start()

    # --- state ---

    @property
    def state(self) -> ChatState:
        return self.store.state

    @property
    def texts(self) -> list[str]:
        """The texts on the screen."""
        return [entry.content for entry in self.state.timeline.entries]

    @property
    def is_joined(self) -> bool:
        """Whether a person has joined."""
        return self.state.name is not None

    @property
    def is_settled(self) -> bool:
        """Whether it shows itself as connected and caught up, with nothing pending."""
        state = self.state
        return state.connection.status is Status.CONNECTED and state.caught_up and not state.waiting

    def problem_of_rows(self) -> str | None:
        """Compare the pending messages on the screen with the stored rows; None if they agree."""
        browser = self.tab.browser
        if self.lifetime.is_frozen or not self.is_joined or browser.storage.is_stuck or browser.was_broken:
            return None
        rows = browser.rows(TABLE)
        mine = [json.loads(text) for key, text in rows.items() if f"/{self.owner}/" in key]
        here = {row["id"] for row in mine if row["lane"] == self.state.room_id}
        hidden = here - {entry.client_message_id for entry in self.state.timeline.entries}
        if hidden:
            return f"will send what it does not show: {hidden}"
        pending = self.state.timeline.pending
        waiting = {entry.client_message_id for entry in pending if entry.state is not Delivery.SENT}
        forgotten = waiting - {key.split("/")[-1] for key in rows} - browser.drafts
        if forgotten and not self.was_in_back_forward_cache:  # else another page may have sent them meanwhile
            return f"shows as pending what no page will send: {forgotten}"
        return None

    # --- actions ---

    def run(self, act: Callable[..., object], *args: Any) -> None:
        """Run the page's code, unless its lifetime is over."""
        if not self.lifetime.is_over:
            self.world.loop.call_now(self.lifetime, act, *args)

    def say(self, said: SentMessage) -> None:
        """Send a text as the composer does."""

        def say() -> None:
            self.saying = said
            said.is_kept = self.session.send_message(said.text)
            self.saying = None

        self.run(say)

    def _note_failed_storage(self) -> None:
        """Note that what is being stored is in this page's memory only, and that the page says so."""
        for said in self.world.sent.said:
            if said.id in self.tab.browser.drafts:
                said.is_in_memory_only = True
                said.page = self.number

    def freeze(self, *, aside: bool) -> None:
        """Stop the page's code, in place or ``aside`` in the back/forward cache."""
        if self.lifetime.is_frozen:
            return
        self.run(self.platform.suspend)
        self.lifetime.is_frozen = True
        self.was_in_back_forward_cache = self.was_in_back_forward_cache or aside
        if aside:
            self.locks.end()
            self.world.sent.exempt_from_order(self.tab.person, self.number)

    def thaw(self) -> None:
        if self.lifetime.is_frozen:
            self.lifetime.is_frozen = False
            self.locks.take_again()
            self.world.loop.release()
            self.run(self.platform.resume)

    def die(self, *, loses: bool = False) -> None:
        """End without any event. ``loses``: writes that are not committed are lost too."""
        self.world.sent.note_page_closed(self.number)
        self.lifetime.is_over = True
        if loses:
            self.storage.drop()
        self.locks.end()
        for link in self.world.network.links:
            if link.host is self and link.at_page:
                link.leave()
        self.tab.page = None

    # --- for the session ---

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

    # --- checks of the screen ---

    def _look_at(self, timeline: Timeline) -> None:
        problem = problem_of(timeline)
        if problem:
            self.world.problems.append(f"{self.tab.name}: {problem}")
        for entry in timeline.entries:
            if entry.own and entry.state is Delivery.SENT and entry.client_message_id:
                self.world.shown_as_sent.add(entry.client_message_id)


class PagePlatform(FakePlatform):
    """The platform of one page, on the clock and network of all."""

    def __init__(self, page: ChatPage) -> None:
        super().__init__(chance=0.1 + page.number % 9 / 10)
        self.clock = page.world.clock
        self._page_of = page

    def open_socket(self, url: str, listener: SocketListener, protocols: Sequence[str] = ()) -> LinkSocket:
        return self._page_of.world.network.open(self._page_of, url, listener)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back in a turn of the loop that belongs to the page."""
        self._page_of.world.loop.call_soon(callback)

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        """Return a timer that fires while the page runs, or when it runs again."""
        return PageTimer(self._page_of, when, callback)


class PageTimer(asyncio.Handle):
    """A timer, which may be cancelled after it was due and before its page runs again."""

    def __init__(self, page: ChatPage, when: float, callback: Callable[[], None]) -> None:
        super().__init__(callback, (), page.world.loop, page.lifetime.context.copy())
        self._timer = page.world.clock.call_at(when, lambda: page.world.loop.add(self))

    def cancel(self) -> None:
        super().cancel()
        self._timer.cancel()


def problem_of(timeline: Timeline) -> str | None:
    """Check that a timeline has no gaps, duplicates or disorder; None if it has none."""
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
        return "shows another person's message as pending"
    return None
