"""Delivery for an application: channels over one connection.

channels = Channels(connection, storage=IndexedDb("shop"))
orders = channels.open("orders", at=Start.BEGINNING)
receipt = await orders.send({"sku": 7})  # kept: neither a reload nor a crash loses it
await receipt.stored()
async for change in orders:
    ...
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any
from weakref import WeakSet

from kizuna.delivery.carrier import Connection, Link
from kizuna.delivery.catch_up import HISTORY_LIMIT
from kizuna.delivery.changes import (
    Change,
    Changes,
    Closed,
    Items,
    NewPage,
    Origin,
    Progress,
    RequestFailed,
    Restored,
    SendState,
    Stored,
)
from kizuna.delivery.channel import Channel, History, item_of
from kizuna.delivery.engine import DeliveryEngine, DeliveryStatistics
from kizuna.delivery.fallback_storage import FallbackStorage
from kizuna.delivery.frames import RESERVED, MalformedFrame, PlainAck, PlainBatch, PlainMessage, parse
from kizuna.delivery.memory_storage import MemoryStorage, NoLocks
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.delivery.pending_message import Failure, PendingMessage
from kizuna.delivery.reader import Position, Start
from kizuna.delivery.receipt import Receipt, Refused
from kizuna.delivery.requests import MAX_TRIES, REQUEST_TIMEOUT
from kizuna.delivery.tasks import TaskSet
from kizuna.errors import NotConnected
from kizuna.platform import Locks, Storage, TimerHandle

logger = logging.getLogger("kizuna.channels")

#: The status in which a link is being opened and prepared, so that what depends on it is kept.
_CONNECTING = "connecting"

#: The connections that have channels.
_IN_USE: WeakSet[Connection] = WeakSet()


class Channels:
    """The channels of one client over one connection, with one outbox for all. Make it before the connection opens.

    Args:
        connection: A connection over wire KIZUNA. Over another one nothing is acknowledged or caught up: a message is
            sent once, and fails as Unconfirmed unless its item comes back within ten seconds.
        storage: Where messages wait. None: in memory. If it fails, they wait in memory as well.
        locks: The locks among the tabs or processes that share ``storage``: without them each sends the messages of
            all, which the server de-duplicates. None: nobody else uses it.
        person: Whose messages these are. Those of others in the same storage are left alone. Without "/".

    Raises:
        ValueError: ``person`` is no such name.
        RuntimeError: The connection has channels, which are not closed: two would leave each other's channels.
    """

    def __init__(
        self,
        connection: Connection,
        storage: Storage | None = None,
        locks: Locks | None = None,
        *,
        person: str = "me",
    ) -> None:
        if not person or "/" in person:
            raise ValueError(f"person: must be a name without '/', not {person!r}")
        if connection in _IN_USE:
            raise RuntimeError(
                "this connection has Channels already: open all channels with those, or close() them first"
            )
        _IN_USE.add(connection)
        self.connection = connection
        self._person = person
        self._platform = connection.platform
        rows = OutboxStorage(
            FallbackStorage(storage or MemoryStorage(), self._warn_of_storage),
            locks or NoLocks(),
            secrets.token_urlsafe(16),
        )
        self.engine: DeliveryEngine[PlainMessage, PlainAck] = DeliveryEngine(
            self._platform.now,
            connection,
            rows,
            self,
            acknowledges=connection.wire.ready is not None,
            is_valid=_is_message,
        )
        self._channels: dict[str, Channel] = {}
        self._oldest: dict[str, int] = {}  # by channel, the oldest number delivered
        self._receipts: dict[str, Receipt] = {}
        self._listeners: list[Callable[[Receipt], object]] = []
        self._answers: dict[str, asyncio.Future[Mapping[str, Any]]] = {}  # by ref
        self._given_up: set[str] = set()  # refs whose answer may still come
        self._refs = itertools.count(1)
        self._tasks = TaskSet()
        self._loaded = asyncio.Event()
        self._turn = asyncio.Lock()  # of those who wait for it, since an event lets a later one pass
        self._is_loading = False
        self._is_closed = False
        self._was_open = False
        self._subscriptions = (
            connection.before_connected(self._prepare),
            connection.on_message(self._on_frame),
            connection.subscribe(lambda state: (state.status, state.link), self._on_connection),
        )

    # --- for applications ---

    def statistics(self) -> DeliveryStatistics:
        """Return the numbers of messages since these channels were made."""
        return self.engine.statistics()

    def open(self, name: str, at: Start | Position = Start.NEWEST) -> Channel:
        """Return the channel of this name, opened at ``at`` unless it is open already.

        Raises:
            NotConnected: The channels were closed.
        """
        self._begin()
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name, self)
            self.engine.catch_up.open(name, at)
            self.engine.catch_up.reconcile()
        return channel

    async def request(
        self,
        action: str,
        data: Mapping[str, Any] | None = None,
        *,
        timeout: float = REQUEST_TIMEOUT,  # noqa: ASYNC109 - by the platform's clock, which a test moves
    ) -> Mapping[str, Any]:
        """Send a request of the application's own, and return the frame that echoes its ``ref``.

        Args:
            action: The action.
            data: Its fields, without ``ref``.
            timeout: Seconds until it fails. It is sent once.

        Raises:
            NotConnected: There is no link, or it broke, or the channels were closed.
            Refused: The answer is an ``error``.
            TimeoutError: No answer came in time.
        """
        self._begin()
        ref = f"u{next(self._refs)}"
        self.connection.send_message(action, {**(data or {}), "ref": ref})
        answer: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[ref] = answer
        timer = self._platform.call_at(
            self._platform.now().monotonic + timeout,
            lambda: self._fail(ref, TimeoutError(f"no answer to {action} within {timeout:g} s")),
        )
        try:
            return await answer
        except (TimeoutError, asyncio.CancelledError):
            self._given_up.add(ref)
            raise
        finally:
            timer.cancel()
            self._answers.pop(ref, None)

    def on_progress(self, listener: Callable[[Receipt], object]) -> Callable[[], None]:
        """Call ``listener(receipt)`` whenever the state of a message changes; return the unsubscribe function.

        Also for messages of an earlier page, or of a closed tab, when they are found in the storage.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """End all channels and loops, and stop sending. Waiting messages stay stored."""
        self._is_closed = True
        _IN_USE.discard(self.connection)
        for unsubscribe in self._subscriptions:
            unsubscribe()
        for channel in tuple(self._channels.values()):
            channel.close()
        self._lose_answers()
        self.engine.catch_up.link_lost()
        self.engine.sender.stop()
        for receipt in self._receipts.values():
            receipt.note_closed()
        self._receipts.clear()

    # --- for Channel ---

    async def send(self, name: str, data: Mapping[str, Any], meta: Mapping[str, Any]) -> Receipt:
        """Keep a message and send it as soon as possible."""
        payload, kept = _payload(data), _json(meta)
        self._begin()
        async with self._turn:
            await self._loaded.wait()  # messages of an earlier page first
        message_id = secrets.token_urlsafe(16)
        frame = {"action": "sendMessage", "clientMessageId": message_id, "roomId": name, **payload}
        message = PendingMessage(id=message_id, channel=name, data=frame, meta=kept)
        receipt = self._receipts[message_id] = self._receipt(message)
        try:
            if not await self.engine.sender.enqueue(message):
                raise NotConnected("the channels are closed")
        except BaseException:
            self._receipts.pop(message_id, None)
            raise
        self._tell(receipt)
        self.apply(self.engine.sender.send_due())
        return receipt

    async def history(self, name: str, before: int | None, limit: int) -> History:
        """Return a page of earlier items."""
        oldest = self._oldest.get(name)
        if before is None:
            before = oldest or self._next_number(name)
        if before is None or before <= 1:
            return History((), before is not None)
        data = {"roomId": name, "before": before, "limit": min(limit, HISTORY_LIMIT)}
        answer = parse(await self._ask_history(data))
        if not isinstance(answer, PlainBatch):
            raise MalformedFrame("the answer to history must be a batch")
        reader = self.engine.catch_up.reader(name)
        if reader is not None and reader.epoch not in (None, answer.epoch):
            return History((), complete=False)
        items = tuple(item_of(each, Origin.FIRST_PAGE) for each in answer.messages)
        if self._oldest.get(name) == oldest:  # else a new page has begun meanwhile
            self._oldest[name] = min([before, *(each.seq for each in items if each.seq is not None)])
        return History(items, answer.complete)

    def _next_number(self, name: str) -> int | None:
        """Return the number that a channel's next item will have; None while that is not known."""
        reader = self.engine.catch_up.reader(name)
        is_known = (
            reader is not None and reader.epoch is not None and self.engine.catch_up.status(name).caught_up
        )
        return reader.watermark + 1 if reader is not None and is_known else None

    async def _ask_history(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(MAX_TRIES - 1):
            try:
                return await self.request("history", data)
            except TimeoutError:
                self.connection.doubt()
        return await self.request("history", data)

    def receipts_of(self, name: str) -> tuple[Receipt, ...]:
        """Return the receipts of messages of this channel that are not stored."""
        pending = self.engine.sender.pending_in(name)
        return tuple(self._receipts[each.id] for each in pending)

    def forget(self, channel: Channel) -> None:
        """Close a channel."""
        if self._channels.get(channel.name) is channel:
            del self._channels[channel.name]
            self._oldest.pop(channel.name, None)
            self.engine.catch_up.close(channel.name)
            self.engine.catch_up.reconcile()

    def retry(self, message_id: str) -> None:
        """Send a failed message again, under the same id."""
        self.apply([*self.engine.sender.retry(message_id), *self.engine.sender.send_due()])

    def discard(self, message_id: str) -> bool:
        """Delete a message. Return whether it may have arrived."""
        may_have_arrived = self.engine.sender.discard(message_id)
        if message_id in self._receipts:
            receipt = self._receipts.pop(message_id)
            receipt.note_discarded()
            self._tell(receipt)
        self.apply(self.engine.sender.send_due())
        return may_have_arrived

    # --- events ---

    def _begin(self) -> None:
        """Load the messages of an earlier page, once."""
        if self._is_closed:
            raise NotConnected("the channels are closed")
        if not self._is_loading:
            asyncio.get_running_loop()  # raises outside of one, before anything has begun
            self._is_loading = True
            self._tasks.start(self._load())

    async def _load(self) -> None:
        try:
            if not self._is_closed:
                self.apply(await self.engine.sender.start_for(self._person))
        finally:
            self._loaded.set()
        self.apply(self.engine.sender.send_due())

    async def _prepare(self, link: Link) -> None:
        if not self._is_closed:  # another function may have prepared the link meanwhile
            self._begin()
            await self.engine.prepare(link)

    def _on_frame(self, frame: Any) -> None:
        ref = frame.get("ref") if isinstance(frame, Mapping) else None
        ref = ref if isinstance(ref, str) else ""
        if ref in self._answers:
            self._answer(ref, frame)
            return
        if ref in self._given_up:  # it is no answer to a request of catching up
            self._given_up.discard(ref)
            return
        try:
            parsed = parse(frame)
        except MalformedFrame as error:
            logger.warning("a frame from the server was ignored: %s", error)
            return
        self.apply(self.engine.receive(parsed))

    def _on_connection(self, _: object) -> None:
        state, is_open = self.connection.state, self.connection.is_connected()
        if is_open:
            self.apply(self.engine.link_ready(state.link))
        elif self._was_open or state.status != _CONNECTING:
            self._lose_answers()
            self.apply(self.engine.link_lost())
        self._was_open = is_open
        for channel in self._channels.values():
            channel.wake()

    # --- what the engine reports ---

    def apply(self, changes: Changes) -> None:
        """Give changes to the channels and receipts."""
        for change in changes:
            match change:
                case Items() | NewPage() | Closed():
                    self._to_channel(change)
                case Progress(message, state):
                    self._note_progress(message, state)
                case Stored(_, message_id, seq):
                    receipt = self._receipts.pop(message_id, None)
                    if receipt is not None:
                        receipt.note_stored(seq)
                        self._tell(receipt)
                case Restored(messages):
                    receipts = {message.id: self._receipt(message) for message in messages}
                    self._receipts = (
                        receipts | self._receipts
                    )  # all of them, before a listener asks what waits
                    for message_id in receipts:
                        self._tell(self._receipts[message_id])
                    self.apply(self.engine.sender.send_due())
                case RequestFailed(code, words):
                    logger.warning("the server could not serve a request: %s (%s)", words, code)

    def _to_channel(self, change: Items[PlainMessage] | NewPage | Closed) -> None:
        channel = self._channels[change.channel]
        if isinstance(change, NewPage):
            self._oldest[channel.name] = change.first
        elif isinstance(change, Items) and change.items[0].seq is not None:
            self._oldest.setdefault(channel.name, change.items[0].seq)
        channel.take(change)

    def _note_progress(self, message: PendingMessage, state: SendState) -> None:
        receipt = self._receipts[message.id]
        if state is SendState.TAKEN_OVER:
            del self._receipts[message.id]
        receipt.note_progress(message, state)
        self._tell(receipt)

    def _tell(self, receipt: Receipt) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(receipt)
            except Exception as error:  # noqa: BLE001 - the event loop's handler gets it; the others are called
                context = {"message": f"error in {listener!r}", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)

    def _receipt(self, message: PendingMessage) -> Receipt:
        payload = {key: value for key, value in message.data.items() if key not in RESERVED}
        return Receipt(message, payload, self)

    def _answer(self, ref: str, frame: Mapping[str, Any]) -> None:
        if frame.get("type") == "error":
            self._fail(ref, Refused(Failure(str(frame.get("code", "")), str(frame.get("message", "")))))
        elif not self._answers[ref].done():
            self._answers[ref].set_result(frame)

    def _fail(self, ref: str, error: Exception) -> None:
        answer = self._answers.get(ref)
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _lose_answers(self) -> None:
        self._given_up.clear()
        for ref in tuple(self._answers):
            self._fail(ref, NotConnected("the link broke before the answer came"))

    def _warn_of_storage(self) -> None:
        logger.warning("the storage failed: messages that wait are in memory, and end with the page")

    # --- kizuna.delivery.Later ---

    def call_at(self, deadline: float, handle: Callable[[], Changes]) -> TimerHandle:
        """Call ``handle`` at ``deadline`` (monotonic seconds), and apply what it returns."""
        return self._platform.call_at(deadline, lambda: self.apply(handle()))

    def start(self, work: Coroutine[Any, Any, list[Change]]) -> None:
        """Run ``work`` in the background, and apply what it returns."""

        async def finish() -> None:
            self.apply(await work)

        self._tasks.start(finish())

    def write(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` in the background."""
        self._tasks.start(work)


def _is_message(row: PendingMessage) -> bool:
    """Return whether a stored row can be sent, and acknowledged."""
    names = ("action", "clientMessageId", "roomId")
    is_message = [row.data.get(name) for name in names] == ["sendMessage", row.id, row.channel]
    if not is_message:
        logger.warning("could not read a waiting message, leaving it in storage")
    return is_message


def _payload(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``data`` as it will arrive.

    Raises:
        ValueError: A reserved key, or what JSON cannot carry.
    """
    reserved = sorted(RESERVED & data.keys())
    if reserved:
        raise ValueError(f"{', '.join(reserved)}: a key of wire KIZUNA itself; give your own another name")
    return _json(data)


def _json(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``data`` as JSON brings it back.

    Raises:
        ValueError: What JSON cannot carry.
    """
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(data), allow_nan=False))
    except TypeError as error:
        raise ValueError(f"not JSON: {error}") from None
    return copy
