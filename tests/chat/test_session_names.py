"""A name that the server or a later rule refuses is told at the form, and never tried again by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chat.protocol import REFUSED
from chat.store import NoticeKind
from kizuna.core.states import Status
from tests.chat.stage import Browser, MemorySettings, Stage


class Strict(Stage):
    """Responsible for a server that does not take the name Mika once it is strict."""

    is_strict = True

    async def post_json(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, Any, float | None]:
        answer = await super().post_json(url, body, headers)
        if self.is_strict and body.get("name") == "Mika":
            return 400, {"code": "invalid_field", "field": "name", "message": "name: must be another"}, None
        return answer


async def test_a_name_the_server_refuses_is_told_at_the_form_never_retried() -> None:
    stage = Strict()
    stage.session.join("Mika")
    await stage.platform.settle()
    await stage.platform.advance(3600)
    assert len(stage.tokens_asked) == 1
    assert (stage.state.name, stage.state.suggested_name) == (None, "Mika")
    assert stage.state.connection.status is Status.CLOSED
    assert stage.state.notice is not None
    assert (stage.state.notice.kind, stage.state.notice.params) == (
        NoticeKind.NAME_REFUSED,
        {"problem": REFUSED},
    )


async def test_after_a_refused_name_another_one_comes_in() -> None:
    stage = Strict()
    stage.session.join("Mika")
    await stage.platform.settle()
    stage.session.join("Ren")
    await stage.open_link()
    assert stage.state.connection.status is Status.CONNECTED
    assert stage.state.notice is None


async def test_words_wait_when_the_server_refuses_the_name_at_a_reconnection() -> None:
    stage = Strict()
    stage.is_strict, stage.token_lifetime = False, 1
    await stage.join()
    stage.socket.drop()
    assert await stage.say("later")
    stage.is_strict = True
    await stage.platform.advance(60)
    assert stage.state.name is None
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.NAME_REFUSED
    assert "later" in str(stage.browser.rows("outbox"))


@pytest.mark.parametrize(("name", "problem"), [("Ann\u3164", "invisible"), ("x" * 500, "too_long")])
async def test_a_kept_name_refused_today_opens_the_form_with_the_reason(name: str, problem: str) -> None:
    browser = Browser()
    browser.settings["kizuna.name"] = name
    stage = Stage(browser)
    stage.session.start()
    await stage.platform.settle()
    assert (stage.state.name, stage.state.suggested_name) == (None, name)
    assert stage.state.notice is not None
    assert stage.state.notice.kind is NoticeKind.NAME_REFUSED
    assert stage.state.notice.params["problem"] == problem
    assert stage.tokens_asked == []


async def test_a_kept_name_of_any_script_joins_by_itself() -> None:
    stage = Stage(tab=MemorySettings({"kizuna.name": "علی\u200dرضا"}))
    stage.session.start()
    await stage.platform.settle()
    assert [asked["name"] for asked in stage.tokens_asked] == ["علی\u200dرضا"]
