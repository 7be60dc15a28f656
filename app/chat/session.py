"""The chat itself: what a person does, and what a frame means, each given to the part whose work it is.

Data moves in one circle: a frame comes to the session, the session changes the store, the views read the store,
and what a person does comes back here. Nothing in this file touches a socket or the DOM.

    Membership   which rooms the link is in, catching up, gaps, history
    OutboxSender      what waits to be sent, and what another tab of this person left
    RoomCache    what an earlier page knew
    Company      who else is here, who is writing
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

#: Seconds that the connection waits at most for what an earlier page kept: a browser may never answer.
RESTORE_TIMEOUT = 5.0
#: A room whose newest page is short (long messages fill a frame) is filled up to this many messages.
MIN_VISIBLE_MESSAGES = 30


class ChatSession:
    """Responsible for one person's chat: the actions of the views, and the frames of the server.

    ``make_id`` draws a new client message id, different at every call on every page of the world. ``rows`` and
    ``cache`` hold what outlives the page. ``answers``: the server speaks wire "kizuna"; the article's has no word for
    acknowledging, catching up or asking.
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
        self._service = service
        self._identity = identity
        self._platform = platform
        self._make_id = make_id
        self._cache = cache
        self._kizuna_wire = kizuna_wire
        self._rooms = JoinedRooms(None)
        self._membership = Membership(platform, service, self, kizuna_wire=kizuna_wire)
        self._sender = OutboxSender(service, platform, rows, self, kizuna_wire=kizuna_wire)
        self._presence = PresenceTracker(platform, self._membership.send, self._publish)
        self._tasks = TaskSet()
        self._restore_timer: TimerHandle | None = None  # ends the wait for what was kept
        self._restored = asyncio.Event()  # set when what was kept of the person of the moment is here
        self._notices = 0
        self._bad_frames = 0
        service.before_connected(self._prepare)
        service.on_message(self._on_frame)
        service.on_malformed_frame(self._on_bad_frame)
        service.subscribe(lambda state: state, self._on_connection)

    # --- what a person does (ui.actions.Actions) ---

    def start(self) -> None:
        """Join by itself where a name is remembered. Who left on purpose stays away, and is told so."""
        name = self._identity.remembered_name
        self._change(suggested_name=name or "")
        if self._identity.has_left:
            person = self._identity.left_person_key
            if person is not None:
                self._tasks.start(self._cache.delete(person))  # the page may have been closed before all was
            self._service.disconnect()
        elif name is not None:
            self.join(name)

    def join(self, name: str) -> None:
        """Enter under ``name`` and connect. A name that cannot be shown gives a notice."""
        if self._store.state.name is not None:
            return  # a double click, or two wishes at once
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
        self._publish()
        self._restored = restored = asyncio.Event()
        self._cancel_restore_timer()
        self._restore_timer = self._platform.call_at(
            self._platform.now().monotonic + RESTORE_TIMEOUT, restored.set
        )
        self._tasks.start(self._restore(self._identity.person_key, self._rooms, self._restored))
        self._tasks.start(self._connect())

    def leave(self) -> None:
        """Sign out: close on purpose, keep nothing that was said; nothing comes back, also after a reload, until
        join(). What waits to be sent stays, for nobody but its author."""
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
        self._publish()

    def follow_other_tabs(self) -> None:
        """Leave, if this person has left in another tab. To be called when other tabs may have done something."""
        name = self._store.state.name
        if name is not None and self._identity.has_left:
            self._leave(remember=False)  # it is: who has joined again by now would be thrown out by it
            self._notify(NoticeKind.LEFT_ELSEWHERE, name=name)

    def enter_room(self, name: str) -> None:
        """Go to another room. A name that no room can have gives a notice and changes nothing."""
        try:
            room_id = protocol.check_room("room", name)
        except InvalidField as error:
            self._notify(NoticeKind.ROOM_REFUSED, room=name, problem=error.reason, **error.params)
            return
        self._clear_notice(NoticeKind.ROOM_REFUSED)
        if room_id != self._store.state.room_id:
            self._switch_room(room_id)

    def leave_room(self, name: str) -> None:
        """Be in this room no longer, and forget what was said there. What waits to be sent there is sent."""
        next_room = self._rooms.leave(name)
        if next_room is None:
            return
        self._cache.forget(name)
        self._presence.forget(name)
        if name == self._store.state.room_id:
            self._switch_room(next_room.room_id)
        self._membership.reconcile()
        self._publish()

    async def send_message(self, text: str) -> bool:
        """Send ``text``, now or as soon as it can be. Returns once it is kept: not even a crash loses it then.
        False: it was refused, a notice says why, the text stays with the person."""
        room_id, name, client_message_id = self._store.state.room_id, self._store.state.name, self._make_id()
        try:
            frame = SendMessage(
                client_message_id=client_message_id,
                room_id=room_id,
                content=protocol.check_content("message", text),
            )
            rooms = self._rooms
            await self._restored.wait()  # what was said before comes before
            outgoing = OutgoingMessage(frame, self._wall_ms())
            if name is None or rooms is not self._rooms or not await self._sender.enqueue(outgoing):
                return False
        except InvalidField as error:
            self._notify(NoticeKind.MESSAGE_REFUSED, problem=error.reason, **error.params)
            return False
        except OutboxFull as error:
            self._notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
            return False
        self._add_own(outgoing)
        self._presence.reset_typing(room_id)
        self._clear_notice(NoticeKind.MESSAGE_REFUSED)
        self._publish()
        self._sender.send_due()
        return True

    def notify_typing(self) -> None:
        """The person is writing; those in the room hear it, now and then."""
        if self._kizuna_wire and self._store.state.caught_up:
            self._presence.notify_typing(self._store.state.room_id)

    def try_now(self) -> None:
        """Attempt to connect at once."""
        self._service.try_now()

    def load_earlier(self) -> None:
        """Fetch the page before the oldest message shown."""
        room = self._current_room
        if room is not None:
            self._membership.load_earlier(room)

    def retry(self, client_message_id: str) -> None:
        """Send a failed message again, under the same id."""
        try:
            self._sender.retry(client_message_id)
        except OutboxFull as error:
            self._notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
        self._sender.send_due()

    def retry_all(self) -> None:
        """Send every failed message of the room that is shown again, in the order typed."""
        for entry in self._store.state.timeline.failed:
            self.retry(entry.client_message_id or "")

    def discard(self, client_message_id: str) -> None:
        """Forget a message that is not stored. One that had been sent may have arrived, and the person is told."""
        if self._sender.discard(client_message_id):
            self._notify(NoticeKind.MAY_HAVE_ARRIVED)
        self._rooms.discard(client_message_id)
        self._publish()
        self._sender.send_due()

    def show_notice(self, kind: NoticeKind, **params: str | int) -> None:
        """The page has this to tell; not again while it shows."""
        notice = self._store.state.notice
        if notice is None or notice.kind is not kind:
            self._notify(kind, **params)

    def dismiss_notice(self) -> None:
        """The notice was read."""
        self._change(notice=None)

    # --- the connection ---

    async def _connect(self) -> None:
        with contextlib.suppress(ConnectionFailed):  # the store's link says it all
            await self._service.connect()

    async def _prepare(self, link: LinkHandle) -> None:
        await self._restored.wait()  # so that hello asks only for what came since
        if self._identity.user_id is not None:
            self._identify(self._identity.user_id)
        await self._membership.prepare(link)

    async def _restore(self, person: str, rooms: JoinedRooms, done: asyncio.Event) -> None:
        """Show what an earlier page knew, and what it left to be sent."""
        try:
            if rooms is self._rooms:
                for cached in await self._cache.start_for(person):
                    room = rooms.reopen(cached.room_id, cached.entered_at)
                    if room is not None and cached.epoch is not None:
                        room.restore(cached.epoch, cached.messages, cached.seen)
            if rooms is self._rooms:
                self._publish()
                await self._sender.start_for(person)
        finally:
            done.set()
            if done is self._restored:
                self._cancel_restore_timer()

    def _cancel_restore_timer(self) -> None:
        if self._restore_timer is not None:
            self._restore_timer.cancel()
            self._restore_timer = None

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
        self._publish()
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
            case _:  # bye is the connection's
                pass

    def _room_of_echo(self, data: Mapping[str, Any]) -> str:
        """Where a frame that names no room belongs: to the room where those words are awaited, or else are read."""
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

    def _on_bad_frame(self, problem: str) -> None:
        self._bad_frames += 1
        logger.warning("a frame from the server was ignored: %s", problem)
        self._notify(NoticeKind.BAD_FRAME, count=self._bad_frames)

    # --- what Membership tells ---

    def on_room_changed(self, room: Room) -> None:
        """Its messages are others than before."""
        self._cache.save_soon(room)
        self._publish()

    def on_progress(self) -> None:
        """Another room is complete, or not any more."""
        self._publish()

    def on_stored(self, messages: Iterable[Message]) -> None:
        """One's own words come back from the server: they are stored, ack or not."""
        for message in messages:
            if message.sender_id == self._identity.user_id:
                room = self._rooms.get(message.room_id)
                awaited = room.timeline.pending_for(message) if room is not None else None
                own = message.client_message_id or (awaited.client_message_id if awaited else None)
                self._sender.acknowledge(own)
                self.on_delivery(
                    own or "", Delivery.SENT
                )  # it may have to wait for others before it takes its place

    def on_history_restored(self, room: Room) -> None:
        """The room's history is another one than before."""
        self._notify(NoticeKind.HISTORY_RESTORED)

    def on_room_closed(self, room: Room) -> None:
        """The server does not let this person in."""
        self._notify(NoticeKind.ROOM_CLOSED, room=room.room_id)

    # --- what OutboxSender tells ---

    def on_delivery(self, client_message_id: str, delivery: Delivery, failure: Failure | None = None) -> None:
        """One of the person's messages has come so far."""
        is_shown = self._rooms.mark(client_message_id, delivery, failure)
        if failure is not None and not is_shown:
            self._notify(NoticeKind.FAILED_UNSEEN)
        self._publish()

    def on_restored(self, messages: Iterable[OutgoingMessage]) -> None:
        """These wait since before this page was opened, or were left by another one."""
        for outgoing in messages:
            self._add_own(outgoing)
        self._publish()

    def on_taken_over(self, client_message_id: str) -> None:
        """Another tab has taken the message over."""
        self._rooms.discard(client_message_id)
        self._publish()

    def on_pending_count(self, waiting: int) -> None:
        """So many messages wait to be acknowledged."""
        self._change(waiting=waiting)

    def on_storage_failed(self) -> None:
        """The browser keeps nothing: what waits to be sent ends with this page."""
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
            for outgoing in self._sender.pending_in(room_id):  # in a room that was left they wait unseen
                self._add_own(outgoing)
        self._change(room_id=room_id)
        self._membership.reconcile()
        self._publish()
        self._fill_screen()

    def _add_own(self, outgoing: OutgoingMessage) -> None:
        """One's own words stand on the screen before anybody else knows them."""
        frame, name = outgoing.frame, self._store.state.name or ""
        room = self._rooms.get(frame.room_id)
        if room is None:
            return  # it is sent all the same
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
        self._publish()

    def _publish(self) -> None:
        """Put the room, and what is known around it, before the views; what is the same tells nobody."""
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
        """A newest page of few long messages leaves a screen half empty."""
        room = self._current_room
        if room is not None and len(room.timeline) < MIN_VISIBLE_MESSAGES and self._store.state.caught_up:
            self._membership.load_earlier(room)

    def _clear_notice(self, kind: NoticeKind) -> None:
        """What this notice complained of is mended."""
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
    """Whether nobody need draw. A timeline that says the same is the same object, and long."""
    return before is after or (not isinstance(after, Timeline) and before == after)
