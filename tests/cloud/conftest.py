"""People who use the backend as it is deployed."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.cloud.deployed import Deployed
from tests.cloud.person import Person


@pytest.fixture
def person(deployed: Deployed, request: pytest.FixtureRequest) -> Iterator[Callable[..., Person]]:
    """Somebody who is connected and in a room of this test: ``person("Ann")``; ``person("Ann", None)`` only can."""
    room = re.sub("[^a-z0-9]", "-", request.node.name)[-60:]
    with ExitStack() as leaving:

        def make(name: str, enter: str | None = room) -> Person:
            someone = Person(deployed, name, room)
            leaving.callback(someone.leave)
            if enter is not None:
                someone.connect()
                someone.hello()
            return someone

        yield make
