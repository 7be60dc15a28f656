"""People who use the backend as it is deployed."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.cloud.deployed import ORIGIN, Deployed
from tests.support.peer import SocketClient


@pytest.fixture
def person(deployed: Deployed, request: pytest.FixtureRequest) -> Iterator[Callable[..., SocketClient]]:
    """Somebody who is connected and in a room of this test: ``person("Ann")``; ``after=3``: who knows that much."""
    room = re.sub("[^a-z0-9]", "-", request.node.name)[-60:]
    with ExitStack() as leaving:

        def enter(name: str, **known: Any) -> SocketClient:
            url = f"{deployed.web_socket_url}?token={deployed.ticket(name)}"
            client = SocketClient.enter(url, room, origin=ORIGIN, **{"after": 0, **known})
            leaving.callback(client.leave)
            return client

        yield enter
