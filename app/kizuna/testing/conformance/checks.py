"""The checks: each is named after its function, and its docstring is what a server of wire KIZUNA must do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

from kizuna.core.links import Policy
from kizuna.delivery.frames import PlainAck, PlainMessage, PlainNack
from kizuna.delivery.reader import Asked
from kizuna.testing.conformance.peer import Peer, new_id, numbers
from kizuna.testing.conformance.target import NotConforming, NotPossible, Target

#: Seconds between two looks at a server that is starting, or has not handled a frame yet.
AGAIN = 0.2
#: Seconds that a server may take to start.
START = 60.0
#: Frames that no server can use; the connection goes on.
BAD_FRAMES = (
    "no JSON",
    "[]",
    "{}",
    '{"action": 7}',
    '{"action": "no such action"}',
    '{"action": "sync", "roomId": 7, "after": "x"}',
    '{"action": "sendMessage"}',
)


class Session:
    """The connections of one check, in a channel of its own."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.channel = target.new_channel()
        self._peers: list[Peer] = []

    async def open(self) -> Peer:
        """Return a new connection, which has said nothing."""
        self._peers.append(Peer(self.target, self.target.address))
        return await self._peers[-1].opened()

    async def enter(self) -> tuple[Peer, Asked]:
        """Return a new connection in the channel, and the channel's newest position."""
        peer = await self.open()
        batch = await peer.hello(self.channel)
        return peer, Asked(batch.head, batch.epoch)

    async def come_back(self) -> Peer:
        """Return a new connection to a server that is starting."""
        for _ in range(round(START / AGAIN)):
            try:
                return await self.open()
            except NotConforming:
                await self.target.sleep(AGAIN)
        return await self.open()

    def close(self) -> None:
        """Close all connections."""
        for peer in self._peers:
            peer.close()


Check: TypeAlias = Callable[[Session], Awaitable[None]]
#: By name, in the order in which they run.
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Add a check, under the name of its function."""
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


def expect(holds: object, problem: str) -> None:
    """Raise NotConforming unless ``holds`` is true."""
    if not holds:
        raise NotConforming(problem)


# --- connections ---


@check
async def hello(session: Session) -> None:
    """Answer hello with ready, and with one batch for each channel in it, also if it names none."""
    peer, _ = await session.enter()
    (ready, *more) = peer.others("ready")
    expect(not more, "ready came twice")
    expires_in = ready.get("expiresIn")
    is_number = isinstance(expires_in, int | float) and expires_in >= 0
    expect(expires_in is None or is_number, f"ready says expiresIn {expires_in!r}, which is no seconds")
    await (await session.open()).ready()


@check
async def version(session: Session) -> None:
    """Refuse a hello of another version for good: by bye with reconnect false, or by a close that says so."""
    peer = await session.open()
    peer.send("hello", v=999, rooms=[])
    ends = await peer.until(lambda: peer.ends, "bye")
    expect(ends[0].policy is Policy.STOP, f"clients come back after {ends[0].reason.words!r}")
    await peer.until(lambda: peer.closed, "the close after bye")


@check
async def bad_frames(session: Session) -> None:
    """Go on after a frame that cannot be used, and store nothing of it."""
    peer, at = await session.enter()
    for text in BAD_FRAMES:
        peer.send_text(text)
        await peer.pong()
    expect(not await peer.read(session.channel, at.after or 0, at.epoch), "a bad frame was stored")


@check
async def refusal(session: Session) -> None:
    """Answer a message that can never be stored with a nack that is not retryable: else it is sent again for ever."""
    peer, _ = await session.enter()
    message_id = new_id()
    peer.send("sendMessage", clientMessageId=message_id, roomId=7, **session.target.data())

    def find() -> PlainNack | None:
        return next((each for each in peer.of(PlainNack) if each.client_message_id == message_id), None)

    nack = await peer.until(find, "the nack of a message whose roomId is 7")
    expect(not nack.retryable, "the nack says that the same message may succeed later")


# --- items ---


@check
async def broadcast(session: Session) -> None:
    """Send an item to everybody in its channel, its sender too, with its ack's number and the payload as it came."""
    sender, _ = await session.enter()
    reader, _ = await session.enter()
    message_id, data = new_id(), session.target.data()
    sender.send_message(session.channel, message_id, data)
    ack = await sender.acked(session.channel, message_id, data)
    for peer in (sender, reader):
        item = await peer.item(session.channel, ack)
        numbers([item], ack.epoch)
        expect(item.client_message_id == message_id, f"the item has the id {item.client_message_id!r}")
        _expect_payload(item, data)
    stored = await reader.read(session.channel, ack.seq - 1, ack.epoch)
    _expect_same(stored, [ack])
    _expect_payload(stored[0], data)


@check
async def order(session: Session) -> None:
    """Give dense numbers to what two clients send at once, and all clients the same items under them."""
    one, at = await session.enter()
    two, _ = await session.enter()
    together = await asyncio.gather(*(peer.store(session.channel, 5) for peer in (one, two)))
    acks = [ack for of_one in together for ack in of_one]
    expected = list(range((at.after or 0) + 1, (at.after or 0) + 1 + len(acks)))
    seqs = sorted(ack.seq for ack in acks)
    expect(seqs == expected, f"the acks have the numbers {seqs}, not {expected}")
    for peer in (one, two):
        live = [await peer.item(session.channel, ack) for ack in acks]
        _expect_same(live, acks)
    _expect_same(await one.read(session.channel, at.after or 0, acks[0].epoch), acks)


@check
async def dedupe(session: Session) -> None:
    """Answer a message that comes again under its id with its first number, and store it once."""
    peer, at = await session.enter()
    message_id, data = new_id(), session.target.data()
    acks = []
    for nth in (1, 2):
        peer.send_message(session.channel, message_id, data)
        acks.append(await peer.acked(session.channel, message_id, data, nth))
    expect(acks[0].seq == acks[1].seq, f"number {acks[0].seq}, sent again, became {acks[1].seq}")
    await _expect_once(session, peer, at, acks)


@check
async def dedupe_after_reconnect(session: Session) -> None:
    """Do the same on another connection, also if the first one broke before the ack."""
    peer, at = await session.enter()
    messages = {new_id(): session.target.data() for _ in range(2)}
    known, lost = messages
    peer.send_message(session.channel, known, messages[known])
    first = await peer.acked(session.channel, known, messages[known])
    peer.send_message(session.channel, lost, messages[lost])
    peer.close()
    again, _ = await session.enter()
    acks = []
    for message_id, data in messages.items():
        again.send_message(session.channel, message_id, data)
        acks.append(await again.acked(session.channel, message_id, data))
    expect(acks[0].seq == first.seq, f"on another connection number {first.seq} became {acks[0].seq}")
    await _expect_once(session, again, at, acks)


# --- catching up ---


@check
async def missed(session: Session) -> None:
    """Send what was missed, once and in order, to a hello with a position."""
    away, _ = await session.enter()
    (known,) = await away.store(session.channel)
    away.close()
    writer, _ = await session.enter()
    acks = await writer.store(session.channel, 3)
    back = await session.open()
    items = await back.read_on(await back.hello(session.channel, Asked(known.seq, known.epoch)))
    _expect_same(items, acks)


@check
async def gap(session: Session) -> None:
    """Answer sync with the items after a number in ascending order, and echo its ref."""
    peer, at = await session.enter()
    acks = await peer.store(session.channel, 5)
    _expect_same(await peer.read(session.channel, acks[1].seq, acks[1].epoch), acks[2:])
    _expect_same(await peer.read(session.channel, at.after or 0, acks[0].epoch), acks)
    expect(
        not await peer.read(session.channel, acks[-1].seq, acks[-1].epoch), "there is nothing after the head"
    )


@check
async def beginning(session: Session) -> None:
    """Send all items to a position 0 without an epoch, or the newest ones marked limited."""
    peer, _ = await session.enter()
    *_, ack = await peer.store(session.channel, 2)
    items = await peer.read(session.channel, 0, None)
    expect(items and items[-1].seq == ack.seq, f"the items do not end with number {ack.seq}")


@check
async def first_item(session: Session) -> None:
    """Send the first item of a channel to a client that knows the channel as empty."""
    peer, at = await session.enter()
    (ack,) = await peer.store(session.channel)
    back = await session.open()
    items = await back.read_on(await back.hello(session.channel, at))
    _expect_same(items, [ack])


@check
async def epoch(session: Session) -> None:
    """Answer a position of another epoch, or beyond the head, with the newest items, or all, under the own epoch."""
    peer, _ = await session.enter()
    *_, ack = await peer.store(session.channel, 3)
    for at in (Asked(ack.seq, "another"), Asked(ack.seq + 1000, ack.epoch)):
        batch = await peer.ask("sync", session.channel, at)
        expect(batch.epoch == ack.epoch, f"the batch has the epoch {batch.epoch}, the ack {ack.epoch}")
        seqs = numbers(await peer.read_on(batch), ack.epoch)
        said = f"a position after {at.after} of epoch {at.epoch!r} got the numbers {seqs}"
        expect(seqs and seqs[-1] == ack.seq, said)


@check
async def history(session: Session) -> None:
    """Answer history with the newest items before a number, in ascending order; complete with the first one."""
    peer, at = await session.enter()
    acks = await peer.store(session.channel, 5)
    before, found, is_complete = acks[-1].seq, list[PlainMessage](), False
    while before > (at.after or 0) + 1:
        expect(not is_complete, f"history is complete before number {before}")
        ref = new_id()
        peer.send("history", roomId=session.channel, before=before, limit=2, ref=ref)
        batch = await peer.answer(ref, "history")
        seqs = numbers(batch.messages, batch.epoch)
        expected = list(range(max(before - 2, 1), before))
        expect(seqs == expected[-max(len(seqs), 1) :], f"before {before} came {seqs}, not {expected}")
        found = [*batch.messages, *found]
        before, is_complete = seqs[0], batch.complete
    expect(is_complete == (before == 1), f"history before number {before} says complete {is_complete}")
    _expect_same(found[-4:], acks[:-1])


@check
async def entering(session: Session) -> None:
    """Lose nothing while a client enters by hello or join: what is not in its batch comes live."""
    writer, at = await session.enter()
    for action in ("hello", "join"):
        reader = await session.open()
        if action == "join":
            await reader.ready()
        entering = (
            reader.hello(session.channel, at)
            if action == "hello"
            else reader.ask("join", session.channel, at)
        )
        batch, acks = await asyncio.gather(entering, writer.store(session.channel, 8))
        items = await reader.read_on(batch)
        seen = {item.seq for item in items}
        for ack in acks:
            if ack.seq not in seen:
                await reader.item(session.channel, ack)


@check
async def leaving(session: Session) -> None:
    """Send no item after leave, and name the channel in no pong; let join enter it again."""
    peer, at = await session.enter()
    writer, _ = await session.enter()
    peer.send("leave", roomId=session.channel)
    for _ in range(round(session.target.within / AGAIN)):
        pong = await peer.pong()
        if all(head.room_id != session.channel for head in pong.heads or ()):
            break
        await session.target.sleep(AGAIN)  # the server may handle frames side by side
    else:
        raise NotConforming("pong names a channel that was left")
    acks = await writer.store(session.channel)
    await writer.item(session.channel, acks[0])
    batch = await peer.ask("join", session.channel, at)
    expect(not peer.live(session.channel), "an item came to a client that had left")
    _expect_same(await peer.read_on(batch), acks)


@check
async def heads(session: Session) -> None:
    """Echo t in pong, and name the newest number of each channel of the connection: it shows a lost item."""
    peer, _ = await session.enter()
    for _ in range(2):
        (ack,) = await peer.store(session.channel)
        pong = await peer.pong(ack.seq)
        t = peer.others("pong")[-1].get("t")
        expect(t == ack.seq, f"pong has t {t}, its ping had {ack.seq}")
        named = {head.room_id: (head.epoch, head.seq) for head in pong.heads or ()}
        head = named.get(session.channel)
        expect(head == (ack.epoch, ack.seq), f"pong says {head}, the newest item is {(ack.epoch, ack.seq)}")


# --- the server's own troubles ---


@check
async def kill(session: Session) -> None:
    """Keep what was acknowledged through a kill, under its number, and know it when it comes again."""
    if session.target.restart is None:
        raise NotPossible("needs --restart COMMAND")
    peer, at = await session.enter()
    await peer.store(session.channel, 3)
    message_id, data = new_id(), session.target.data()
    peer.send_message(session.channel, message_id, data)
    last = await peer.acked(session.channel, message_id, data)
    await session.target.restart()
    stopped = [end for end in peer.ends if end.policy is Policy.STOP]
    expect(not stopped, f"clients do not come back after {[end.reason.words for end in stopped]}")
    peer.close()
    back = await session.come_back()
    known = Asked(at.after or 0, last.epoch)
    _expect_same(await back.read_on(await back.hello(session.channel, known)), peer.of(PlainAck))
    back.send_message(session.channel, message_id, data)
    again = await back.acked(session.channel, message_id, data)
    expect(again.seq == last.seq, f"number {last.seq}, sent again after the kill, became {again.seq}")


@check
async def replaced(session: Session) -> None:
    """Give a channel another epoch when its history was replaced, as by a backup."""
    if session.target.replace is None:
        raise NotPossible("needs --replace COMMAND")
    peer, _ = await session.enter()
    *_, ack = await peer.store(session.channel, 3)
    await session.target.replace()
    peer.close()
    back = await session.come_back()
    batch = await back.hello(session.channel, Asked(ack.seq, ack.epoch))
    (first,) = await back.store(session.channel)
    expect(ack.epoch not in (batch.epoch, first.epoch), f"the epoch is {ack.epoch} as before")


# --- inside ---


def _expect_payload(item: PlainMessage, data: Mapping[str, Any]) -> None:
    changed = {key: item.payload.get(key) for key, value in data.items() if item.payload.get(key) != value}
    expect(not changed, f"of the payload {json.dumps(data)} came back {json.dumps(changed)}")


def _expect_same(items: Sequence[PlainMessage], acks: Sequence[PlainAck]) -> None:
    """Check that these are the items of these acks, each once, in the order of their numbers."""
    got = [(item.seq, item.client_message_id) for item in sorted(items, key=lambda item: item.seq or 0)]
    expected = sorted((ack.seq, ack.client_message_id) for ack in acks)
    missing = [seq for seq, message_id in expected if (seq, message_id) not in got]
    more = [seq for seq, message_id in got if (seq, message_id) not in expected]
    problem = f"of the acknowledged numbers {[seq for seq, _ in expected]} came {[seq for seq, _ in got]}"
    expect(got == expected, f"{problem}: missing {missing}, of another message, or too many: {more}")


async def _expect_once(session: Session, peer: Peer, at: Asked, acks: Sequence[PlainAck]) -> None:
    """Check that the channel has the items of these acks, each once, once all that was sent is stored."""
    (barrier,) = await peer.store(session.channel)
    stored = {(ack.seq, ack.client_message_id) for ack in (*acks, barrier)}
    items = await peer.read(session.channel, at.after or 0, barrier.epoch)
    got = [(item.seq, item.client_message_id) for item in items]
    expect(sorted(got) == sorted(stored), f"the acks have the numbers {sorted(stored)}, the items {got}")
