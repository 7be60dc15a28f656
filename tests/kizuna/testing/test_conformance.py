"""A server with one fault fails the check of that name, and the fake server, without faults, passes all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kizuna.testing import FakeChannelServer, FakeClient, FakePlatform
from kizuna.testing.conformance import CHECKS, Outcome, Result, Target, run, sentence

URL = "wss://example.org/ws"


async def results(
    server: FakeChannelServer, only: str = "", platform: FakePlatform | None = None, **settings: Any
) -> list[Result]:
    """The results of a server, in virtual time."""
    platform = platform or FakePlatform(server)
    target = Target(url=URL, platform=platform, **settings)

    async def collect() -> list[Result]:
        return [result async for result in run(target, [only] if only else ())]

    running = asyncio.ensure_future(collect())
    while not running.done():
        await platform.advance(0.1)
    return await running


def troubles(server: FakeChannelServer) -> dict[str, Any]:
    """A restart, and a replaced history."""

    async def restart() -> None:
        server.close_all(1012)

    async def replace() -> None:
        for channel in server.logs:
            server.replace_history(channel, 1)

    return {"restart": restart, "replace": replace}


async def failures(server: FakeChannelServer, **settings: Any) -> dict[str, str]:
    """What a server fails, and why."""
    found = await results(server, **{**troubles(server), **settings})
    return {result.name: result.words for result in found if result.outcome is not Outcome.OK}


async def test_the_fake_server_passes_every_check():
    server = FakeChannelServer()
    found = await results(server, **troubles(server), token="a b", payload={"sku": 7})
    assert [(each.name, each.outcome) for each in found] == [(name, Outcome.OK) for name in CHECKS]
    assert set(server.urls) == {f"{URL}?token=a+b"}


async def test_small_pages_and_gaps_too_large_pass():
    assert await failures(FakeChannelServer(page=2)) == {}
    assert await failures(FakeChannelServer(page=2, gap=1), channel="one") != {}


async def test_a_channel_in_use_passes():
    server = FakeChannelServer()
    for sku in range(3):
        server.put("orders", {"sku": sku})
    assert await failures(server, channel="orders") == {}


async def test_what_is_not_given_is_skipped():
    found = await results(FakeChannelServer(), "kill")
    found += await results(FakeChannelServer(), "replaced")
    assert [(each.outcome, each.words) for each in found] == [
        (Outcome.SKIPPED, "needs --restart COMMAND"),
        (Outcome.SKIPPED, "needs --replace COMMAND"),
    ]


@pytest.mark.parametrize(("after", "outcome"), [(20.0, Outcome.OK), (200.0, Outcome.FAILED)])
async def test_a_killed_server_has_a_minute_to_start(after: float, outcome: Outcome):
    server = FakeChannelServer()
    platform = FakePlatform(server)

    async def restart() -> None:
        server.go_down()
        platform.call_at(platform.now().monotonic + after, server.come_up)

    (result,) = await results(server, "kill", platform, restart=restart)
    assert result.outcome is outcome


async def test_each_check_says_what_a_server_must_do():
    assert all(sentence(name).endswith(".") for name in CHECKS)


# --- servers with a fault, and the checks that they fail ---

FAULTY: list[tuple[type[FakeChannelServer], set[str], str]] = []


def fails(*names: str, words: str) -> Callable[[type[FakeChannelServer]], type[FakeChannelServer]]:
    """Name the checks that a server fails, and what is said of the first."""

    def note(server: type[FakeChannelServer]) -> type[FakeChannelServer]:
        FAULTY.append((server, set(names), words))
        return server

    return note


@fails("dedupe-after-reconnect", "kill", words="on another connection number 1 became")
class ForgetsIdsOfClosedConnections(FakeChannelServer):
    def on_hello(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        for log in self.logs.values():
            log.ids.clear()
        super().on_hello(client, frame)


@fails("dedupe", "dedupe-after-reconnect", "kill", words="number 1, sent again, became 2")
class ForgetsIdsAtOnce(FakeChannelServer):
    def on_message(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        super().on_message(client, frame)
        self.log(frame["roomId"]).ids.clear()


@fails("gap", words="a batch after 2 has the numbers [5, 4, 3]")
class AnswersSyncBackwards(FakeChannelServer):
    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        batch = super().after(position, ref)
        is_gap = ref and 0 < (position["after"] or 0) < batch["head"]
        return {**batch, "messages": batch["messages"][::-1]} if is_gap else batch


@fails("kill", words="of the acknowledged numbers [1, 2, 3, 4] came [1, 2, 3]")
class AcknowledgesBeforeItStores(FakeChannelServer):
    """Its last item is written a moment after the ack: too late for a kill."""

    def close_all(self, code: int = 1012, reason: str = "") -> None:
        for log in self.logs.values():
            if log.items:
                log.ids.pop(log.items.pop()["clientMessageId"])
        super().close_all(code, reason)


@fails("replaced", words="the epoch is epoch-")
class KeepsTheEpochOfALostHistory(FakeChannelServer):
    def replace_history(self, channel: str, keep: int = 0) -> None:
        self.log(channel).items[keep:] = []


@fails("entering", words="which was acknowledged, did not come within 10 s")
class ReadsBeforeItEnters(FakeChannelServer):
    """It enters a client a moment later."""

    def on_hello(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        super().on_hello(client, frame)
        for position in frame["rooms"]:
            self._leave_for_a_moment(client, position["roomId"])

    def on_join(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        super().on_join(client, frame)
        self._leave_for_a_moment(client, frame["roomId"])

    def _leave_for_a_moment(self, client: FakeClient, channel: str) -> None:
        entered = self._entered[client]
        entered.discard(channel)
        asyncio.get_running_loop().call_soon(entered.add, channel)


@fails("order", words="the acks have the numbers [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]")
class SkipsNumbers(FakeChannelServer):
    """Each ninth item is one that nobody has sent."""

    def stored(self, channel: str, message_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
        item = super().stored(channel, message_id, data)
        if len(self.log(channel).items) == 9:
            return super().stored(channel, message_id, data)
        return item


@fails("heads", words="pong says None, the newest item is ('epoch-")
class NamesNoHeads(FakeChannelServer):
    def heads(self, client: FakeClient) -> list[dict[str, Any]]:
        return []


@fails("heads", words="pong has t 7, its ping had 1")
class AnswersPingsWithATimeOfItsOwn(FakeChannelServer):
    def _pong(self, client: FakeClient, t: Any) -> None:
        super()._pong(client, 7)


@fails("leaving", words="pong names a channel that was left")
class LetsNobodyLeave(FakeChannelServer):
    def on_frame(self, client: FakeClient, frame: Any) -> None:
        if not isinstance(frame, dict) or frame.get("action") != "leave":
            super().on_frame(client, frame)


@fails("leaving", words="an item came to a client that had left")
class SendsItemsToThoseWhoLeft(FakeChannelServer):
    def send_item(self, channel: str, item: Mapping[str, Any]) -> None:
        for client in self.clients:
            client.send(item)


@fails("bad-frames", words="instead of the pong of a ping came a close: code 1003, what?")
class ClosesForABadFrame(FakeChannelServer):
    def on_frame(self, client: FakeClient, frame: Any) -> None:
        if isinstance(frame, dict):
            super().on_frame(client, frame)
        else:
            client.close(1003, "what?")


@fails("version", words="bye did not come")
class SpeaksEveryVersion(FakeChannelServer):
    def on_hello(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        super().on_hello(client, {**frame, "v": 1})


@fails("version", words="clients come back after 'the server failed'")
class FailsForAnotherVersion(FakeChannelServer):
    def on_hello(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        if frame["v"] == 1:
            super().on_hello(client, frame)
        else:
            client.close(1011)


@fails("refusal", words="the nack of a message whose roomId is 7 did not come")
class SaysNothingOfWrongMessages(FakeChannelServer):
    def on_frame(self, client: FakeClient, frame: Any) -> None:
        if not isinstance(frame, dict) or frame.get("roomId") != 7:
            super().on_frame(client, frame)


@fails("broadcast", words='of the payload {"sku": 7} came back {"sku": null}')
class LosesThePayload(FakeChannelServer):
    def send_item(self, channel: str, item: Mapping[str, Any]) -> None:
        super().send_item(channel, {key: value for key, value in item.items() if key != "sku"})


@fails("broadcast", "order", words="the item has the id None")
class LosesTheIds(FakeChannelServer):
    def send_item(self, channel: str, item: Mapping[str, Any]) -> None:
        super().send_item(channel, {**item, "clientMessageId": None})


@fails("beginning", words="a batch after 0 has the numbers [2], in this order")
class BeginsWithTheSecondItem(FakeChannelServer):
    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        batch = super().after(position, ref)
        return batch if position["epoch"] else {**batch, "messages": batch["messages"][1:]}


@fails("order", words="1 of epoch None")
class NumbersItemsInBatchesWithoutEpoch(FakeChannelServer):
    """In a channel of ten items."""

    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        batch = super().after(position, ref)
        if batch["head"] != 10:
            return batch
        return {**batch, "messages": [{**item, "epoch": None} for item in batch["messages"]]}


@fails("gap", words="a batch is complete at the number 5, but its head is 6")
class ExpectsMoreThanThereIs(FakeChannelServer):
    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        batch = super().after(position, ref)
        return {**batch, "head": 6} if position["after"] == 5 else batch


@fails("gap", words="a batch without items is not complete")
class NeverCompletes(FakeChannelServer):
    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        batch = super().after(position, ref)
        return {**batch, "complete": False} if position["after"] == 5 else batch


@fails("gap", words="sync was answered by an error: internal (no)")
class CannotRead(FakeChannelServer):
    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        if position["after"] == 5:
            return {"type": "error", "code": "internal", "message": "no", "ref": ref}
        return super().after(position, ref)


@fails("gap", words="the batch is of the channel 'another', not")
class ReadsAnotherChannel(FakeChannelServer):
    def after(self, position: Mapping[str, Any], ref: Any) -> dict[str, Any]:
        batch = super().after(position, ref)
        return {**batch, "roomId": "another", "messages": []} if position["after"] == 5 else batch


class Saying(FakeChannelServer):
    """It answers messages by something else."""

    def __init__(self, *answers: Any) -> None:
        super().__init__()
        self.answers = list(answers)

    def on_message(self, client: FakeClient, frame: Mapping[str, Any]) -> None:
        if not self.answers:
            super().on_message(client, frame)
        elif isinstance(answer := self.answers.pop(0), dict):
            client.send({"clientMessageId": frame["clientMessageId"], **answer})
        else:
            client.socket.receive(answer)


ACK = {"type": "ack", "roomId": "another", "epoch": "e", "seq": 1}
NACK = {"type": "nack", "code": "full", "message": "no room"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ACK, "the ack names the channel 'another', not"),
        ({**ACK, "seq": 0}, "a frame is malformed: seq: must be an integer of at least 1: {"),
        (NACK, "a message was refused: full (no room); is the payload one that the server takes?"),
        ("no JSON", "a frame is no JSON: no JSON"),
        (b"bytes", "a binary frame came"),
    ],
)
async def test_an_answer_that_no_client_can_use_is_told(answer: Any, words: str):
    (result,) = await results(Saying(answer), "missed")
    assert words in result.words


async def test_a_server_may_ask_to_send_a_message_later():
    later = {**NACK, "retryable": True}
    (result,) = await results(Saying(later, {**later, "retryAfter": 30}), "missed")
    assert result.outcome is Outcome.OK


@pytest.mark.parametrize(("faulty", "names", "words"), FAULTY, ids=[each[0].__name__ for each in FAULTY])
async def test_a_server_with_a_fault_fails_the_check_of_that_name(
    faulty: type[FakeChannelServer], names: set[str], words: str
):
    found = await failures(faulty(), payload={"sku": 7})
    assert found.keys() == names, found
    assert any(words in said for said in found.values()), found
