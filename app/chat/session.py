"""The chat session: it passes actions of the person and frames of the server to the part that handles them.

Data moves in one circle: a frame comes to the session, the session changes the store, the views read the store, and
actions of the person come back here. Nothing in this file touches a socket or the DOM.

    Membership        joined rooms, catching up, gaps, history
    OutboxSender      messages that wait to be sent, also those of closed tabs of this person
    RoomCache         the rooms as an earlier page stored them
    PresenceTracker   who is in a room, who is typing
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from chat import article, protocol
from chat.cache import RoomCache
from chat.identity import Identity
from chat.joined_rooms import JoinedRooms
from chat.membership import Membership
from chat.one_event import EventScope, one_event
from chat.presence import PresenceTracker
from chat.protocol import (
    Ack,
    Batch,
    InvalidField,
    Message,
    Nack,
    Pong,
    Presence,
    Ready,
    SendMessage,
    TypingNotice,
)
from chat.room import Room
from chat.sending import OutboxSender, OutgoingMessage
from chat.store import ChatState, ChatStore, ConnectionInfo, Notice, NoticeKind
from chat.timeline import EMPTY, Delivery, Failure, Timeline
from kizuna.core.state import ConnectionState, Reason, ReasonKind
from kizuna.core.states import Status
from kizuna.delivery.outbox import OutboxFull
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.errors import ConnectionFailed
from kizuna.platform import Platform, TimerHandle
from kizuna.runtime.tasks import TaskSet
from kizuna.runtime.transport import LinkHandle
from kizuna.service import WebSocketService

logger = logging.getLogger("kizuna.chat")

#: Seconds that the connection waits at most for stored data: a browser may never answer.
RESTORE_TIMEOUT = 5.0
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
        self.scope = EventScope(store, self._show)
        self._service = service
        self._identity = identity
        self._platform = platform
        self._make_id = make_id
        self._cache = cache
        self._kizuna_wire = kizuna_wire
        self._rooms = JoinedRooms(None)
        self._membership = Membership(platform, service, self, kizuna_wire=kizuna_wire)
        self._sender = OutboxSender(service, platform, rows, self, kizuna_wire=kizuna_wire)
        self._presence = PresenceTracker(platform, self._membership.send, self.scope.mark_stale)
        self._tasks = TaskSet()
        self._restore_timer: TimerHandle | None = None  # ends the wait for stored data
        self._restored = asyncio.Event()  # set when the person's stored data is loaded
        self._notices = 0
        self._bad_frames = 0
        service.before_connected(self._prepare)
        service.on_message(self._on_frame)
        service.on_malformed_frame(self._on_bad_frame)
        service.subscribe(lambda state: state, self._on_connection)

    # --- actions of the person (ui.actions.Actions) ---

    @one_event
    def start(self) -> None:
        """Join under the remembered name, unless that person left on purpose."""
        name = self._identity.remembered_name
        self._change(suggested_name=name or "")
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
            self._notify(NoticeKind.NAME_REFUSED, problem=error.reason, **error.params)
            return
        name = self._identity.name or ""
        self._rooms = JoinedRooms(self._identity.user_id)
        self._rooms.enter(self._store.state.room_id, self._wall_ms())
        self._membership.use_rooms(self._rooms)
        self._change(name=name, suggested_name=name, user_id=self._identity.user_id)
        self._clear_notice(NoticeKind.NAME_REFUSED)
        self.scope.mark_stale()
        self._restored = restored = asyncio.Event()
        self._cancel_restore_timer()
        self._restore_timer = self._platform.call_at(
            self._platform.now().monotonic + RESTORE_TIMEOUT, restored.set
        )
        self._tasks.start(self._restore(self._identity.person_key, self._rooms, self._restored))
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
        self._cancel_restore_timer()
        self._sender.stop()
        self._cache.clear()
        self._rooms = JoinedRooms(None)
        self._membership.use_rooms(self._rooms)
        self._change(name=None, notice=None)
        if waiting:
            self._notify(NoticeKind.STILL_WAITING, count=waiting, name=name)
        self.scope.mark_stale()

    @one_event
    def follow_other_tabs(self) -> None:
        """Leave if this person has left in another tab. Call it when another tab may have changed something."""
        name = self._store.state.name
        if name is not None and self._identity.has_left:
            self._leave(remember=False)  # or it would undo a join in another tab since
            self._notify(NoticeKind.LEFT_ELSEWHERE, name=name)

    @one_event
    def enter_room(self, name: str) -> None:
        """Show another room. An invalid name gives a notice and changes nothing."""
        try:
            room_id = protocol.check_room("room", name)
        except InvalidField as error:
            self._notify(NoticeKind.ROOM_REFUSED, room=name, problem=error.reason, **error.params)
            return
        self._clear_notice(NoticeKind.ROOM_REFUSED)
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
        self._membership.reconcile()
        self.scope.mark_stale()

    async def send_message(self, text: str) -> bool:
        """Send ``text`` now or as soon as possible. Return once it is stored, so that a crash cannot lose it; False if
        it was refused, with a notice."""
        room_id, name, client_message_id = self._store.state.room_id, self._store.state.name, self._make_id()
        try:
            frame = SendMessage(
                client_message_id=client_message_id,
                room_id=room_id,
                content=protocol.check_content("message", text),
            )
            rooms = self._rooms
            await self._restored.wait()  # earlier messages first
            outgoing = OutgoingMessage(frame, self._wall_ms())
            if name is None or rooms is not self._rooms or not await self._sender.enqueue(outgoing):
                return False
        except InvalidField as error:
            self._notify(NoticeKind.MESSAGE_REFUSED, problem=error.reason, **error.params)
            return False
        except OutboxFull as error:
            self._notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
            return False
        self._on_enqueued(outgoing)
        return True

    @one_event
    def _on_enqueued(self, outgoing: OutgoingMessage) -> None:
        self._add_own(outgoing)
        self._presence.reset_typing(outgoing.frame.room_id)
        self._clear_notice(NoticeKind.MESSAGE_REFUSED)
        self.scope.mark_stale()
        self._sender.send_due()

    def notify_typing(self) -> None:
        """Notify the room that the person is typing; throttled."""
        if self._kizuna_wire and self._store.state.caught_up:
            self._presence.notify_typing(self._store.state.room_id)

    def try_now(self) -> None:
        """Start an attempt to connect at once."""
        self._service.try_now()

    def load_earlier(self) -> None:
        """Load the messages before the oldest one shown."""
        room = self._current_room
        if room is not None:
            self._membership.load_earlier(room)

    @one_event
    def retry(self, client_message_id: str) -> None:
        """Send a failed message again, under the same id."""
        try:
            self._sender.retry(client_message_id)
        except OutboxFull as error:
            self._notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
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
            self._notify(NoticeKind.MAY_HAVE_ARRIVED)
        self._rooms.discard(client_message_id)
        self.scope.mark_stale()
        self._sender.send_due()

    def show_notice(self, kind: NoticeKind, **params: str | int) -> None:
        """Show a notice, unless one of this kind is shown already."""
        notice = self._store.state.notice
        if notice is None or notice.kind is not kind:
            self._notify(kind, **params)

    @one_event
    def dismiss_notice(self) -> None:
        """Close the notice."""
        self._change(notice=None)

    # --- the connection ---

    async def _connect(self) -> None:
        with contextlib.suppress(ConnectionFailed):  # shown from the store's connection
            await self._service.connect()

    async def _prepare(self, link: LinkHandle) -> None:
        await self._restored.wait()  # so that hello requests only what came since
        if self._identity.user_id is not None:
            self._identify(self._identity.user_id)
        await self._membership.prepare(link)

    async def _restore(self, person: str, rooms: JoinedRooms, done: asyncio.Event) -> None:
        """Load the rooms and waiting messages that an earlier page stored."""
        try:
            if rooms is self._rooms:
                for cached in await self._cache.start_for(person):
                    room = rooms.reopen(cached.room_id, cached.entered_at)
                    if room is not None and cached.epoch is not None:
                        room.restore(cached.epoch, cached.messages, cached.seen)
            if rooms is self._rooms:
                self.scope.mark_stale()
                await self._sender.start_for(person)
        finally:
            done.set()
            if done is self._restored:
                self._cancel_restore_timer()

    def _cancel_restore_timer(self) -> None:
        if self._restore_timer is not None:
            self._restore_timer.cancel()
            self._restore_timer = None

    @one_event
    def _on_connection(self, state: ConnectionState) -> None:
        is_open = state.status in (Status.CONNECTED, Status.SUSPECT)
        before = self._store.state
        connection = ConnectionInfo(
            status=state.status,
            attempt=state.attempt,
            retry_at=state.retry_at,
            reason=self._reason(state.reason),
            last_connected_at=self._platform.now().wall if is_open else before.connection.last_connected_at,
        )
        if replace(connection, last_connected_at=before.connection.last_connected_at) != before.connection:
            self._change(connection=connection)
        self._store.set_connected(is_open)
        if not is_open and (before.is_connected or state.status is not Status.CONNECTING):
            self._membership.link_lost()
            self._presence.link_lost()
            self._sender.link_lost()
        if is_open:
            self._membership.link_ready(state.link)
            self._sender.send_due()
        self.scope.mark_stale()
        self._fill_screen()
        if state.status is Status.REJECTED and self._identity.is_refused:
            self.leave()
            self._notify(NoticeKind.NAME_REFUSED, problem=protocol.REFUSED)

    def _reason(self, reason: Reason | None) -> str | None:
        if reason is None:
            return None
        is_about_tokens = reason.kind in (ReasonKind.TOKEN_UNAVAILABLE, ReasonKind.UNAUTHORIZED)
        return (self._identity.problem if is_about_tokens else None) or reason.kind

    # --- frames ---

    @one_event
    def _on_frame(self, data: Mapping[str, Any]) -> None:
        try:
            if not self._kizuna_wire:
                data = article.complete_frame(data, self._room_of_echo(data))
            frame = protocol.parse_down(data)
        except protocol.ProtocolError as error:
            self._on_bad_frame(str(error))
            return
        match frame:
            case Message():
                self._on_message(frame)
            case Ack():
                self._on_ack(frame)
            case Nack():
                self._sender.reject(frame)
                self._sender.send_due()
            case Batch():
                self._membership.on_batch(frame)
                self._fill_screen()
                self._sender.send_due()
            case Ready():
                self._identify(frame.user_id)
            case Pong(heads=heads) if heads is not None:
                self._membership.on_heads(heads)
            case Presence() if frame.room_id in self._rooms:
                self._presence.on_presence(frame)
            case TypingNotice() if frame.room_id in self._rooms:
                self._presence.on_typing(frame, self._identity.user_id)
            case protocol.Error():
                self._on_error(frame)
            case protocol.GatewayError():
                logger.warning("the gateway could not serve a request: %s", frame.message)
                self._notify(NoticeKind.SERVER_ERROR)
            case _:  # bye is handled by the connection
                pass

    def _room_of_echo(self, data: Mapping[str, Any]) -> str:
        """Return the room of a frame without one: that with a pending message of this text, else the shown one."""
        for room in self._rooms:
            if any(entry.content == data.get("content") for entry in room.timeline.pending):
                return room.room_id
        return self._store.state.room_id

    def _on_message(self, message: Message) -> None:
        self.on_stored([message])
        self._presence.on_message(message)
        room = self._rooms.get(message.room_id)
        if room is not None:
            room.receive(message)
            self._membership.schedule_sync(room)
            self.on_room_changed(room)
        self._sender.send_due()

    def _on_ack(self, ack: Ack) -> None:
        self._sender.acknowledge(ack.client_message_id)
        self.on_delivery(ack.client_message_id, Delivery.SENT)
        room = self._rooms.get(ack.room_id)
        if room is not None:
            room.apply_ack(ack)
            self._membership.schedule_sync(room)
            self.on_room_changed(room)
        self._sender.send_due()

    def _on_error(self, error: protocol.Error) -> None:
        logger.warning("the server could not serve a request: %s (%s)", error.message, error.code)
        if not self._membership.on_error(error):
            self._notify(NoticeKind.SERVER_ERROR)

    @one_event
    def _on_bad_frame(self, problem: str) -> None:
        self._bad_frames += 1
        logger.warning("a frame from the server was ignored: %s", problem)
        self._notify(NoticeKind.BAD_FRAME, count=self._bad_frames)

    # --- MembershipListener ---

    @one_event
    def on_room_changed(self, room: Room) -> None:
        """Publish and cache a changed room."""
        self._cache.save_soon(room)
        self.scope.mark_stale()

    @one_event
    def on_progress(self) -> None:
        """Publish the progress of catching up and loading."""
        self.scope.mark_stale()

    @one_event
    def on_stored(self, messages: Iterable[Message]) -> None:
        """Mark own messages among those of the server as sent, with or without an ack."""
        for message in messages:
            if message.sender_id == self._identity.user_id:
                room = self._rooms.get(message.room_id)
                awaited = room.timeline.pending_for(message) if room is not None else None
                own = message.client_message_id or (awaited.client_message_id if awaited else None)
                self._sender.acknowledge(own)
                self.on_delivery(own or "", Delivery.SENT)  # its place may have to wait for others

    @one_event
    def on_history_restored(self, room: Room) -> None:
        """Tell that the room's history was replaced."""
        self._notify(NoticeKind.HISTORY_RESTORED)

    @one_event
    def on_room_closed(self, room: Room) -> None:
        """Tell that the person may not enter the room."""
        self._notify(NoticeKind.ROOM_CLOSED, room=room.room_id)

    # --- DeliveryListener ---

    @one_event
    def on_delivery(self, client_message_id: str, delivery: Delivery, failure: Failure | None = None) -> None:
        """Show the delivery state of an own message."""
        is_shown = self._rooms.mark(client_message_id, delivery, failure)
        if failure is not None and not is_shown:
            self._notify(NoticeKind.FAILED_UNSEEN)
        self.scope.mark_stale()

    @one_event
    def on_restored(self, messages: Iterable[OutgoingMessage]) -> None:
        """Show waiting messages of an earlier page or a closed tab."""
        for outgoing in messages:
            self._add_own(outgoing)
        self.scope.mark_stale()

    @one_event
    def on_taken_over(self, client_message_id: str) -> None:
        """Remove a message that another tab has taken over."""
        self._rooms.discard(client_message_id)
        self.scope.mark_stale()

    @one_event
    def on_pending_count(self, waiting: int) -> None:
        """Publish how many messages are not acknowledged yet."""
        self._change(waiting=waiting)

    @one_event
    def on_storage_failed(self) -> None:
        """Tell that the browser cannot store messages."""
        self._notify(NoticeKind.NOT_KEPT)

    # --- the store ---

    @property
    def _current_room(self) -> Room | None:
        return self._rooms.get(self._store.state.room_id)

    def _switch_room(self, room_id: str) -> None:
        if self._store.state.name is not None:
            _, left = self._rooms.enter(room_id, self._wall_ms())
            if left is not None:
                self._cache.forget(left.room_id)
            # They were hidden while the person was not in the room.
            for outgoing in self._sender.pending_in(room_id):
                self._add_own(outgoing)
        self._change(room_id=room_id)
        self._membership.reconcile()
        self.scope.mark_stale()
        self._fill_screen()

    def _add_own(self, outgoing: OutgoingMessage) -> None:
        """Add an own message to its room's timeline."""
        frame, name = outgoing.frame, self._store.state.name or ""
        room = self._rooms.get(frame.room_id)
        if room is None:
            return  # it is sent anyway
        if room.timeline.has_stored(frame.client_message_id):
            self._sender.acknowledge(frame.client_message_id)
            return
        room.timeline = room.timeline.add_own(frame.client_message_id, frame.content, name, outgoing.typed_at)
        if outgoing.failure is not None:
            room.timeline = room.timeline.mark(frame.client_message_id, Delivery.FAILED, outgoing.failure)

    def _identify(self, user_id: str) -> None:
        self._rooms.identify(user_id)
        self._identity.user_id = user_id
        self._change(user_id=user_id)
        self.scope.mark_stale()

    def _show(self) -> None:
        """Put the current room into the view state."""
        room = self._current_room
        if room is None:
            self._change(
                timeline=EMPTY, rooms=(), caught_up=False, catching_up=False, present=None, typing=()
            )
            return
        if room.mark_seen():
            self._cache.save_soon(room)
        self._change(
            timeline=room.timeline,
            rooms=self._rooms.summaries(),
            caught_up=self._membership.is_caught_up(room.room_id),
            catching_up=self._membership.is_catching_up(room.room_id),
            loading_earlier=self._membership.is_loading_earlier(room.room_id),
            present=self._presence.count(room.room_id),
            present_or_more=self._presence.has_more(room.room_id),
            typing=self._presence.typing_users(room.room_id),
        )

    def _fill_screen(self) -> None:
        """Load earlier messages if the newest page has only a few long ones."""
        room = self._current_room
        if (
            room is not None
            and len(room.timeline) < MIN_VISIBLE_MESSAGES
            and self._membership.is_caught_up(room.room_id)
        ):
            self._membership.load_earlier(room)

    def _clear_notice(self, kind: NoticeKind) -> None:
        """Clear the notice of this kind."""
        notice = self._store.state.notice
        if notice is not None and notice.kind is kind:
            self._change(notice=None)

    def _notify(self, kind: NoticeKind, **params: str | int) -> None:
        self._notices += 1
        self._change(notice=Notice(kind, self._notices, params))

    def _change(self, **parts: Any) -> None:
        def change(state: ChatState) -> ChatState:
            return (
                state
                if all(_is_unchanged(getattr(state, k), v) for k, v in parts.items())
                else replace(state, **parts)
            )

        self._store.update(change)

    def _wall_ms(self) -> int:
        return round(self._platform.now().wall * 1000)


def _is_unchanged(before: object, after: object) -> bool:
    """Return whether a value is unchanged. An unchanged timeline is the same object; comparing it would be slow."""
    return before is after or (not isinstance(after, Timeline) and before == after)
