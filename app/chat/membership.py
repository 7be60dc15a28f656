"""Membership of the connection in its rooms, and catching up in each.

``hello`` on each new link names every room and the page's position in it; the link counts as connected when the batch
of each room has arrived. Afterwards ``join`` enters rooms, ``sync`` closes gaps, ``history`` loads older messages, and
each ``pong`` names the rooms that the connection is in, and their heads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chat import protocol
from chat.changes import Changes, HistoryRestored, Later, RequestFailed, RoomChanged, RoomClosed, Stored
from chat.joined_rooms import JoinedRooms
from chat.protocol import (
    Batch,
    Error,
    Hello,
    History,
    Join,
    Leave,
    Ping,
    RoomHead,
    RoomPosition,
    Sync,
    UpFrame,
)
from chat.requests import Request, Requests
from chat.room import AskedPosition, Room
from kizuna.errors import KizunaError, NotConnected
from kizuna.platform import Platform, TimerHandle
from kizuna.runtime.transport import LinkHandle
from kizuna.service import WebSocketService

logger = logging.getLogger("kizuna.membership")

#: Seconds between noticing a gap and requesting it: reordered frames of one broadcast arrive within this.
GAP_DELAY = 0.2
#: Codes of the errors for a room that the person may not enter, or is not in.
FORBIDDEN, NOT_IN_ROOM = "forbidden", "not_in_room"


class Progress(NamedTuple):
    """What has arrived of a room."""

    caught_up: bool  #: everything said before the link opened
    catching_up: bool  #: a link is open, and the room's batches are arriving
    loading_earlier: bool  #: older messages are being loaded


@dataclass(slots=True)
class Candidate:
    """The catching up of a candidate link: the positions of its hello, and the rooms without an answer yet."""

    positions: dict[str, RoomPosition]
    answered: asyncio.Future[None]
    missing: set[str] = field(default_factory=set)

    def note_answer(self, room_id: str) -> None:
        """Note that the room's batch has arrived, or never will."""
        self.missing.discard(room_id)
        if not self.missing and not self.answered.done():
            self.answered.set_result(None)


class Membership:
    """The membership of the connection in the person's rooms.

    ``kizuna_wire``: the server answers hello, join, sync and history. The article's server does not: a link to it is in
    every room from the start, and there is no catching up.
    """

    def __init__(
        self,
        platform: Platform,
        service: WebSocketService,
        later: Later,
        *,
        kizuna_wire: bool = True,
    ) -> None:
        self._platform = platform
        self._service = service
        self._later = later
        self._kizuna_wire = kizuna_wire
        self._rooms = JoinedRooms(None)
        self._requests = Requests(platform, later, self.send, service.doubt, self._on_unanswered)
        # A first link that catches up before it counts as connected.
        self._preparing: LinkHandle | None = None
        self._candidate: Candidate | None = None  # the catching up of a candidate link
        self._link_number: int | None = None  # of the link in use
        self._entered: dict[str, RoomPosition] = {}  # rooms of the link, with the requested positions
        self._missing: set[str] = set()  # of those, the rooms that are not complete yet
        self._closed: set[str] = set()  # of those, the rooms that the server refuses
        self._caught_up: asyncio.Future[None] | None = None
        self._gap_timer: TimerHandle | None = None

    def use_rooms(self, rooms: JoinedRooms) -> None:
        """Use these rooms from the next link on."""
        self._rooms = rooms

    # --- reading ---

    def progress(self, room_id: str) -> Progress:
        """Return what has arrived of the room."""
        is_open = self._link_number is not None
        caught_up = is_open and (not self._kizuna_wire or self._is_complete(room_id))
        return Progress(
            caught_up=caught_up,
            catching_up=self._preparing is not None
            or (is_open and not caught_up and room_id not in self._closed),
            loading_earlier=self._requests.is_asking(History, room_id),
        )

    def _is_complete(self, room_id: str) -> bool:
        return room_id in self._entered and room_id not in self._missing and room_id not in self._closed

    # --- the link ---

    def prepare(self, link: LinkHandle) -> Coroutine[Any, Any, None]:
        """Send hello on a new link, and return what ends when it has caught up: then it counts as connected."""
        if not self._kizuna_wire:
            return _nothing()
        if link.replaces:
            return self._prepare_candidate(link)
        self.link_lost()
        self._preparing = link
        self._entered = {room.room_id: room.position() for room in self._rooms}
        self._missing = set(self._entered)
        self._caught_up = asyncio.get_running_loop().create_future()
        self.send(_hello(self._entered))
        # A gateway may lose the answer to hello: then the request is repeated at its deadline.
        for room in self._rooms:
            ref = self._requests.new_ref()
            self._requests.ask_later(ref, room.room_id, Sync(**_fields(room), ref=ref))
        self._note_caught_up()
        return self._catch_up(link, self._caught_up)

    async def _catch_up(self, link: LinkHandle, caught_up: asyncio.Future[None]) -> None:
        try:
            await caught_up
        finally:
            if self._preparing is link:
                self._preparing = None

    async def _prepare_candidate(self, link: LinkHandle) -> None:
        """Send hello on a candidate link and wait for the answers. Nothing of this is shown; if it fails, the old link
        stays in use."""
        positions = {room.room_id: room.position() for room in self._rooms}
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        candidate = self._candidate = Candidate(positions, answered, set(positions))
        hello = protocol.to_object(_hello(positions))
        try:
            link.send_message(hello.pop("action"), hello)
            await candidate.answered
        except BaseException:
            if self._candidate is candidate:
                self._candidate = None
            raise

    def link_ready(self, number: int | None) -> None:
        """Use the link of this number from now on."""
        if self._link_number == number:
            return
        self._link_number = number
        if self._candidate is not None:
            self._entered, self._candidate = self._candidate.positions, None
            for room_id in (*self._joined_ids(), *self._entered):
                self._requests.drop(Join, room_id)  # a join on the old link is not valid on this one
            self._missing = {room.room_id for room in self._rooms if room.needs_sync}  # a sync follows
        self.reconcile()

    def link_lost(self) -> None:
        """Drop everything that depended on the lost link."""
        self._preparing = None
        self._link_number = None
        self._entered = {}
        self._missing = set()
        self._closed = set()
        self._requests.clear()
        if self._gap_timer is not None:
            self._gap_timer.cancel()
            self._gap_timer = None

    def reconcile(self) -> None:
        """Join and leave rooms on the server until they match the person's. Before ``ready`` only hello may be sent."""
        self._missing.intersection_update(self._joined_ids())
        self._note_caught_up()
        if not self._kizuna_wire or self._link_number is None:
            return
        for room_id in [room_id for room_id in self._entered if room_id not in self._rooms]:
            self._drop_room(room_id)
            self.send(Leave(room_id=room_id))
        for room in self._rooms:
            if room.room_id not in self._entered or self._is_blank(room):
                self._ask_join(room)

    def _is_blank(self, room: Room) -> bool:
        """Return whether nothing of the room has arrived or is awaited: it was left and entered again before the link
        was ready, and hello's answer went to the object that was left."""
        return room.position().after is None and room.room_id not in self._missing | self._closed

    def _drop_room(self, room_id: str) -> None:
        """Forget that the link is in the room, and cancel its requests."""
        self._entered.pop(room_id, None)
        self._missing.discard(room_id)
        self._closed.discard(room_id)
        for kind in (Join, Sync, History):
            self._requests.drop(kind, room_id)

    # --- frames of the server ---

    def on_batch(self, batch: Batch) -> Changes:
        """Apply a batch to its room."""
        request = self._requests.answered(batch.ref)
        candidate = self._candidate
        asked = self._asked_position(request, batch.room_id)
        if candidate is not None and batch.ref is None:
            candidate.note_answer(batch.room_id)
        room = self._rooms.get(batch.room_id)
        if room is None:
            return []
        changes: Changes = [Stored(batch.messages), RoomChanged(room)]
        if request is not None and isinstance(request.frame, History):
            room.prepend(batch, request.frame.before)
            return changes
        before = room.watermark
        if room.apply_batch(batch, asked):
            changes.append(HistoryRestored(room))
        self._continue_sync(room, batch, room.watermark != before)
        if request is not None and isinstance(request.frame, Join):
            self.send(Ping())  # to see whether an older leave was handled after the join
        return changes

    def on_heads(self, heads: Iterable[RoomHead]) -> None:
        """Compare the rooms of the connection, and their heads, with the server's."""
        if not self._kizuna_wire:
            return
        named = set()
        for head in heads:
            named.add(head.room_id)
            room = self._rooms.get(head.room_id)
            if room is not None:
                room.raise_head(head)
                self.schedule_sync(room)
            elif self._link_number is not None:
                self.send(Leave(room_id=head.room_id))  # a leave was handled before an older join
        for room in self._rooms:
            if (
                self._link_number is not None
                and self._is_complete(room.room_id)
                and room.room_id not in named
            ):
                self._ask_join(room)  # a join was handled before an older leave
        self.reconcile()  # rooms that the server could not serve before

    def on_error(self, error: Error) -> Changes:
        """Handle a failed request."""
        request = self._requests.answered(error.ref)
        room = self._rooms.get(error.room_id or (request.room_id if request is not None else ""))
        if room is not None and error.code == FORBIDDEN:
            return self._close(room)
        if room is not None and (request is None or not isinstance(request.frame, History)):
            self._give_up(room.room_id)
        return [] if error.code == NOT_IN_ROOM else [RequestFailed()]

    def schedule_sync(self, room: Room) -> None:
        """Request what is missing in the room after GAP_DELAY, in which reordered frames may arrive."""
        if not room.needs_sync or self._gap_timer is not None or not self._can_ask:
            return
        if self._requests.is_asking(Sync, room.room_id) or self._requests.is_asking(Join, room.room_id):
            return  # the answer will contain it
        self._gap_timer = self._later.call_at(self._platform.now().monotonic + GAP_DELAY, self._close_gaps)

    # --- requests ---

    def load_earlier(self, room: Room) -> None:
        """Request the messages before the oldest one in memory."""
        if not self._can_ask or not room.has_earlier or self._requests.is_asking(History, room.room_id):
            return
        ref = self._requests.new_ref()
        self._requests.ask(ref, room.room_id, History(room_id=room.room_id, before=room.oldest, ref=ref))

    def send(self, frame: UpFrame) -> None:
        """Send on the current link; dropped if it is closed, since the next link syncs again."""
        data = protocol.to_object(frame)
        link = self._preparing or self._service
        try:
            link.send_message(data.pop("action"), data)
        except NotConnected:
            logger.info("%s not sent: the link is closed", frame.action)

    @property
    def _can_ask(self) -> bool:
        return self._kizuna_wire and (self._preparing is not None or self._service.is_connected())

    def _ask_join(self, room: Room) -> None:
        if self._requests.is_asking(Join, room.room_id):
            return
        self._entered[room.room_id] = room.position()
        self._missing.add(room.room_id)
        ref = self._requests.new_ref()
        self._requests.ask(ref, room.room_id, Join(**_fields(room), ref=ref))

    def _ask_sync(self, room: Room) -> None:
        self._requests.drop(Sync, room.room_id)
        ref = self._requests.new_ref()
        self._requests.ask(ref, room.room_id, Sync(**_fields(room), ref=ref))

    def _close_gaps(self) -> Changes:
        self._gap_timer = None
        for room in self._rooms:
            if room.needs_sync:
                self._ask_sync(room)
        return []

    def _continue_sync(self, room: Room, batch: Batch, moved: bool) -> None:
        """Sync again until nothing is missing, as long as each batch brings something."""
        if room.needs_sync:
            if batch.complete:
                self.schedule_sync(room)
            elif moved:
                self._ask_sync(room)
            else:
                self._give_up(room.room_id)
            return
        self._requests.drop(Sync, room.room_id)
        self._missing.discard(room.room_id)
        self._closed.discard(room.room_id)
        self._note_caught_up()

    def _asked_position(self, request: Request | None, room_id: str) -> AskedPosition | None:
        """Return the position from which a batch was requested; answers to hello have no ref."""
        if request is not None and isinstance(request.frame, Sync | Join):
            return request.frame
        if self._candidate is not None:
            return self._candidate.positions.get(room_id)
        return self._entered.get(room_id) if self._preparing is not None else None

    def _note_caught_up(self) -> None:
        if self._caught_up is not None and not self._caught_up.done() and not self._missing:
            self._caught_up.set_result(None)

    def _close(self, room: Room) -> Changes:
        self._closed.add(room.room_id)
        self._missing.discard(room.room_id)
        for kind in (Join, Sync, History):
            self._requests.drop(kind, room.room_id)
        if self._candidate is not None:
            self._candidate.note_answer(room.room_id)
        self._note_caught_up()
        return [RoomClosed(room)]

    def _on_unanswered(self, request: Request) -> Changes:
        """Give up a request that the server does not answer."""
        logger.warning("no response to %s", request.frame.action)
        if not isinstance(request.frame, History):
            self._give_up(request.room_id)
        return []

    def _give_up(self, room_id: str) -> None:
        """Give up a room that the server does not serve now, until the next pong. A new link on which the server serves
        no room at all fails."""
        self._drop_room(room_id)
        if self._candidate is not None:
            self._candidate.note_answer(room_id)
            self._candidate.positions.pop(room_id, None)
        if self._caught_up is not None and not self._caught_up.done() and not self._entered:
            self._caught_up.set_exception(KizunaError("the server does not send missed messages"))
        self._note_caught_up()

    def _joined_ids(self) -> tuple[str, ...]:
        return tuple(room.room_id for room in self._rooms)


async def _nothing() -> None:
    """Nothing is awaited: the article's server has no answers."""


def _hello(positions: dict[str, RoomPosition]) -> Hello:
    return Hello(v=protocol.PROTOCOL_VERSION, rooms=tuple(positions.values()))


def _fields(room: Room) -> dict[str, Any]:
    position = room.position()
    return {"room_id": position.room_id, "after": position.after, "epoch": position.epoch}
