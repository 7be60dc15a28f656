"""Membership of the connection in its channels, and catching up in each.

``hello`` on each new link names every channel and the position in it; the link counts as connected when the batch of
each channel has arrived. Afterwards ``join`` enters channels, ``sync`` closes gaps, ``history`` loads earlier items,
and each ``pong`` names the channels that the connection is in, and their heads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple

from kizuna.delivery.carrier import Carrier, Link
from kizuna.delivery.changes import Changes, Closed, Earlier, Later, Live, RequestFailed
from kizuna.delivery.frames import VERSION, BatchFrame, ErrorFrame, Head
from kizuna.delivery.reader import Ack, Asked, ChannelReader, Message, Position, Start
from kizuna.delivery.requests import Request, Requests
from kizuna.errors import NotConnected
from kizuna.platform import Instant, TimerHandle

logger = logging.getLogger("kizuna.catch_up")

#: Seconds between noticing a gap and requesting it: reordered frames of one broadcast arrive within this.
GAP_DELAY = 0.2
#: The most items of one page of history.
HISTORY_LIMIT = 100
#: Codes of the errors for a channel that the client may not enter, or is not in.
FORBIDDEN, NOT_IN_ROOM = "forbidden", "not_in_room"

JOIN, SYNC, HISTORY = "join", "sync", "history"


class ChannelStatus(NamedTuple):
    """What has arrived of a channel."""

    caught_up: bool  #: everything sent before the link opened
    catching_up: bool  #: a link is open, and the channel's batches are arriving
    loading_earlier: bool  #: earlier items are being loaded


@dataclass(slots=True)
class Candidate:
    """The catching up of a candidate link: the positions of its hello, and the channels without an answer yet."""

    positions: dict[str, Asked]
    answered: asyncio.Future[None]
    missing: set[str] = field(default_factory=set)

    def note_answer(self, channel: str) -> None:
        """Note that the channel's batch has arrived, or never will."""
        self.missing.discard(channel)
        if not self.missing and not self.answered.done():
            self.answered.set_result(None)


class CatchUp(Generic[Message, Ack]):
    """The channels of a client, and the membership of its connection in them.

    Args:
        now: The current moment.
        carrier: The connection.
        later: Where timers report.
        answers: Whether the server answers hello, join, sync and history. If not, a link is in every channel from the
            start, and there is no catching up.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        carrier: Carrier,
        later: Later,
        *,
        answers: bool = True,
    ) -> None:
        self._now = now
        self._carrier = carrier
        self._later = later
        self._answers = answers
        self._readers: dict[str, ChannelReader[Message, Ack]] = {}
        self._requests = Requests(now, later, self.send, carrier.doubt, self._on_unanswered)
        # A first link that catches up before it counts as connected.
        self._preparing: Link | None = None
        self._candidate: Candidate | None = None  # the catching up of a candidate link
        self._link_number: int | None = None  # of the link in use
        self._entered: dict[str, Asked] = {}  # channels of the link, with the requested positions
        self._missing: set[str] = set()  # of those, the channels that are not complete yet
        self._closed: set[str] = set()  # of those, the channels that the server refuses
        self._caught_up: asyncio.Future[None] | None = None
        self._gap_timer: TimerHandle | None = None

    # --- channels ---

    def open(self, channel: str, at: Start | Position = Start.NEWEST) -> ChannelReader[Message, Ack]:
        """Open a channel that is not open, and return its reader. Call reconcile() after one or more."""
        reader = self._readers[channel] = ChannelReader(channel, at)
        return reader

    def close(self, channel: str) -> None:
        """Close a channel. Call reconcile() after one or more."""
        self._readers.pop(channel, None)

    def close_all(self) -> None:
        """Close all channels, from the next link on."""
        self._readers = {}

    def reader(self, channel: str) -> ChannelReader[Message, Ack] | None:
        """Return the reader of an open channel."""
        return self._readers.get(channel)

    def status(self, channel: str) -> ChannelStatus:
        """Return what has arrived of the channel."""
        is_open = self._link_number is not None
        caught_up = is_open and (not self._answers or self._is_complete(channel))
        return ChannelStatus(
            caught_up=caught_up,
            catching_up=self._preparing is not None
            or (is_open and not caught_up and channel not in self._closed),
            loading_earlier=self._requests.is_asking(HISTORY, channel),
        )

    def _is_complete(self, channel: str) -> bool:
        return channel in self._entered and channel not in self._missing and channel not in self._closed

    # --- the link ---

    def prepare(self, link: Link) -> Coroutine[Any, Any, None]:
        """Send hello on a new link, and return what ends when it has caught up: then it counts as connected."""
        if not self._answers:
            return _nothing()
        if link.replaces:
            return self._prepare_candidate(link)
        self.link_lost()
        self._preparing = link
        self._entered = {channel: reader.asked() for channel, reader in self._readers.items()}
        self._missing = set(self._entered)
        self._caught_up = asyncio.get_running_loop().create_future()
        self.send("hello", _hello(self._entered))
        # A gateway may lose the answer to hello: then the request is repeated at its deadline.
        for channel, asked in self._entered.items():
            self._requests.ask_later(channel, SYNC, _position(channel, asked))
        self._note_caught_up()
        return self._catch_up(link, self._caught_up)

    async def _catch_up(self, link: Link, caught_up: asyncio.Future[None]) -> None:
        try:
            await caught_up
        finally:
            self._preparing = None if self._preparing is link else self._preparing

    async def _prepare_candidate(self, link: Link) -> None:
        """Send hello on a candidate link and wait for the answers. If it fails, the old link stays in use."""
        positions = {channel: reader.asked() for channel, reader in self._readers.items()}
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        candidate = self._candidate = Candidate(positions, answered, set(positions))
        if not positions:
            answered.set_result(None)
        try:
            link.send_message("hello", _hello(positions))
            await candidate.answered
        except BaseException:
            self._candidate = None if self._candidate is candidate else self._candidate
            raise

    def link_ready(self, number: int | None) -> None:
        """Use the link of this number from now on."""
        if self._link_number == number:
            return
        self._link_number = number
        if self._candidate is not None:
            self._entered, self._candidate = self._candidate.positions, None
            for channel in (*self._readers, *self._entered):
                self._requests.drop(JOIN, channel)  # a join on the old link is not valid on this one
            # A sync follows.
            self._missing = {channel for channel, reader in self._readers.items() if reader.needs_sync}
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
        """Join and leave on the server until its channels match the open ones; before ``ready`` hello does that."""
        self._missing.intersection_update(self._readers)
        self._note_caught_up()
        if not self._answers or self._link_number is None:
            return
        for channel in [channel for channel in self._entered if channel not in self._readers]:
            self._drop_channel(channel)
            self._leave(channel)
        for channel, reader in self._readers.items():
            if channel not in self._entered or self._is_unanswered(reader):
                self._ask_join(reader)

    def _is_unanswered(self, reader: ChannelReader[Message, Ack]) -> bool:
        """Return whether nothing of the channel has arrived or is awaited.

        It was closed and opened again before the link was ready, and hello's answer went to the reader of before.
        """
        return reader.is_blank and reader.channel not in self._missing | self._closed

    def _drop_channel(self, channel: str) -> None:
        """Forget that the link is in the channel, and cancel its requests."""
        self._entered.pop(channel, None)
        self._missing.discard(channel)
        self._closed.discard(channel)
        for action in (JOIN, SYNC, HISTORY):
            self._requests.drop(action, channel)

    # --- frames of the server ---

    def on_batch(self, batch: BatchFrame[Message]) -> Changes:
        """Give a batch to its channel."""
        request = self._requests.answered(batch.ref)
        asked = self._asked_position(request, batch.room_id)
        if self._candidate is not None and batch.ref is None:
            self._candidate.note_answer(batch.room_id)
        reader = self._readers.get(batch.room_id)
        if reader is None:
            return []
        if request is not None and request.action == HISTORY:
            before: int = request.data["before"]
            return [Earlier(batch.room_id, tuple(batch.messages), before, batch.epoch, batch.complete)]
        watermark = reader.watermark
        changes = reader.receive_batch(batch, asked)
        # The answer to a repetition, or to what was given up.
        is_late = batch.ref is not None and request is None
        changes += self._continue_sync(
            reader, batch, moved=reader.watermark != watermark, waits=batch.complete or is_late
        )
        if request is not None and request.action == JOIN:
            self.send("ping", {"t": None})  # to see whether an earlier leave was handled after the join
        return changes

    def on_heads(self, heads: Iterable[Head]) -> None:
        """Compare the channels of the connection, and their heads, with the server's."""
        if not self._answers:
            return
        named = set()
        for head in heads:
            named.add(head.room_id)
            reader = self._readers.get(head.room_id)
            if reader is not None:
                reader.raise_head(head)
                self.schedule_sync(reader)
            elif self._link_number is not None:
                self._leave(head.room_id)  # a leave was handled before an earlier join
        for channel, reader in self._readers.items():
            if self._link_number is not None and self._is_complete(channel) and channel not in named:
                self._ask_join(reader)  # a join was handled before an earlier leave
        self.reconcile()  # channels that the server could not serve before

    def on_error(self, error: ErrorFrame) -> Changes:
        """Handle a failed request."""
        request = self._requests.answered(error.ref)
        channel = error.room_id or (request.channel if request is not None else "")
        if channel in self._readers and error.code == FORBIDDEN:
            return self._refuse(channel, error.code)
        if channel in self._readers and (request is None or request.action != HISTORY):
            self._give_up(channel)
        return [] if error.code == NOT_IN_ROOM else [RequestFailed(error.code, error.message)]

    def schedule_sync(self, reader: ChannelReader[Message, Ack]) -> None:
        """Request what is missing in the channel after GAP_DELAY, in which reordered frames may arrive."""
        if not reader.needs_sync or self._gap_timer is not None or not self._can_ask:
            return
        if any(self._requests.is_asking(action, reader.channel) for action in (SYNC, JOIN)):
            return  # the answer will contain it
        self._gap_timer = self._later.call_at(self._now().monotonic + GAP_DELAY, self._close_gaps)

    # --- requests ---

    def load_earlier(self, channel: str, before: int, limit: int = HISTORY_LIMIT) -> None:
        """Request the items before the number ``before``, unless such a request is out, or there is no link."""
        if self._can_ask and not self._requests.is_asking(HISTORY, channel):
            self._requests.ask(channel, HISTORY, {"roomId": channel, "before": before, "limit": limit})

    def send(self, action: str, data: Mapping[str, Any]) -> None:
        """Send on the current link; dropped if it is closed, since the next link syncs again."""
        link = self._preparing or self._carrier
        try:
            link.send_message(action, data)
        except NotConnected:
            logger.info("%s not sent: the link is closed", action)

    @property
    def _can_ask(self) -> bool:
        return self._answers and (self._preparing is not None or self._carrier.is_connected())

    def _leave(self, channel: str) -> None:
        self.send("leave", {"roomId": channel})

    def _ask_join(self, reader: ChannelReader[Message, Ack]) -> None:
        channel, asked = reader.channel, reader.asked()
        self._entered[channel] = asked
        self._missing.add(channel)
        self._requests.ask(channel, JOIN, _position(channel, asked))

    def _ask_sync(self, reader: ChannelReader[Message, Ack]) -> None:
        self._requests.drop(SYNC, reader.channel)
        self._requests.ask(reader.channel, SYNC, _position(reader.channel, reader.asked()))

    def _close_gaps(self) -> Changes:
        self._gap_timer = None
        for reader in self._readers.values():
            if reader.needs_sync:
                self._ask_sync(reader)
        return []

    def _continue_sync(
        self, reader: ChannelReader[Message, Ack], batch: BatchFrame[Message], *, moved: bool, waits: bool
    ) -> Changes:
        """Sync again until nothing is missing, as long as each batch brings something.

        ``waits``: after a moment, unless a request is open.
        """
        if reader.needs_sync:
            if waits:
                self.schedule_sync(reader)
            elif moved:
                self._ask_sync(reader)
            else:
                self._give_up(reader.channel)
            return []
        self._requests.drop(SYNC, reader.channel)
        is_news = reader.channel in self._missing | self._closed
        self._missing.discard(reader.channel)
        self._closed.discard(reader.channel)
        self._note_caught_up()
        return [Live(reader.channel)] if is_news else []

    def _asked_position(self, request: Request | None, channel: str) -> Asked | None:
        """Return the position from which a batch was requested; answers to hello have no ref."""
        if request is not None and request.action in (SYNC, JOIN):
            return Asked(request.data["after"], request.data["epoch"])
        if self._candidate is not None:
            return self._candidate.positions.get(channel)
        return self._entered.get(channel) if self._preparing is not None else None

    def _note_caught_up(self) -> None:
        if self._caught_up is not None and not self._caught_up.done() and not self._missing:
            self._caught_up.set_result(None)

    def _refuse(self, channel: str, code: str) -> Changes:
        self._closed.add(channel)
        self._missing.discard(channel)
        for action in (JOIN, SYNC, HISTORY):
            self._requests.drop(action, channel)
        if self._candidate is not None:
            self._candidate.note_answer(channel)
        self._note_caught_up()
        return [Closed(channel, code)]

    def _on_unanswered(self, request: Request) -> Changes:
        """Give up a request that the server does not answer."""
        logger.info("no response to %s", request.action)
        if request.action != HISTORY:
            self._give_up(request.channel)
        return []

    def _give_up(self, channel: str) -> None:
        """Give up a channel that the server does not serve now, until the next pong.

        A new link on which the server serves no channel at all fails.
        """
        self._drop_channel(channel)
        if self._candidate is not None:
            self._candidate.note_answer(channel)
            self._candidate.positions.pop(channel, None)
        if self._caught_up is not None and not self._caught_up.done() and not self._entered:
            self._caught_up.set_exception(TimeoutError("the server does not send missed messages"))
        self._note_caught_up()


async def _nothing() -> None:
    """Nothing is awaited: the server has no answers."""


def _hello(positions: Mapping[str, Asked]) -> dict[str, Any]:
    return {"v": VERSION, "rooms": [_position(channel, asked) for channel, asked in positions.items()]}


def _position(channel: str, asked: Asked) -> dict[str, Any]:
    return {"roomId": channel, "after": asked.after, "epoch": asked.epoch}
