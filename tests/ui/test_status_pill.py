"""Every state of the connection has words, an icon and a kind."""

import re
from pathlib import Path
from typing import Any

import pytest

from chat.store import ChatState
from kizuna.core.states import ConnectionState, Status
from ui.connection.status_pill import Kind, Pill, pill_for

INDEX = (Path(__file__).resolve().parents[2] / "index.html").read_text(encoding="utf-8")


def pill(status: Status, seconds: int | None = None, *, attempt: int = 0, **parts: Any) -> Pill:
    return pill_for(ChatState(connection=ConnectionState(status, attempt), **parts), seconds)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("seconds", [None, 0, 1, 12])
@pytest.mark.parametrize("catching_up", [True, False])
def test_every_state_is_told_with_an_icon_of_the_sprite(
    status: Status, seconds: int | None, catching_up: bool
):
    shown = pill(status, seconds, catching_up=catching_up)
    assert shown.key.startswith("status.")
    assert re.search(f'<symbol id="icon-{shown.icon}"', INDEX)


def test_a_wait_is_told_with_its_seconds_if_there_are_any():
    assert pill(Status.WAITING, 8, last_connected_at=1.0) == Pill(
        Kind.WARN, "waiting", "status.waiting_seconds", 8
    )
    assert pill(Status.WAITING, last_connected_at=1.0).key == "status.waiting"


def test_who_was_never_connected_does_not_reconnect():
    assert pill(Status.WAITING, 8) == Pill(Kind.WARN, "waiting", "status.trying_seconds", 8)
    assert pill(Status.WAITING).key == "status.trying"


def test_a_wait_that_is_over_is_told_as_connecting_never_as_zero():
    assert pill(Status.WAITING, 0).key == "status.connecting"


def test_offline_has_no_countdown():
    assert pill(Status.OFFLINE, 30) == Pill(Kind.WARN, "offline", "status.offline")


def test_connected_is_claimed_only_when_nothing_is_missing():
    assert pill(Status.CONNECTED).key == "status.connected"
    assert pill(Status.CONNECTED, catching_up=True).key == "status.catching_up"


def test_catching_up_is_never_told_without_a_link():
    assert pill(Status.EXHAUSTED, catching_up=True).key == "status.exhausted"


def test_the_first_attempt_connects_and_a_later_one_reconnects():
    assert pill(Status.CONNECTING, attempt=1).key == "status.connecting"
    assert pill(Status.CONNECTING, attempt=2).key == "status.reconnecting"
    assert pill(Status.CONNECTING, attempt=1, last_connected_at=1.0).key == "status.reconnecting"
