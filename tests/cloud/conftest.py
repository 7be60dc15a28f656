"""People who use the deployed backend."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cloud.deployed import ORIGIN, Deployed
from tests.support.peer import SocketClient


@pytest.fixture
def person(deployed: Deployed, request: pytest.FixtureRequest) -> Iterator[Callable[..., SocketClient]]:
    """Return a function that connects people to this test's room: ``person("Ann")``; ``after=3``: a person who has the
    messages up to 3."""
    room = re.sub("[^a-z0-9]", "-", request.node.name)[-60:]
    with ExitStack() as leaving:

        def enter(name: str, **known: Any) -> SocketClient:
            url = f"{deployed.web_socket_url}?token={deployed.ticket(name)}"
            client = SocketClient.enter(url, room, origin=ORIGIN, **{"after": 0, **known})
            leaving.callback(client.leave)
            return client

        yield enter
