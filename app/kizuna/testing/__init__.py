"""Tests without a network and without waiting: a fake platform in virtual time, and a fake server that answers.

server = FakeServer()
platform = FakePlatform(server)
async with connect("wss://example.org/ws", platform=platform) as connection:
    connection.send({"say": "hello"})
    assert server.frames == [{"say": "hello"}]
    server.drop_all()                            # every connection breaks
    await platform.connected(connection)         # the first retry was due after 1 s, which took no time

With pytest, :mod:`kizuna.testing.pytest_plugin` has fixtures of both. Without a server the test plays it:
``platform.socket.accept()``, ``.receive(frame)``, ``.drop()``. FaultPlatform is for a program that runs: around its
real platform, it lets faults happen on command.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    from kizuna.testing.faults import Fault, FaultPlatform

__all__ = [
    "Answer",
    "FakeChannelServer",
    "FakeClient",
    "FakeLog",
    "FakePlatform",
    "FakeServer",
    "FakeSocket",
    "Fault",
    "FaultPlatform",
    "MemoryLocks",
    "MemoryStorage",
    "SocketServer",
    "VirtualClock",
]

#: Where the names are: a program with a FaultPlatform loads no fakes.
_MODULES = {
    "Answer": "fake_server",
    "FakeChannelServer": "fake_channel_server",
    "FakeClient": "fake_server",
    "FakeLog": "fake_channel_server",
    "FakeServer": "fake_server",
    "Fault": "faults",
    "FaultPlatform": "faults",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'fake_platform')}"), name)


def __dir__() -> list[str]:
    return __all__
