"""Fixtures of the tests of delivery."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.kizuna.delivery.channel_harness import ChannelHarness


@pytest.fixture
async def harness() -> AsyncIterator[ChannelHarness]:
    """Channels on a fake platform."""
    harness = ChannelHarness()
    yield harness
    harness.end()
