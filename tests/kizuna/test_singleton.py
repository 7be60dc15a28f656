"""One service per page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kizuna import singleton
from kizuna.errors import ConfigurationError
from kizuna.service import WebSocketService
from kizuna.testing import FakePlatform
from tests.kizuna.service_harness import URL


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    singleton.disconnect_websocket()


def create() -> WebSocketService:
    return WebSocketService(URL, platform=FakePlatform())


def test_the_first_call_needs_a_way_to_make_it():
    with pytest.raises(ConfigurationError, match="not initialized"):
        _ = singleton.get_or_create(None)


def test_every_further_call_gets_the_same_and_makes_no_other():
    service = singleton.get_or_create(create)
    assert singleton.get_or_create(None) is service
    assert singleton.get_or_create(lambda: pytest.fail("a second service")) is service


def test_another_url_is_refused_and_the_service_stays():
    service = singleton.get_or_create(create, URL)
    assert singleton.get_or_create(create, URL) is service
    with pytest.raises(ConfigurationError, match="another URL"):
        _ = singleton.get_or_create(create, "wss://example.org/other")
    assert singleton.get_or_create(None) is service
    singleton.disconnect_websocket()
    assert singleton.get_or_create(create, "wss://example.org/other") is not service


def test_disconnecting_closes_it_and_forgets_it():
    service = singleton.get_or_create(create)
    singleton.disconnect_websocket()
    assert service.state.status == "closed"
    singleton.disconnect_websocket()
    assert singleton.get_or_create(create) is not service


def test_a_service_that_cannot_be_made_leaves_room_for_one_that_can():
    def impossible() -> WebSocketService:
        return WebSocketService("ftp://example.org", platform=FakePlatform())

    with pytest.raises(ConfigurationError):
        _ = singleton.get_or_create(impossible)
    assert singleton.get_or_create(create) is singleton.get_or_create(None)
