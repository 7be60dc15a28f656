"""A name that the server or a later rule refuses is told at the form, and never tried again by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chat.protocol import REFUSED
from chat.store import NoticeKind
from kizuna.core.states import Status
from tests.chat.session_harness import Browser, MemorySettings, SessionHarness


class RefusingHarness(SessionHarness):
    """A server that refuses the name Mika while ``is_strict``."""

    is_strict = True

    async def post_json(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, Any, float | None]:
        answer = await super().post_json(url, body, headers)
        if self.is_strict and body.get("name") == "Mika":
            return 400, {"code": "invalid_field", "field": "name", "message": "name: must be another"}, None
        return answer


async def test_a_name_the_server_refuses_is_told_at_the_form_never_retried() -> None:
    harness = RefusingHarness()
    harness.session.join("Mika")
    await harness.platform.settle()
    await harness.platform.advance(3600)
    assert len(harness.tokens_asked) == 1
    assert (harness.state.name, harness.state.suggested_name) == (None, "Mika")
    assert harness.state.connection.status is Status.CLOSED
    assert harness.state.notice is not None
    assert (harness.state.notice.kind, harness.state.notice.params) == (
        NoticeKind.NAME_REFUSED,
        {"problem": REFUSED},
    )


async def test_after_a_refused_name_another_one_comes_in() -> None:
    harness = RefusingHarness()
    harness.session.join("Mika")
    await harness.platform.settle()
    harness.session.join("Ren")
    await harness.open_link()
    assert harness.state.connection.status is Status.CONNECTED
    assert harness.state.notice is None


async def test_words_wait_when_the_server_refuses_the_name_at_a_reconnection() -> None:
    harness = RefusingHarness()
    harness.is_strict, harness.token_lifetime = False, 1
    await harness.join()
    harness.socket.drop()
    assert await harness.send("later")
    harness.is_strict = True
    await harness.platform.advance(60)
    assert harness.state.name is None
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.NAME_REFUSED
    assert "later" in str(harness.browser.rows("outbox"))


@pytest.mark.parametrize(("name", "problem"), [("Ann\u3164", "invisible"), ("x" * 500, "too_long")])
async def test_a_kept_name_refused_today_opens_the_form_with_the_reason(name: str, problem: str) -> None:
    browser = Browser()
    browser.settings["kizuna.name"] = name
    harness = SessionHarness(browser)
    harness.session.start()
    await harness.platform.settle()
    assert (harness.state.name, harness.state.suggested_name) == (None, name)
    assert harness.state.notice is not None
    assert harness.state.notice.kind is NoticeKind.NAME_REFUSED
    assert harness.state.notice.params["problem"] == problem
    assert harness.tokens_asked == []


async def test_a_kept_name_of_any_script_joins_by_itself() -> None:
    harness = SessionHarness(tab=MemorySettings({"kizuna.name": "علی\u200dرضا"}))
    harness.session.start()
    await harness.platform.settle()
    assert [asked["name"] for asked in harness.tokens_asked] == ["علی\u200dرضا"]
