"""The page: its views, and the state that each one draws."""

from __future__ import annotations

from collections.abc import Callable

import js

from chat.diagnosis import Diagnosis
from chat.preferences import Preferences
from chat.store import ChatStore
from kizuna.testing import FaultPlatform
from ui.actions import Actions
from ui.composer.files import FileGuard
from ui.composer.unsent_view import UnsentView
from ui.composer.view import ComposerView
from ui.connection.outage import Outage
from ui.connection.view import ConnectionView
from ui.kit.animation_frames import AnimationFrames
from ui.kit.dom import Listeners, by_id, fill
from ui.kit.formats import Formats
from ui.kit.render import RenderScheduler, View
from ui.kit.texts import Texts
from ui.messages.copying import MessageCopier
from ui.messages.keyboard import MessageKeys
from ui.messages.view import MessagesView
from ui.rooms.address import DEFAULT_ROOM, address_of, room_of
from ui.rooms.presence_view import PresenceView
from ui.rooms.view import RoomsView
from ui.shell.announcer_view import AnnouncerView
from ui.shell.document_view import DocumentView
from ui.shell.inspector_button import InspectorButton, Panel
from ui.shell.menu_view import MenuView
from ui.shell.notice_view import NoticeView
from ui.shell.notifier_view import NotifierView
from ui.shell.screen_view import ScreenView
from ui.shell.tab_icon_view import TabIconView


class Page:
    """The composition of the views. Each is drawn when its part of the state changes."""

    def __init__(
        self,
        store: ChatStore,
        actions: Actions,
        texts: Texts,
        now: Callable[[], float],
        preferences: Preferences,
        diagnosis: Diagnosis,
        faults: FaultPlatform,
    ) -> None:
        """``now``: monotonic seconds, on the clock of ``ConnectionState.retry_at``."""
        self._store = store
        self._actions = actions
        self._diagnosis = diagnosis
        self._faults = faults
        self._texts = texts
        self._now = now
        self._preferences = preferences
        self._closers: list[Callable[[], None]] = []
        self._outage = Outage()
        self._seen_views: tuple[View, ...] = ()  #: those that depend on whether the page is visible

    def open(self) -> None:
        """Show the page. The room in the address is entered before the first draw."""
        fill(js.document, self._texts)
        listeners = Listeners()
        self._scheduler = RenderScheduler(AnimationFrames(), lambda: self._store.state, self._now)
        self._closers += [self._scheduler.close, listeners.close]
        self._enter_room()
        self._make_views(listeners)
        self._closers.append(self._store.subscribe(lambda s: s.room_id, lambda _: self._follow_room()))
        listeners.on(js.window, "hashchange", lambda _: self._enter_room())
        listeners.on(by_id("skip"), "click", self._skip)
        listeners.on(js.document, "visibilitychange", lambda _: self._visibility_changed())
        # A page in the back/forward cache has missed the events of other tabs.
        for event in ("storage", "pageshow"):
            listeners.on(js.window, event, lambda _: self._actions.follow_other_tabs())
        js.document.documentElement.setAttribute("data-page", "live")

    def close(self) -> None:
        """Remove every listener, timer and proxy."""
        for close in reversed(self._closers):
            close()
        self._closers.clear()

    def _make_views(self, listeners: Listeners) -> None:
        actions, texts, outage, scheduler = self._actions, self._texts, self._outage, self._scheduler
        formats = Formats(texts)
        document = DocumentView(self._store, texts, outage)
        messages = MessagesView(actions, texts, formats, outage.shown_gaps, scheduler, listeners)
        composer = ComposerView(self._store, actions, texts, self._preferences, scheduler, listeners)
        MessageKeys(
            by_id("messages"), by_id("rows"), listeners, leave=composer.focus, focus_end=messages.focus_end
        )
        MessageCopier(by_id("rows"), listeners)
        FileGuard(actions, listeners)
        self._closers.append(InspectorButton(self._open_inspector, listeners).close)
        self._closers += [document.close, messages.close, composer.close]
        connection = ConnectionView(actions, texts, formats, outage, scheduler, listeners)
        announcer = AnnouncerView(texts, formats, outage)
        notifier = NotifierView(texts, self._preferences, listeners)
        self._seen_views = (connection, document, messages, announcer, notifier)
        for view in (
            ScreenView(actions, texts, listeners),
            MenuView(actions, texts, self._preferences, listeners),
            connection,
            document,
            TabIconView(outage),
            notifier,
            RoomsView(actions, texts, listeners, composer.focus),
            PresenceView(texts),
            NoticeView(actions, texts, listeners),
            composer,
            UnsentView(actions, texts, listeners, composer.focus),
            messages,
            announcer,
        ):
            scheduler.add(view)
        self._closers.append(self._store.subscribe(lambda state: state, scheduler.update))

    def _open_inspector(self, close: Callable[[], None]) -> Panel:
        from ui.inspector.view import InspectorView  # few open it, and no start waits for it

        return InspectorView(
            self._texts, self._scheduler, self._store, self._actions, self._diagnosis, self._faults, close
        )

    def _enter_room(self) -> None:
        room_id = room_of(js.location.hash) or self._store.state.room_id or DEFAULT_ROOM
        self._actions.enter_room(room_id)
        self._follow_room()

    def _follow_room(self) -> None:
        """Write the shown room into the address, without a new history entry."""
        room_id = self._store.state.room_id
        if room_of(js.location.hash) != room_id:
            js.history.replaceState(None, "", address_of(room_id))

    def _skip(self, event: js.Event) -> None:
        """Focus the field without changing the address, which names the room."""
        event.preventDefault()
        by_id("composer-text").focus()

    def _visibility_changed(self) -> None:
        if not js.document.hidden:
            self._outage.page_shown(self._now())
            self._actions.follow_other_tabs()  # a frozen page has missed their events
        for view in self._seen_views:
            self._scheduler.mark(view)
