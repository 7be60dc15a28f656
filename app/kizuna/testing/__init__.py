"""Tests without a network and without waiting: a fake platform in virtual time, and a fake server that answers.

server = FakeServer()
platform = FakePlatform(server)
async with connect("wss://example.org/ws", platform=platform) as connection:
    connection.send({"say": "hello"})
    assert server.frames == [{"say": "hello"}]
    server.drop_all()                            # every connection breaks
    await platform.connected(connection)         # the first retry was due after 1 s, which took no time

With pytest, :mod:`kizuna.testing.pytest_plugin` has fixtures of both. Without a server the test plays it:
``platform.socket.accept()``, ``.receive(frame)``, ``.drop()``.
"""

from __future__ import annotations

from kizuna.testing.fake_channel_server import FakeChannelServer, FakeLog
from kizuna.testing.fake_platform import (
    FakePlatform,
    FakeSocket,
    MemoryLocks,
    MemoryStorage,
    SocketServer,
    VirtualClock,
)
from kizuna.testing.fake_server import Answer, FakeClient, FakeServer

__all__ = [
    "Answer",
    "FakeChannelServer",
    "FakeClient",
    "FakeLog",
    "FakePlatform",
    "FakeServer",
    "FakeSocket",
    "MemoryLocks",
    "MemoryStorage",
    "SocketServer",
    "VirtualClock",
]
