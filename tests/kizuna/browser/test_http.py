"""JSON over HTTP: what a page asks, what it makes of each answer, and of none."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

TOKENS = "https://example.org/token"


def answered(js: Any, text: str, status: int = 200) -> list[tuple[str, dict[str, Any]]]:
    """Let every request be answered so. Returns what was asked, as it comes: URL and options."""
    asked: list[tuple[str, dict[str, Any]]] = []

    async def read() -> str:
        return text

    async def fetch(url: str, **options: Any) -> SimpleNamespace:
        asked.append((url, options))
        return SimpleNamespace(status=status, ok=200 <= status < 300, text=read)

    js.fetch = fetch
    return asked


async def test_json_is_read_after_asking_whether_the_cached_copy_holds(js: Any) -> None:
    from kizuna.browser.http import get_json

    asked = answered(js, '{"url": "ws://127.0.0.1/ws"}')
    assert await get_json("config.json") == (200, {"url": "ws://127.0.0.1/ws"})
    assert asked == [("config.json", {"method": "GET", "cache": "no-cache"})]


async def test_a_page_where_json_was_expected_raises_its_status(js: Any) -> None:
    from kizuna.browser.http import NoJson, get_json

    answered(js, "<!doctype html>")
    with pytest.raises(NoJson, match="HTTP 200") as caught:
        await get_json("config.json")
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("text", "value"), [("<h1>Bad gateway</h1>", None), ('{"message": "no"}', {"message": "no"})]
)
async def test_an_error_comes_with_its_status_and_json_if_any(js: Any, text: str, value: Any) -> None:
    from kizuna.browser.http import get_json

    answered(js, text, status=502)
    assert await get_json("config.json") == (502, value)


async def test_a_post_carries_json_and_headers_and_no_cookies(js: Any) -> None:
    from kizuna.browser.http import post_json

    asked = answered(js, '{"token": "t"}', status=201)
    assert await post_json(TOKENS, {"name": "絆"}, {"Authorization": "Bearer b"}) == (201, {"token": "t"})
    ((url, options),) = asked
    assert (url, json.loads(options.pop("body"))) == (TOKENS, {"name": "絆"})
    assert options == {
        "method": "POST",
        "headers": {"Content-Type": "application/json", "Authorization": "Bearer b"},
        "cache": "no-store",
        "credentials": "omit",
        "redirect": "error",
    }


async def test_a_post_answered_without_json_has_no_value(js: Any) -> None:
    from kizuna.browser.http import post_json

    answered(js, "OK")
    assert await post_json(TOKENS, {}) == (200, None)


async def test_a_server_out_of_reach_raises_what_the_browser_says(js: Any) -> None:
    from kizuna.browser.http import get_json, post_json

    async def fetch(url: str, **options: Any) -> None:
        raise js.JsException("TypeError", "Failed to fetch")

    js.fetch = fetch
    with pytest.raises(OSError, match=r"^Failed to fetch$"):
        await get_json("config.json")
    with pytest.raises(OSError, match=r"^Failed to fetch$"):
        await post_json(TOKENS, {})


async def test_an_answer_that_breaks_off_raises_as_no_answer_does(js: Any) -> None:
    from kizuna.browser.http import get_json

    async def read() -> str:
        raise js.JsException("TypeError", "network error")

    async def fetch(url: str, **options: Any) -> SimpleNamespace:
        return SimpleNamespace(status=200, ok=True, text=read)

    js.fetch = fetch
    with pytest.raises(OSError, match="network error"):
        await get_json("config.json")
