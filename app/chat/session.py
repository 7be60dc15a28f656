"""The chat session: it passes actions of the person and frames of the server to the part that handles them.

Data moves in one circle: a frame comes to the session, the session changes the store, the views read the store, and
actions of the person come back here. Nothing in this file touches a socket or the DOM. The parts never call the
session: they return what changed, and the session applies it.

    DeliveryEngine    each message once and in order: catching up, gaps, history, and what waits to be sent
    RoomCache         the rooms as an earlier page stored them
    PresenceTracker   who is in a room, who is typing
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from chat import article, protocol
from chat.cache import CachedRoom, RoomCache
from chat.identity import Identity
from chat.joined_rooms import JoinedRooms
from chat.one_event import EventScope, one_event
from chat.own_messages import is_message, message_to_send
from chat.presence import PresenceTracker
from chat.protocol import Ack, InvalidField, Message, Presence, Ready, SendMessage, TypingNotice
from chat.restore_wait import RestoreWait
from chat.room import Room
from chat.store import ChatStore, NoticeKind
from chat.timeline import Delivery
from kizuna import ConnectionFailed, ConnectionState, LinkHandle, Platform, Status, WebSocketService
from kizuna.delivery import (
    Changes,
    Closed,
    DeliveryEngine,
    DeliveryStatistics,
    Earlier,
    Items,
    NewPage,
    OutboxFull,
    OutboxStorage,
    PendingMessage,
    Progress,
    RequestFailed,
    Reset,
    Restored,
    SendState,
    Stored,
    TaskSet,
)

logger = logging.getLogger("kizuna.chat")

#: Earlier messages are loaded until a room shows so many: a page of long messages has few.
MIN_VISIBLE_MESSAGES = 30


class ChatSession:
    """One person's chat: the actions of the views, and the frames of the server.

    ``make_id`` returns a new client message id, unique among all pages. ``rows`` and ``cache`` store what outlives the
    page. ``kizuna_wire``: the server uses the wire "kizuna"; the article's server has no acks, catching up or requests.
    """

    def __init__(
        self,
        store: ChatStore,
        service: WebSocketService,
        identity: Identity,
        platform: Platform,
        make_id: Callable[[], str],
        rows: OutboxStorage,
        cache: RoomCache,
        *,
        kizuna_wire: bool = True,
    ) -> None:
        self._store = store
        self.scope = EventScope(store, platform, self._apply, self._end_event)
        self._service = service
        self._identity = identity
        self._platform = platform
        self._make_id = make_id
        self._cache = cache
        self._rows = rows
        self._kizuna_wire = kizuna_wire
        self._delivery: DeliveryEngine[Message, Ack] = DeliveryEngine(
            platform.now,
            service,
            rows,
            self.scope,
            acknowledges=kizuna_wire,
            is_item=lambda ack: not ack.deleted,  # what replaces a deleted one arrives as a message
            is_own=lambda message: message.sender_id == identity.user_id,
            is_valid=is_message,
        )
        self._channels, self._sender = self._delivery.catch_up, self._delivery.sender
        self._rooms = self._no_rooms()
        self._shown: Room | None = None
        self._presence = PresenceTracker(platform, self.scope, self._channels.send)
        self._tasks = TaskSet()
        self._wait: RestoreWait | None = None  # for the stored data of the person
        self._was_connected = False  # since the person has joined
        self._is_reading = True  # whether the person sees the end of the shown room
        self._bad_frames = 0
        service.run_slices_in(self.scope.run)
        service.before_connected(self._prepare)
        service.on_message(self._on_frame)
        service.on_malformed_frame(self._on_bad_frame)
        service.subscribe(lambda state: state, self._on_connection)

    # --- actions of the person (ui.actions.Actions) ---

    @one_event
    def start(self) -> None:
        """Join under the remembered name, unless that person left on purpose."""
        name = self._identity.remembered_name
        self._store.change(suggested_name=name or "")
        if self._identity.has_left:
            person = self._identity.left_person_key
            if person is not None:
                self._tasks.start(self._cache.delete(person))  # in case an earlier page could not
            self._service.disconnect()
        elif name is not None:
            self.join(name)

    @one_event
    def join(self, name: str) -> None:
        """Join under ``name`` and connect. An invalid name gives a notice."""
        if self._store.state.name is not None:
            return  # a double click, for example
        try:
            self._identity.join(name)
        except InvalidField as error:
            self._store.notify(NoticeKind.NAME_REFUSED, problem=error.reason, **error.params)
            return
        name = self._identity.name or ""
        self._rooms = JoinedRooms(self._identity.user_id, self._channels, has_history=self._kizuna_wire)
        self._rooms.enter(self._store.state.room_id, self._wall_ms())
        self._was_connected = False
        self._store.change(name=name, suggested_name=name, user_id=self._identity.user_id)
        self._store.clear_notice(NoticeKind.NAME_REFUSED)
        wait = self._wait = RestoreWait(self._platform)
        self._tasks.start(self._restore(self._identity.person_key, self._rooms, wait))
        self._tasks.start(self._connect())

    @one_event
    def leave(self) -> None:
        """Disconnect on purpose and delete the cached rooms. The page stays disconnected until join(), across reloads
        too. Waiting messages stay stored for their author."""
        self._leave(remember=True)

    def _leave(self, *, remember: bool) -> None:
        waiting, name = self._store.state.waiting, self._store.state.name or ""
        self._identity.leave(remember=remember)
        self._service.disconnect()
        if self._wait is not None:
            self._wait.cancel()
        self._sender.stop()
        self._cache.clear()
        self._rooms = self._no_rooms()
        self._store.change(name=None, notice=None)
        if waiting:
            self._store.notify(NoticeKind.STILL_WAITING, count=waiting, name=name)

    @one_event
    def rename(self, name: str) -> None:
        """Give the person another name, and connect again with it. An invalid name gives a notice."""
        if self._store.state.name is None:
            return
        try:
            name = self._identity.rename(name)
        except InvalidField as error:
            self._store.notify(NoticeKind.RENAME_REFUSED, problem=error.reason, **error.params)
            return
        self._store.clear_notice(NoticeKind.RENAME_REFUSED)
        if name != self._store.state.name:
            self._store.change(name=name, suggested_name=name)
            self._service.disconnect()
            self._tasks.start(self._connect())

    @one_event
    def forget(self) -> None:
        """Leave, and delete all that this browser has stored of the person, their waiting messages included."""
        self._leave(remember=False)
        self._store.change(notice=None, suggested_name="", user_id=None)
        self._identity.forget()
        self._tasks.start(self._rows.delete_all(self._identity.person_key))

    @one_event
    def follow_other_tabs(self) -> None:
        """Leave if this person has left in another tab, and note what they have read in others. Call it when another
        tab may have changed something."""
        name = self._store.state.name
        if name is not None and self._identity.is_forgotten:
            self.forget()
        elif name is not None and self._identity.has_left:
            self._leave(remember=False)  # or it would undo a join in another tab since
            self._store.notify(NoticeKind.LEFT_ELSEWHERE, name=name)
        self._rooms.mark_read(self._cache.read_marks())

    @one_event
    def enter_room(self, name: str) -> None:
        """Show another room. An invalid name gives a notice and changes nothing."""
        try:
            room_id = protocol.check_room("room", name)
        except InvalidField as error:
            self._store.notify(NoticeKind.ROOM_REFUSED, room=name, problem=error.reason, **error.params)
            return
        self._store.clear_notice(NoticeKind.ROOM_REFUSED)
        if room_id != self._store.state.room_id:
            self._switch_room(room_id)

    @one_event
    def leave_room(self, name: str) -> None:
        """Leave a room and delete its cache. Messages that wait to be sent there are sent."""
        next_room = self._rooms.leave(name)
        if next_room is None:
            return
        self._cache.forget(name)
        self._presence.forget(name)
        if name == self._store.state.room_id:
            self._switch_room(next_room.room_id)
        self._channels.reconcile()

    @one_event
    def send_message(self, text: str) -> bool:
        """Show ``text`` as queued, and send it as soon as possible. It is kept at once, so that a crash loses nothing.
        Return False if it was refused, with a notice."""
        room_id, rooms, wait = self._store.state.room_id, self._rooms, self._wait
        if self._store.state.name is None or wait is None:
            return False
        try:
            content = protocol.check_content("message", text)
            frame = SendMessage(client_message_id=self._make_id(), room_id=room_id, content=content)
            person = self._identity.person_key
            draft = self._sender.keep(person, message_to_send(frame, self._wall_ms()))
        except InvalidField as error:
            self._store.notify(NoticeKind.MESSAGE_REFUSED, problem=error.reason, **error.params)
            return False
        except OutboxFull as error:
            self._store.notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
            return False
        self._add_own(draft)
        self._presence.reset_typing(room_id)
        self._store.clear_notice(NoticeKind.MESSAGE_REFUSED)
        self._tasks.start(self._store_draft(person, draft, rooms, wait))
        return True

    async def _store_draft(
        self, person: str, draft: PendingMessage, rooms: JoinedRooms, wait: RestoreWait
    ) -> None:
        await wait.restored()  # earlier messages first, however long their storage takes
        stored = await self._sender.store(person, draft)
        if stored is None:
            self.scope.run(rooms.discard, draft.id)
        elif stored.failure is not None or rooms is not self._rooms:
            self.scope.run(self._add_own, stored)
        self._sender.send_due()

    def notify_typing(self) -> None:
        """Notify the room that the person is typing; throttled."""
        if self._kizuna_wire and self._store.state.caught_up:
            self._presence.notify_typing(self._store.state.room_id)

    def try_now(self) -> None:
        """Start an attempt to connect at once."""
        self._service.try_now()

    @one_event
    def set_reading(self, is_reading: bool) -> None:
        """Say whether the person sees the end of the shown room: then what arrives there is read."""
        self._is_reading = is_reading

    @one_event
    def set_place(self, *, follows: bool, holds_focus: bool) -> None:
        """Say whether the list follows its end, and whether one of its messages has the focus."""
        room = self._current_room
        if room is not None:
            room.log.set_place(follows=follows, holds_focus=holds_focus)

    @one_event
    def show_earlier(self) -> None:
        """Show messages before those on the page, requested from the server if necessary."""
        room = self._current_room
        if room is not None and not room.log.show_earlier():
            self._load_earlier(room)

    @one_event
    def show_from(self, key: str) -> None:
        """Show messages from this one on."""
        room = self._current_room
        if room is not None:
            room.log.show_from(key)

    @one_event
    def show_later(self) -> None:
        """Show messages after those on the page."""
        room = self._current_room
        if room is not None:
            room.log.show_later()

    @one_event
    def show_latest(self) -> None:
        """Show the newest messages."""
        room = self._current_room
        if room is not None:
            room.log.show_latest()

    @one_event
    def retry(self, client_message_id: str) -> None:
        """Send a failed message again, under the same id."""
        try:
            self._apply(self._sender.retry(client_message_id))
        except OutboxFull as error:
            self._store.notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
        self._sender.send_due()

    @one_event
    def retry_all(self) -> None:
        """Send every failed message of the shown room again, in the order typed."""
        for entry in self._store.state.timeline.failed:
            self.retry(entry.client_message_id or "")

    @one_event
    def discard(self, client_message_id: str) -> None:
        """Delete a message that is not acknowledged. If it was sent already, a notice says that it may have arrived."""
        if self._sender.discard(client_message_id):
            self._store.notify(NoticeKind.MAY_HAVE_ARRIVED)
        self._rooms.discard(client_message_id)
        self._sender.send_due()

    @one_event
    def show_notice(self, kind: NoticeKind, /, **params: str | int) -> None:
        """Show a notice, unless one of this kind is shown already."""
        notice = self._store.state.notice
        if notice is None or notice.kind is not kind:
            self._store.notify(kind, **params)

    @one_event
    def dismiss_notice(self) -> None:
        """Close the notice."""
        self._store.change(notice=None)

    def statistics(self) -> DeliveryStatistics:
        """Return the numbers of messages since the page opened."""
        return self._delivery.statistics()

    # --- the connection ---

    async def _connect(self) -> None:
        with contextlib.suppress(ConnectionFailed):  # shown from the store's connection
            await self._service.connect()

    async def _prepare(self, link: LinkHandle) -> None:
        if self._wait is not None:
            await self._wait.may_connect()  # so that hello requests only what came since
        await self._catch_up(link)

    @one_event
    def _catch_up(self, link: LinkHandle) -> Coroutine[Any, Any, None]:
        if self._identity.user_id is not None:
            self._identify(self._identity.user_id)
        return self._delivery.prepare(link)

    async def _restore(self, person: str, rooms: JoinedRooms, wait: RestoreWait) -> None:
        """Load the rooms and waiting messages that an earlier page stored."""
        try:
            if rooms is self._rooms:
                self._on_cached(await self._cache.start_for(person), rooms)
            if rooms is self._rooms:
                self.scope.run(self._apply, await self._sender.start_for(person))
        finally:
            wait.end()

    @one_event
    def _on_cached(self, cached_rooms: list[CachedRoom], rooms: JoinedRooms) -> None:
        if rooms is not self._rooms:  # they left meanwhile: the channels are another person's
            return
        rooms.restore(cached_rooms)
        self._rooms.mark_read(self._cache.read_marks())

    @one_event
    def _on_connection(self, state: ConnectionState) -> None:
        is_open, before = state.is_connected, self._store.state
        self._was_connected = self._was_connected or is_open
        self._store.change(
            connection=state,
            last_connected_at=self._platform.now().wall if is_open else before.last_connected_at,
            token_problem=self._identity.problem,
            received=self._rooms.received,
        )
        self._store.set_connected(is_open)
        if before.is_connected and not is_open:
            self._store.change(losses=before.losses + 1)
            self._rooms.begin_gaps(before.losses + 1, self._wall_ms())
        elif is_open and not before.is_connected:
            self._rooms.end_gaps(self._wall_ms())
        if not is_open and (before.is_connected or state.status is not Status.CONNECTING):
            self._presence.link_lost()
            self._apply(self._delivery.link_lost())
        if is_open:
            self._apply(self._delivery.link_ready(state.link))
        self._fill_screen()
        if state.status is Status.REJECTED and self._identity.is_refused:
            self.leave()
            self._store.notify(NoticeKind.NAME_REFUSED, problem=protocol.REFUSED)

    # --- frames ---

    @one_event
    def _on_frame(self, data: Mapping[str, Any]) -> None:
        try:
            if not self._kizuna_wire:
                data = article.complete_frame(data, self._rooms, self._store.state.room_id)
            frame = protocol.parse_down(data)
        except protocol.ProtocolError as error:
            self._on_bad_frame(str(error))
            return
        if isinstance(frame, Message):
            self._presence.on_message(frame)
        self._apply(self._delivery.receive(frame))
        match frame:
            case protocol.Batch():
                self._rooms.mark_read(self._cache.read_marks())
                self._fill_screen()
            case Ready():
                self._identify(frame.user_id)
            case Presence() if frame.room_id in self._rooms:
                self._presence.on_presence(frame)
            case TypingNotice() if frame.room_id in self._rooms:
                self._presence.on_typing(frame, self._identity.user_id)
            case protocol.Error():
                logger.warning("the server could not serve a request: %s (%s)", frame.message, frame.code)
            case protocol.GatewayError():
                logger.warning("the gateway could not serve a request: %s", frame.message)
                self._store.notify(NoticeKind.SERVER_ERROR)

    @one_event
    def _on_bad_frame(self, problem: str) -> None:
        self._bad_frames += 1
        logger.warning("a frame from the server was ignored: %s", problem)
        self._store.notify(NoticeKind.BAD_FRAME, count=self._bad_frames)

    # --- what the parts report ---

    def _apply(self, changes: Changes) -> None:
        for change in changes:
            match change:
                case Items() | NewPage() | Earlier() | Stored():
                    self._on_channel(change)
                case Progress(message, SendState.TAKEN_OVER):
                    self._rooms.discard(message.id)
                case Progress(message, state):
                    self._on_progress(message, Delivery(state))
                case Restored(pending):
                    for own in (*pending, *self._sender.drafts):
                        self._rooms.discard(own.id)  # earlier messages go before those written meanwhile
                        self._add_own(own)
                    self._sender.send_due()
                case Closed(channel):
                    self._store.notify(NoticeKind.ROOM_CLOSED, room=channel)
                case RequestFailed():
                    self._store.notify(NoticeKind.SERVER_ERROR)
        for change in changes:
            if isinstance(change, NewPage) and (room := self._rooms.get(change.channel)) is not None:
                room.end_page()

    def _on_channel(self, change: Items[Message | Ack] | NewPage | Earlier[Message] | Stored) -> None:
        room = self._rooms.get(change.channel)
        if room is None:
            return
        match change:
            case Items():
                room.place(change) if self._kizuna_wire else self._place_echoes(room, change)
            case NewPage():
                room.begin_page(change)
                if isinstance(change, Reset):
                    self._cache.forget_mark(room.room_id)
                    self._store.notify(NoticeKind.HISTORY_RESTORED)
            case Earlier():
                room.prepend(change)
            case Stored():
                room.mark_stored(change)
        self._cache.save_soon(room)

    def _place_echoes(self, room: Room, change: Items[Message | Ack]) -> None:
        add = self._store.add_message if room is self._shown else room.log.add
        for own in article.place_echoes(room, change.items, add):
            self._sender.acknowledge(own)
            self._apply(self._sender.send_due())

    def _on_progress(self, message: PendingMessage, state: Delivery) -> None:
        room = self._rooms.get(message.channel)
        if room is not None and room.log.own(message.id) is not None:
            room.log.mark(message.id, state, message.failure)
        elif message.failure is not None:
            self._store.notify(NoticeKind.FAILED_UNSEEN)

    @one_event
    def on_storage_failed(self) -> None:
        """Tell that the browser cannot store messages."""
        self._store.notify(NoticeKind.NOT_KEPT)

    # --- the store ---

    @property
    def _current_room(self) -> Room | None:
        return self._rooms.get(self._store.state.room_id)

    def _switch_room(self, room_id: str) -> None:
        if self._store.state.name is not None:
            room, left = self._rooms.enter(room_id, self._wall_ms())
            self._cache.save_soon(room)
            if left is not None:
                self._cache.forget(left.room_id)
            # They were hidden while the person was not in the room.
            for message in self._sender.pending_in(room_id):
                self._add_own(message)
        self._store.change(room_id=room_id)
        self._channels.reconcile()
        self._fill_screen()

    def _add_own(self, message: PendingMessage) -> None:
        """Add an own message to its room's timeline."""
        room = self._rooms.get(message.channel)
        if room is None:
            return  # it is sent anyway
        if room.log.has_stored(message.id):
            self._sender.acknowledge(message.id)
            return
        name = self._store.state.name or ""
        room.log.add_own(message.id, message.data["content"], name, message.meta["typed_at"])
        if message.failure is not None:
            room.log.mark(message.id, Delivery.FAILED, message.failure)

    def _end_event(self) -> None:
        """Mark the shown room as read if the person sees its end, and publish the state."""
        room = self._current_room
        if room is not self._shown:
            self._switch_shown(room)
        if room is not None and not self._was_connected and room.unread_from is None:
            room.begin_visit()  # the page was opened
        if room is not None and self._is_reading and not room.log.has_later and room.mark_read():
            self._cache.save_soon(room)
        self._show(room)

    def _switch_shown(self, room: Room | None) -> None:
        if self._shown is not None:
            self._shown.log.hide()
        self._shown = room
        if room is not None:
            room.log.show()
            room.begin_visit()

    def _identify(self, user_id: str) -> None:
        self._rooms.identify(user_id)
        self._identity.user_id = user_id
        self._store.change(user_id=user_id)

    def _show(self, room: Room | None) -> None:
        """Put the current room into the view state."""
        waiting = self._sender.waiting
        if room is None:
            self._store.show_no_room(waiting=waiting)
            return
        room_id = room.room_id
        self._store.show(
            room.log,
            rooms=self._rooms.summaries(),
            first_unread=room.first_unread,
            unread_from=room.unread_from,
            gaps=tuple(room.gaps),
            waiting=waiting,
            **self._channels.status(room_id)._asdict(),
            **self._presence.of_room(room_id)._asdict(),
        )

    def _fill_screen(self) -> None:
        """Load earlier messages if the newest page has only a few long ones."""
        room = self._current_room
        if room is None or len(room.log) >= MIN_VISIBLE_MESSAGES:
            return
        if self._channels.status(room.room_id).caught_up:
            self._load_earlier(room)

    def _load_earlier(self, room: Room) -> None:
        if room.has_earlier:
            self._channels.load_earlier(room.room_id, room.oldest)

    def _no_rooms(self) -> JoinedRooms:
        return JoinedRooms(None, self._channels, has_history=self._kizuna_wire)

    def _wall_ms(self) -> int:
        return round(self._platform.now().wall * 1000)
