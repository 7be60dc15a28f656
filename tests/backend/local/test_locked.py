"""The server of one machine while another process holds the lock of its file: a backup, or the sqlite3 shell."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.local.app import WORKERS, Options, Service
from tests.backend.client import AsgiClient
from tests.support.server import secret_of
from tests.support.waiting import eventually

#: More than there are threads that may wait to write.
SPEAKERS = WORKERS + 8


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    made = Service(Options(data=tmp_path / "k.sqlite3", root=tmp_path))
    yield made
    assert made.close(within=60)


@contextlib.contextmanager
def locked(service: Service) -> Iterator[None]:
    """Hold the file's lock, as another process that writes would."""
    other = sqlite3.connect(service.store.path, isolation_level=None)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


class RoomMember:
    """One person with a connection, in a room without others."""

    def __init__(self, service: Service, name: str) -> None:
        token = service.tokens.issue(name, secret_of(name)).token
        self.room = f"room-of-{name}"
        self.client = AsgiClient(service.gateway, query=f"token={token}")

    async def enter(self) -> None:
        """Connect and say hello."""
        await self.client.connect()
        self.say("hello", v=1, rooms=[{"roomId": self.room}])
        await self.hear("presence")

    def say(self, action: str, **parts: object) -> None:
        """Send a frame and wait for nothing."""
        self.client.send(json.dumps({"action": action, **parts}))

    async def hear(self, kind: str) -> dict[str, object]:
        """Return the next frame of this type."""
        while True:
            frame = dict(await self.client.frame())
            if frame.get("type") == kind:
                return frame
            assert "type" in frame, frame  # "Internal server error"

    async def leave(self) -> None:
        """Disconnect, and wait until the server has let go."""
        self.client.leave()
        await self.client.ended()


async def test_ping_is_answered_while_forty_writers_wait(service: Service) -> None:
    speakers = [RoomMember(service, f"P{number}") for number in range(SPEAKERS)]
    quinn = RoomMember(service, "Quinn")
    for person in (*speakers, quinn):
        await person.enter()
    with locked(service):
        for speaker in speakers:
            speaker.say("sendMessage", clientMessageId="c-1", roomId=speaker.room, content="hi")
        await asyncio.to_thread(
            eventually,
            lambda: len(service.gateway._turns) == SPEAKERS,
            what="all of them waiting to write",
        )
        quinn.say("ping", t=7)
        assert (await quinn.hear("pong"))["t"] == 7
        quinn.say("sync", roomId=quinn.room, after=0)
        assert (await quinn.hear("batch"))["complete"]
        quinn.say("history", roomId=quinn.room, before=1)
        assert (await quinn.hear("batch"))["complete"]
    for speaker in speakers:
        assert (await speaker.hear("ack"))["seq"] == 1

    # Those who write at other times can do so again: $connect, hello and $disconnect.
    zoe = RoomMember(service, "Zoe")
    await zoe.enter()
    for person in (*speakers, quinn, zoe):
        await person.leave()
    assert service.store.partitions("CONNECTION#") == []
    for speaker in speakers:
        (message,) = service.backend.rooms.read_after(speaker.room, None, None).messages
        assert message.content == "hi"
