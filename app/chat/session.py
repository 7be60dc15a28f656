"""The chat itself: says hello, catches up, sends what waits, and keeps the store true.

Data moves in one circle: a frame comes to the session, the session changes the store, the views read the store,
and what a person does comes back here. Nothing in this file touches a socket or the DOM.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chat import protocol
from chat.courier import Courier, Letter
from chat.identity import Identity
from chat.protocol import (
    Ack,
    Batch,
    Hello,
    History,
    InvalidField,
    Join,
    Leave,
    Message,
    Nack,
    RoomHead,
    RoomPosition,
    SendMessage,
    Sync,
)
from chat.requests import Request, Requests
from chat.room import Room
from chat.store import ChatState, ChatStore, Link, Notice, NoticeKind
from chat.timeline import Delivery
from kizuna.connection_state import ConnectionState
from kizuna.errors import ConnectionFailed, KizunaError, NotConnected
from kizuna.outbox import OutboxFull
from kizuna.platform import Platform, Settings, TimerHandle
from kizuna.service import WebSocketService
from kizuna.states import Status
from kizuna.transport import LinkHandle

logger = logging.getLogger("kizuna.chat")

#: Seconds between noticing a gap and asking for it: reordered frames of one broadcast arrive within this.
GAP_PATIENCE = 0.2
#: A room whose newest page is short (long messages fill a frame) is filled up to this many messages.
FIRST_SIGHT = 30


@dataclass(frozen=True, slots=True)
class Successor:
    """A link on its way to replace the one in use: from where its hello asked, and whether that is answered."""

    position: RoomPosition
    answered: asyncio.Future[None]

    def note_answer(self) -> None:
        """The room's batch is here."""
        if not self.answered.done():
            self.answered.set_result(None)


class ChatSession:
    """Responsible for one person's chat: the actions of the views, and the frames of the server.

    ``make_id`` draws a new client message id, different at every call on every page of the world. ``keep`` holds
    what waits to be sent across reloads of the page.
    """

    def __init__(
        self,
        store: ChatStore,
        service: WebSocketService,
        identity: Identity,
        platform: Platform,
        make_id: Callable[[], str],
        keep: Settings,
    ) -> None:
        self._store = store
        self._service = service
        self._identity = identity
        self._platform = platform
        self._make_id = make_id
        self._rooms: dict[str, Room] = {}  # of the person of the moment
        self._rooms_of: dict[str, dict[str, Room]] = {}  # by the person's name, with what waits in them
        self._preparing: LinkHandle | None = None  # a first link on which we catch up before it counts
        self._successor: Successor | None = None  # a link that is to replace the one in use, unnoticed
        self._carrier: int | None = None  # number of the link in use
        self._courier = Courier(
            service, platform, keep, self._mark, lambda count: self._change(waiting=count)
        )
        self._requests = Requests(platform, self._send, self._on_unanswered)
        self._gap_timer: TimerHandle | None = None
        self._joined: RoomPosition | None = None  # the room that the link is in, and from where it asked
        self._caught_up: asyncio.Future[None] | None = None
        self._joining: asyncio.Task[None] | None = None
        self._notices = 0
        self._bad_frames = 0
        service.on_open(self._prepare)
        service.on_message(self._on_frame)
        service.on_malformed_frame(self._on_bad_frame)
        service.subscribe(lambda state: state, self._on_connection)

    # --- what a person does (ui.actions.Actions) ---

    def start(self) -> None:
        """Join by itself where a name is remembered. Who left on purpose stays away, and is told so."""
        name = self._identity.remembered_name
        self._change(suggested_name=name or "")
        if self._identity.has_left:
            self._service.disconnect()
        elif name is not None:
            self.join(name)

    def join(self, name: str) -> None:
        """Enter under ``name`` and connect. A name that cannot be shown gives a notice."""
        if self._store.state.name is not None:
            return  # a double click, or two wishes at once
        try:
            self._identity.enter(name)
        except InvalidField as error:
            self._notify(NoticeKind.NAME_REFUSED, problem=error.problem)
            return
        name = self._identity.name or ""
        self._rooms = self._rooms_of.setdefault(name, {})
        self._change(name=name, suggested_name=name)
        self._unnotify(NoticeKind.NAME_REFUSED)
        for letter in self._courier.serve(name):
            self._show_own(letter)
        self._courier.pump()
        self._show_room()
        self._joining = asyncio.get_running_loop().create_task(self._connect())

    def leave(self) -> None:
        """Close on purpose: nothing comes back, also after a reload, until join()."""
        self._identity.leave()
        self._service.disconnect()
        self._change(name=None, notice=None)

    def enter_room(self, name: str) -> None:
        """Go to another room. A name that no room can have gives a notice and changes nothing."""
        try:
            room_id = protocol.check_room("room", name)
        except InvalidField as error:
            self._notify(NoticeKind.ROOM_REFUSED, room=name, problem=error.problem)
            return
        self._unnotify(NoticeKind.ROOM_REFUSED)
        if room_id == self._store.state.room_id:
            return
        self._change(room_id=room_id, loading_earlier=False)
        self._show_room()
        self._follow_room()

    def say(self, text: str) -> bool:
        """Send ``text``, now or as soon as it can be. False: it was refused, a notice says why, the text stays
        with the person."""
        state = self._store.state
        client_message_id = self._make_id()
        try:
            frame = SendMessage(
                client_message_id=client_message_id,
                room_id=state.room_id,
                content=protocol.check_content("message", text),
            )
            letter = Letter(frame, round(self._platform.now().wall * 1000))
            self._courier.take(letter)
        except InvalidField as error:
            self._notify(NoticeKind.MESSAGE_REFUSED, problem=error.problem)
            return False
        except OutboxFull as error:
            self._notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
            return False
        self._show_own(letter)
        self._unnotify(NoticeKind.MESSAGE_REFUSED)
        self._show_room()
        self._courier.pump()
        return True

    def _show_own(self, letter: Letter) -> None:
        """One's own words stand on the screen before anybody else knows them."""
        frame, name = letter.frame, self._store.state.name or ""
        room = self._room(frame.room_id)
        room.timeline = room.timeline.add_own(frame.client_message_id, frame.content, name, letter.typed_at)

    def try_now(self) -> None:
        """Attempt to connect at once."""
        self._service.try_now()

    def load_earlier(self) -> None:
        """Fetch the page before the oldest message shown."""
        room = self._room(self._store.state.room_id)
        first = room.timeline.first_seq
        if not self._can_ask or first is None or not room.has_earlier:
            return
        if self._requests.is_asking(History, room.room_id):
            return
        ref = self._requests.new_ref()
        self._change(loading_earlier=True)
        self._requests.ask(ref, room.room_id, History(room_id=room.room_id, before=first, ref=ref))

    def retry(self, client_message_id: str) -> None:
        """Send a failed message again, under the same id."""
        room = self._room(self._store.state.room_id)
        entry = room.timeline.own(client_message_id)
        if entry is None or entry.state is not Delivery.FAILED:
            return
        frame = SendMessage(client_message_id=client_message_id, room_id=room.room_id, content=entry.content)
        try:
            self._courier.take(Letter(frame, entry.timestamp))
        except OutboxFull as error:
            self._notify(NoticeKind.OUTBOX_FULL, limit=error.limit)
            return
        self._mark(client_message_id, Delivery.QUEUED)
        self._courier.pump()

    def discard(self, client_message_id: str) -> None:
        """Forget a message that failed."""
        room = self._room(self._store.state.room_id)
        self._courier.settle(client_message_id)
        room.timeline = room.timeline.discard(client_message_id)
        self._show_room()

    def dismiss_notice(self) -> None:
        """The notice was read."""
        self._change(notice=None)

    # --- the connection ---

    async def _connect(self) -> None:
        with contextlib.suppress(ConnectionFailed):  # the store's link says it all
            await self._service.connect()

    def _on_connection(self, state: ConnectionState) -> None:
        stands = state.status in (Status.CONNECTED, Status.SUSPECT)
        before = self._store.state
        link = Link(
            status=state.status,
            attempt=state.attempt,
            retry_at=state.retry_at,
            reason=state.reason.kind if state.reason else None,
            last_connected_at=self._platform.now().wall if stands else before.link.last_connected_at,
        )
        if replace(link, last_connected_at=before.link.last_connected_at) != before.link:
            self._change(link=link)
        self._store.set_connected(stands)
        if not stands and (before.is_connected or state.status is not Status.CONNECTING):
            self._forget_link()
        if stands:
            self._note_carrier(state.link)
            self._follow_room()
            self._courier.pump()

    def _note_carrier(self, link: int | None) -> None:
        """A replaced link leaves us in the room that its successor said hello for."""
        if self._carrier != link and self._successor is not None:
            self._joined = self._successor.position
            self._requests.drop(
                Join, self._store.state.room_id
            )  # what was asked on the old link joined only that
            room, self._successor = self._room(self._joined.room_id), None
            if not room.needs_sync:  # else its sync says so
                self._note_caught_up(room)
        self._carrier = link

    def _follow_room(self) -> None:
        """Be in the room that is shown. One step at a time: before ``ready`` nothing but hello may be sent, and the
        server handles frames of one connection at once, so a leave that follows a join too closely may overtake it."""
        room_id = self._store.state.room_id
        if not self._service.is_connected() or self._joined is None or self._joined.room_id == room_id:
            return
        self._change(caught_up=False, catching_up=True)
        if not self._requests.is_asking(Join):
            self._send(Leave(room_id=self._joined.room_id))
            self._ask_join(room_id)

    async def _prepare(self, link: LinkHandle) -> None:
        """On every new link: say hello with how far we have come, and catch up before the link counts."""
        if link.replaces:
            await self._take_over(link)
            return
        self._forget_link()
        self._preparing = link
        if self._identity.user_id is not None:
            self._identify(self._identity.user_id)
        room = self._room(self._store.state.room_id)
        self._joined = room.position()
        self._caught_up = asyncio.get_running_loop().create_future()
        self._change(catching_up=True, caught_up=False)
        self._send(Hello(v=protocol.PROTOCOL_VERSION, rooms=(self._joined,)))
        # The hello's own answer may get lost on its way through a gateway: then the deadline asks again.
        ref = self._requests.new_ref()
        self._requests.ask_later(ref, room.room_id, Sync(**_fields(room), ref=ref))
        await self._caught_up
        self._preparing = None

    async def _take_over(self, link: LinkHandle) -> None:
        """Say hello on a link that replaces the one in use, and wait for its answer. Nothing of it is shown, and
        where it fails nothing is lost: the old link goes on."""
        position = self._room(self._store.state.room_id).position()
        successor = self._successor = Successor(position, asyncio.get_running_loop().create_future())
        hello = protocol.to_object(Hello(v=protocol.PROTOCOL_VERSION, rooms=(position,)))
        try:
            link.send_message(hello.pop("action"), hello)
            await successor.answered
        except BaseException:
            self._successor = None
            raise

    def _forget_link(self) -> None:
        """No answer will come over the old link any more."""
        self._preparing = None
        self._carrier = None
        self._joined = None
        self._requests.clear()
        if self._gap_timer is not None:
            self._gap_timer.cancel()
            self._gap_timer = None
        self._courier.link_lost()
        self._show_room()
        self._change(caught_up=False, catching_up=False, loading_earlier=False)

    @property
    def _can_ask(self) -> bool:
        """Whether there is a link that answers questions."""
        return self._preparing is not None or self._service.is_connected()

    def _send(self, frame: protocol.UpFrame) -> None:
        """Send on the link in use. One that is gone takes nothing: its end brings everything again."""
        data = protocol.to_object(frame)
        link = self._preparing or self._service
        try:
            link.send_message(data.pop("action"), data)
        except NotConnected:
            logger.info("%s was not sent: the link is gone", frame.action)

    # --- frames ---

    def _on_frame(self, data: Mapping[str, Any]) -> None:
        try:
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
                self._courier.refuse(frame)
                self._courier.pump()
            case Batch():
                self._on_batch(frame)
            case protocol.Ready():
                self._identify(frame.user_id)
            case protocol.Pong(heads=heads) if heads is not None:
                self._on_heads(heads)
            case protocol.Error():
                self._on_error(frame)
            case protocol.GatewayError():
                self._notify(NoticeKind.SERVER_ERROR, message=frame.message)
            case _:  # bye is the connection's; presence and typing are not shown yet
                pass

    def _on_message(self, message: Message) -> None:
        room = self._rooms.get(message.room_id)
        if room is None:
            return
        self._settle_own(message)
        room.receive(message)
        self._watch_gap(room)
        self._show_room()
        self._courier.pump()

    def _on_ack(self, ack: Ack) -> None:
        self._courier.settle(ack.client_message_id)
        self._mark(ack.client_message_id, Delivery.SENT)
        room = self._rooms.get(ack.room_id)
        if room is not None:
            room.acknowledge(ack)
            self._watch_gap(room)
        self._show_room()
        self._courier.pump()

    def _settle_own(self, message: Message) -> None:
        """One's own words come back from the server: they are stored, ack or not."""
        if message.sender_id == self._identity.user_id:
            self._courier.settle(message.client_message_id)

    def _on_batch(self, batch: Batch) -> None:
        request = self._requests.answered(batch.ref)
        successor = self._successor
        if successor is not None and batch.ref is None and batch.room_id == successor.position.room_id:
            successor.note_answer()
        room = self._rooms.get(batch.room_id)
        if room is None:
            return
        if request is not None and isinstance(request.frame, History):
            room.prepend(batch)
            self._change(loading_earlier=False)
        else:
            if room.absorb(batch, self._asked_after(request, room)):
                self._notify(NoticeKind.HISTORY_RESTORED)
            for message in batch.messages:
                self._settle_own(message)
            self._go_on_catching_up(room, batch)
            if request is not None and isinstance(request.frame, Join):
                self._send(protocol.Ping())  # the answer names our rooms: an older leave may have come last
                self._follow_room()
        self._show_room()
        self._courier.pump()

    def _asked_after(self, request: Request | None, room: Room) -> int | None:
        """From where the question went that a batch answers; hello's answers carry no reference."""
        if request is not None and isinstance(request.frame, Sync | Join):
            return request.frame.after
        if self._successor is not None:
            return self._successor.position.after
        return self._joined.after if self._joined is not None and self._preparing is not None else None

    def _go_on_catching_up(self, room: Room, batch: Batch) -> None:
        if room.needs_sync:
            if batch.complete:
                self._watch_gap(room)
            else:
                self._ask_sync(room)
            return
        self._requests.drop(Sync, room.room_id)
        if self._joined is not None and self._joined.room_id == room.room_id:
            self._note_caught_up(room)
        if (
            room.room_id == self._store.state.room_id
            and len(room.timeline) < FIRST_SIGHT
            and room.has_earlier
        ):
            self.load_earlier()

    def _note_caught_up(self, room: Room) -> None:
        if self._caught_up is not None and not self._caught_up.done():
            self._caught_up.set_result(None)
        if room.room_id == self._store.state.room_id:
            self._change(caught_up=True, catching_up=False)

    def _on_heads(self, heads: tuple[RoomHead, ...]) -> None:
        """The rooms that the server has us in, and how far each has come."""
        for head in heads:
            if head.room_id in self._rooms:
                self._rooms[head.room_id].note_head(head)
                self._watch_gap(self._rooms[head.room_id])
        room_id = self._store.state.room_id
        if self._store.state.caught_up and all(head.room_id != room_id for head in heads):
            self._ask_join(room_id)  # frames of one connection may run at once: a leave overtook our join

    def _on_error(self, error: protocol.Error) -> None:
        logger.warning("the server could not serve a request: %s (%s)", error.message, error.code)
        self._notify(NoticeKind.SERVER_ERROR, message=error.message)
        request = self._requests.answered(error.ref)
        if request is not None:
            self._on_unanswered(request)

    def _on_bad_frame(self, problem: str) -> None:
        self._bad_frames += 1
        logger.warning("a frame from the server was ignored: %s", problem)
        self._notify(NoticeKind.BAD_FRAME, count=self._bad_frames)

    # --- gaps and questions ---

    def _watch_gap(self, room: Room) -> None:
        """Ask for what is missing, once reordered frames have had their time to arrive."""
        if not room.needs_sync or self._gap_timer is not None or not self._can_ask:
            return
        if self._requests.is_asking(Sync, room.room_id) or self._requests.is_asking(Join, room.room_id):
            return  # its answer brings it

        def ask() -> None:
            self._gap_timer = None
            for each in self._rooms.values():
                if each.needs_sync:
                    self._ask_sync(each)

        self._gap_timer = self._platform.call_at(self._platform.now().monotonic + GAP_PATIENCE, ask)

    def _ask_sync(self, room: Room) -> None:
        self._requests.drop(Sync, room.room_id)
        ref = self._requests.new_ref()
        self._requests.ask(ref, room.room_id, Sync(**_fields(room), ref=ref))

    def _ask_join(self, room_id: str) -> None:
        if self._requests.is_asking(Join, room_id):
            return
        self._joined = self._room(room_id).position()
        ref = self._requests.new_ref()
        self._requests.ask(ref, room_id, Join(**_fields(self._room(room_id)), ref=ref))

    def _on_unanswered(self, request: Request) -> None:
        """The server does not serve this question. Without its answer nothing here can be called caught up."""
        logger.warning("the server left %s without an answer", request.frame.action)
        if isinstance(request.frame, History):
            self._change(loading_earlier=False)
        elif self._caught_up is not None and not self._caught_up.done():
            self._caught_up.set_exception(KizunaError("the server does not send what was missed"))
        else:
            self._change(catching_up=False)

    # --- the store ---

    def _room(self, room_id: str) -> Room:
        if room_id not in self._rooms:
            self._rooms[room_id] = Room(room_id, self._identity.user_id)
        return self._rooms[room_id]

    def _identify(self, user_id: str) -> None:
        for room in self._rooms.values():
            room.identify(user_id)
        self._identity.user_id = user_id
        self._change(user_id=user_id)
        self._show_room()

    def _mark(self, client_message_id: str, delivery: Delivery, failure: str | None = None) -> None:
        for room in self._rooms.values():
            room.timeline = room.timeline.mark(client_message_id, delivery, failure)
        self._show_room()

    def _show_room(self) -> None:
        """Put the room's timeline before the views; the same timeline tells nobody."""
        timeline = self._room(self._store.state.room_id).timeline
        if timeline is not self._store.state.timeline:
            self._change(timeline=timeline)

    def _unnotify(self, kind: NoticeKind) -> None:
        """What this notice complained of is mended."""
        notice = self._store.state.notice
        if notice is not None and notice.kind is kind:
            self._change(notice=None)

    def _notify(self, kind: NoticeKind, **params: str | int) -> None:
        self._notices += 1
        self._change(notice=Notice(kind, self._notices, params))

    def _change(self, **parts: Any) -> None:
        def change(state: ChatState) -> ChatState:
            return state if all(getattr(state, k) is v for k, v in parts.items()) else replace(state, **parts)

        self._store.update(change)


def _fields(room: Room) -> dict[str, Any]:
    position = room.position()
    return {"room_id": position.room_id, "after": position.after, "epoch": position.epoch}
