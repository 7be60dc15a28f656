"""What the tests of the session share."""

from collections.abc import AsyncIterator

import pytest

from tests.chat.session_harness import SessionHarness


@pytest.fixture
async def harness() -> AsyncIterator[SessionHarness]:
    """A page of this project's server; its person leaves at the end, and no timer may be left then."""
    harness = SessionHarness()
    yield harness
    harness.session.leave()
    await harness.platform.settle()
    assert harness.platform.clock.armed == 0, "a timer is left after leaving"
