"""The banner says what happened, what is safe, and what to do."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chat.store import ChatState
from kizuna.core.states import ConnectionState, Reason, ReasonKind, Status
from ui.connection.banner import BannerText, banner_text, reason_text
from ui.connection.outage import Outage, Phase
from ui.kit.texts import Texts

Say = Callable[..., BannerText | None]


def state_of(status: Status, reason: str | None = None, last_connected_at: float | None = None) -> ChatState:
    """The state with this reason: of the connection, or of the endpoint that gives no token."""
    kind = {str(kind): kind for kind in ReasonKind}.get(reason or "", ReasonKind.UNAUTHORIZED)
    return ChatState(
        name="Mika",
        connection=ConnectionState(status, reason=None if reason is None else Reason(kind, "")),
        token_problem=None if reason == kind else reason,
        last_connected_at=last_connected_at,
    )


@pytest.fixture
def say(keys: Texts) -> Say:
    def words(phase: Phase, status: Status, **parts: Any) -> BannerText | None:
        outage = Outage()
        outage.phase = phase
        return banner_text(
            state_of(status, **parts), outage, keys, lambda milliseconds: f"at {milliseconds:.0f}"
        )

    return words


def test_no_trouble_no_banner(say: Say):
    assert say(Phase.NONE, Status.WAITING) is None


def test_a_lost_connection_is_told_with_reason_safety_and_last_time(say: Say):
    assert say(Phase.TROUBLE, Status.WAITING, reason="silence", last_connected_at=7.0) == BannerText(
        "<banner.lost>", "<reason.silence><banner.safe><banner.last_connected time=at 7000>"
    )


def test_who_was_never_connected_lost_nothing(say: Say):
    assert say(Phase.TROUBLE, Status.CONNECTING) == BannerText("<banner.not_yet>", "<banner.safe>")


def test_offline_blames_no_server(say: Say):
    words = say(Phase.TROUBLE, Status.OFFLINE, reason="unreachable")
    assert words == BannerText("<banner.offline>", "<banner.safe>")


def test_exhausted_says_what_to_do(say: Say):
    assert say(Phase.FAILED, Status.EXHAUSTED, reason="unreachable", last_connected_at=7.0) == BannerText(
        "<banner.exhausted>",
        "<reason.unreachable><banner.exhausted_action><banner.safe><banner.last_connected time=at 7000>",
    )


def test_rejected_promises_no_delivery(say: Say):
    assert say(Phase.FAILED, Status.REJECTED, reason="unauthorized") == BannerText(
        "<banner.rejected>", "<reason.unauthorized><banner.rejected_action>"
    )


def test_a_version_that_the_server_does_not_speak_is_to_be_reloaded(say: Say):
    assert say(Phase.FAILED, Status.REJECTED, reason="unsupported") == BannerText(
        "<banner.unsupported>", "<reason.unsupported><banner.unsupported_action>", reloads=True
    )


def test_who_was_banned_is_told_so_and_not_to_join_again(say: Say):
    assert say(Phase.FAILED, Status.REJECTED, reason="banned") == BannerText(
        "<banner.rejected>", "<reason.banned><banner.banned_action>"
    )


def test_a_page_of_a_forbidden_origin_names_the_setting(keys: Texts):
    outage = Outage()
    outage.phase = Phase.FAILED
    state = state_of(Status.REJECTED, "forbidden_origin")
    words = banner_text(state, outage, keys, str, "https://chat.example.org")
    told = "<reason.forbidden_origin origin=https://chat.example.org>"
    assert words == BannerText("<banner.rejected>", f"{told}<banner.rejected_action>")


@pytest.mark.parametrize(
    ("sent", "received", "text"),
    [
        (0, 0, ""),
        (3, 0, "<banner.sent count=3>"),
        (0, 7, "<banner.received count=7>"),
        (2, 7, "<banner.sent_and_received sent=2 received=7>"),
    ],
)
def test_the_return_counts_what_was_sent_and_received(keys: Texts, sent: int, received: int, text: str):
    outage = Outage()
    outage.phase = Phase.SUCCESS
    outage._waiting_before, outage.received = sent, received
    state = state_of(Status.CONNECTED)
    assert banner_text(state, outage, keys, str) == BannerText("<banner.connected>", text)
    outage.was_connected = True
    assert banner_text(state, outage, keys, str) == BannerText("<banner.back>", text)


def test_a_page_that_catches_up_has_lost_nothing_any_longer(keys: Texts):
    outage = Outage()
    outage.phase = Phase.TROUBLE
    state = replace(state_of(Status.CONNECTING, last_connected_at=7.0), catching_up=True)
    assert banner_text(state, outage, keys, str) == BannerText("<status.catching_up>", "")


def test_a_reason_without_words_is_admitted(keys: Texts):
    assert reason_text(state_of(Status.WAITING, "made_up"), keys) == "<reason.unknown>"
    assert reason_text(ChatState(), keys) == ""
