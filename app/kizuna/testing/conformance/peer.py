"""One connection to the server that is tested, frame by frame: what a client says, and what the server must answer."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kizuna.core.links import from_bye, from_close
from kizuna.delivery.frames import (
    VERSION,
    MalformedFrame,
    PlainAck,
    PlainBatch,
    PlainError,
    PlainFrame,
    PlainMessage,
    PlainNack,
    PlainPong,
    parse,
)
from kizuna.delivery.reader import Asked
from kizuna.testing.conformance.target import NotConforming, Target

Found = TypeVar("Found")
#: The position of a client that has nothing, and wants the newest page.
NOWHERE = Asked(None, None)


class Peer:
    """One connection. It is open once ``opened()`` returns."""

    def __init__(self, target: Target, url: str) -> None:
        self.frames: list[PlainFrame] = []  #: what came, as delivery reads it
        self.raw: list[Any] = []  #: the same as JSON
        self.closed: tuple[int, str] | None = None  #: code and reason
        self._is_open = False
        self._problem: str | None = None  # of a frame that cannot be used
        self._news = asyncio.Event()
        self._target = target
        self._socket = target.platform.open_socket(url, self)

    async def opened(self) -> Peer:
        """Return once the handshake has succeeded."""
        await self.until(lambda: self._is_open, "an open connection")
        return self

    def close(self) -> None:
        """Close the connection, without waiting for what it has to say."""
        self._socket.abandon(1000, "")

    def send(self, action: str, **fields: Any) -> None:
        """Send a frame."""
        self.send_text(json.dumps({"action": action, **fields}))

    def send_text(self, text: str) -> None:
        """Send a text as it is."""
        self._socket.send(text)

    # --- waiting ---

    async def until(self, find: Callable[[], Found | None], what: str) -> Found:
        """Return what ``find()`` returns once that is true.

        Raises:
            NotConforming: ``what`` did not come, or a frame came that cannot be used.
        """
        deadline = self._target.deadline(self._news.set)
        try:
            while True:
                self._news.clear()
                found = find()
                if self._problem is not None:
                    raise NotConforming(self._problem)
                if found:
                    return found
                if self.closed is not None:
                    raise NotConforming(f"instead of {what} came a close: {_words(*self.closed)}")
                if deadline.is_over:
                    raise NotConforming(f"{what} did not come within {self._target.within:g} s")
                await self._news.wait()
        finally:
            deadline.cancel()

    async def answer(self, ref: str, what: str) -> PlainBatch:
        """Return the batch that answers the request ``ref``."""

        def find() -> PlainBatch | PlainError | None:
            answers: list[PlainBatch | PlainError] = [*self.of(PlainBatch), *self.of(PlainError)]
            return next((each for each in answers if each.ref == ref), None)

        found: PlainBatch | PlainError = await self.until(find, f"the batch that answers {what}")
        if isinstance(found, PlainError):
            raise NotConforming(f"{what} was answered by an error: {found.code} ({found.message})")
        return found

    # --- what a client does ---

    async def hello(self, channel: str, at: Asked = NOWHERE) -> PlainBatch:
        """Enter a channel with hello, and return its batch."""
        self.send("hello", v=VERSION, rooms=[position(channel, at)])
        await self.until(lambda: self.others("ready"), "ready, the answer to hello,")

        def find() -> PlainBatch | None:
            return next((each for each in self.of(PlainBatch) if each.room_id == channel), None)

        return checked(await self.until(find, "the batch that answers hello"), channel, at)

    async def ask(self, action: str, channel: str, at: Asked) -> PlainBatch:
        """Send join or sync, and return its batch."""
        ref = new_id()
        self.send(action, ref=ref, **position(channel, at))
        return checked(await self.answer(ref, action), channel, at)

    async def read_on(self, batch: PlainBatch) -> list[PlainMessage]:
        """Return the items of a batch and of all that follow it, by sync."""
        items = list(batch.messages)
        while not batch.complete:
            if not batch.messages:
                raise NotConforming("a batch without items is not complete: a client asks without end")
            at = Asked(items[-1].seq, batch.epoch)
            batch = await self.ask("sync", batch.room_id, at)
            items += batch.messages
        return items

    async def read(self, channel: str, after: int, epoch: str | None) -> list[PlainMessage]:
        """Return all items after a number, by sync."""
        return await self.read_on(await self.ask("sync", channel, Asked(after, epoch)))

    async def store(self, channel: str, count: int = 1) -> list[PlainAck]:
        """Send so many messages at once, and return their acks by number; what the server asks for comes again."""
        messages = {new_id(): self._target.data() for _ in range(count)}
        for message_id, data in messages.items():
            self.send_message(channel, message_id, data)
        acks = [await self.acked(channel, each, data) for each, data in messages.items()]
        return sorted(acks, key=lambda ack: ack.seq)

    def send_message(self, channel: str, message_id: str, data: Mapping[str, Any]) -> None:
        """Send a message."""
        self.send("sendMessage", clientMessageId=message_id, roomId=channel, **data)

    async def acked(self, channel: str, message_id: str, data: Mapping[str, Any], nth: int = 1) -> PlainAck:
        """Return the ``nth`` ack of a message that was sent; after a retryable nack it is sent again."""
        nacks = 0

        def find() -> PlainAck | PlainNack | None:
            acks = [each for each in self.of(PlainAck) if each.client_message_id == message_id][nth - 1 :]
            refusals = [each for each in self.of(PlainNack) if each.client_message_id == message_id][nacks:]
            answers: list[PlainAck | PlainNack] = [*acks, *refusals]
            return next(iter(answers), None)

        while True:
            found: PlainAck | PlainNack = await self.until(find, "the ack of a message")
            if isinstance(found, PlainAck):
                break
            if not found.retryable:
                said = f"a message was refused: {found.code} ({found.message})"
                raise NotConforming(f"{said}; is the payload one that the server takes?")
            nacks += 1
            await self._target.sleep(found.retry_after or 1.0)
            self.send_message(channel, message_id, data)
        if found.room_id != channel:
            raise NotConforming(f"the ack names the channel {found.room_id!r}, not {channel!r}")
        return found

    async def ready(self) -> Peer:
        """Say hello without channels, and return once the server is ready."""
        self.send("hello", v=VERSION, rooms=[])
        await self.until(lambda: self.others("ready"), "ready, the answer to hello,")
        return self

    async def pong(self, t: int = 1) -> PlainPong:
        """Send a ping, and return its pong."""
        count = len(self.of(PlainPong))
        self.send("ping", t=t)
        return await self.until(lambda: next(iter(self.of(PlainPong)[count:]), None), "the pong of a ping")

    async def item(self, channel: str, ack: PlainAck) -> PlainMessage:
        """Return the item that was acknowledged, as it was sent live."""

        def find() -> PlainMessage | None:
            return next((each for each in self.live(channel) if each.seq == ack.seq), None)

        return await self.until(find, f"item {ack.seq}, which was acknowledged,")

    # --- what came ---

    def of(self, kind: type[Found]) -> list[Found]:
        """Return the frames of a kind."""
        return [frame for frame in self.frames if isinstance(frame, kind)]

    def live(self, channel: str) -> list[PlainMessage]:
        """Return the items that came outside of batches."""
        return [each for each in self.of(PlainMessage) if each.room_id == channel]

    def others(self, kind: str) -> list[Mapping[str, Any]]:
        """Return the frames of a type as they came."""
        return [each for each in self.raw if isinstance(each, Mapping) and each.get("type") == kind]

    @property
    def ends(self) -> list[Any]:
        """Return how the server ended the connection: its bye, its close."""
        closes = [] if self.closed is None else [from_close(*self.closed)]
        return [*map(from_bye, self.others("bye")), *closes]

    # --- kizuna.platform.SocketListener ---

    def on_open(self) -> None:
        """Note that the handshake has succeeded."""
        self._is_open = True
        self._news.set()

    def on_text(self, text: str) -> None:
        """Note a frame."""
        try:
            frame = json.loads(text)
            self.frames.append(parse(frame))
            self.raw.append(frame)
        except MalformedFrame as error:
            self._problem = self._problem or f"a frame is malformed: {error}: {text[:200]}"
        except ValueError:
            self._problem = self._problem or f"a frame is no JSON: {text[:200]}"
        self._news.set()

    def on_binary(self, data: bytes) -> None:
        """Note a frame that no client of this wire reads."""
        self._problem = self._problem or "a binary frame came: clients of wire KIZUNA read text"
        self._news.set()

    def on_close(self, code: int, reason: str) -> None:
        """Note the end."""
        self.closed = (code, reason)
        self._news.set()


def new_id() -> str:
    """Return an id that no other message has."""
    return secrets.token_urlsafe(12)


def position(channel: str, at: Asked) -> dict[str, Any]:
    """Return a position as hello, join and sync have it."""
    return {"roomId": channel, "after": at.after, "epoch": at.epoch}


def checked(batch: PlainBatch, channel: str, at: Asked) -> PlainBatch:
    """Return a batch whose items are those that follow ``at``, or a page of its own, in ascending order.

    Raises:
        NotConforming: They are not.
    """
    if batch.room_id != channel:
        raise NotConforming(f"the batch is of the channel {batch.room_id!r}, not {channel!r}")
    seqs = numbers(batch.messages, batch.epoch)
    continues = at.after is not None and at.epoch in (None, batch.epoch) and at.after <= batch.head
    first = at.after + 1 if continues and at.after is not None and not batch.limited else (seqs or [1])[0]
    if seqs != list(range(first, first + len(seqs))):
        raise NotConforming(f"a batch after {at.after} has the numbers {seqs}, in this order")
    last = seqs[-1] if seqs else at.after if continues else batch.head
    if batch.complete and last != batch.head:
        raise NotConforming(f"a batch is complete at the number {last}, but its head is {batch.head}")
    return batch


def numbers(items: Sequence[PlainMessage], epoch: str) -> list[int]:
    """Return the numbers of items of this history.

    Raises:
        NotConforming: One has no number, or another epoch.
    """
    for item in items:
        if item.seq is None or item.epoch != epoch:
            raise NotConforming(f"an item of epoch {epoch} has the number {item.seq} of epoch {item.epoch}")
    return [item.seq or 0 for item in items]


def _words(code: int, reason: str) -> str:
    return f"code {code}" + (f", {reason}" if reason else "")
