"""JSON over HTTP: requests, answers of every kind, and none."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import Any

import pytest

TOKENS = "https://example.org/token"


def answered(
    js: Any, text: str, status: int = 200, headers: dict[str, str] | None = None
) -> list[tuple[str, dict[str, Any]]]:
    """Let every request be answered so. Returns what was asked, as it comes: URL and options."""
    asked: list[tuple[str, dict[str, Any]]] = []

    async def read() -> str:
        return text

    async def fetch(url: str, **options: Any) -> SimpleNamespace:
        asked.append((url, options))
        found = SimpleNamespace(get=lambda name: (headers or {}).get(name, js.null))
        return SimpleNamespace(status=status, ok=200 <= status < 300, text=read, headers=found)

    js.fetch = fetch
    return asked


async def test_json_is_read_after_asking_whether_the_cached_copy_holds(js: Any) -> None:
    from ui.kit.http import get_json

    asked = answered(js, '{"url": "ws://127.0.0.1/ws"}')
    assert await get_json("config.json") == (200, {"url": "ws://127.0.0.1/ws"})
    assert asked == [("config.json", {"method": "GET", "cache": "no-cache"})]


async def test_a_page_where_json_was_expected_raises_its_status(js: Any) -> None:
    from ui.kit.http import InvalidJson, get_json

    answered(js, "<!doctype html>")
    with pytest.raises(InvalidJson, match="HTTP 200") as caught:
        await get_json("config.json")
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("text", "value"), [("<h1>Bad gateway</h1>", None), ('{"message": "no"}', {"message": "no"})]
)
async def test_an_error_comes_with_its_status_and_json_if_any(js: Any, text: str, value: Any) -> None:
    from ui.kit.http import get_json

    answered(js, text, status=502)
    assert await get_json("config.json") == (502, value)


async def test_a_post_takes_cookies_to_the_own_origin_only_and_follows_nowhere(js: Any) -> None:
    from ui.kit.http import post_json

    asked = answered(js, '{"token": "t"}', status=201)
    assert await post_json(TOKENS, {"name": "絆"}, {"Authorization": "Bearer b"}) == (
        201,
        {"token": "t"},
        None,
    )
    ((url, options),) = asked
    assert (url, json.loads(options.pop("body"))) == (TOKENS, {"name": "絆"})
    assert options == {
        "method": "POST",
        "headers": {"Content-Type": "application/json", "Authorization": "Bearer b"},
        "cache": "no-store",
        "credentials": "same-origin",
        "redirect": "manual",
    }


async def test_a_post_answered_without_json_has_no_value(js: Any) -> None:
    from ui.kit.http import post_json

    answered(js, "OK")
    assert await post_json(TOKENS, {}) == (200, None, None)


async def test_a_redirect_is_a_post_without_an_answer(js: Any) -> None:
    from ui.kit.http import post_json

    answered(js, "", status=0)  # as browsers show one that is not followed
    assert await post_json(TOKENS, {}) == (0, None, None)


NOON, LATER = "Mon, 30 Nov 2026 12:00:00 GMT", "Mon, 30 Nov 2026 12:00:20 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "20"}, 20.0),
        ({"Retry-After": LATER, "Date": NOON}, 20.0),  # by the server's clock
        ({"Retry-After": LATER}, 80.0),  # by this machine's, which may be another
        ({"Retry-After": NOON, "Date": LATER}, None),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
    ],
)
async def test_retry_after_is_understood_as_seconds_and_as_a_date(
    js: Any, headers: dict[str, str], seconds: float | None
) -> None:
    from ui.kit.http import post_json

    def parse(text: str) -> float:
        try:
            return parsedate_to_datetime(text).timestamp() * 1000
        except ValueError:
            return float("nan")

    a_minute_slow = parse(NOON) - 60_000
    js.Date = SimpleNamespace(parse=parse, now=lambda: a_minute_slow)
    answered(js, "{}", status=503, headers=headers)
    assert await post_json(TOKENS, {}) == (503, {}, seconds)


async def test_a_server_out_of_reach_raises_what_the_browser_says(js: Any) -> None:
    from ui.kit.http import get_json, post_json

    async def fetch(url: str, **options: Any) -> None:
        raise js.JsException("TypeError", "Failed to fetch")

    js.fetch = fetch
    with pytest.raises(OSError, match=r"^Failed to fetch$"):
        await get_json("config.json")
    with pytest.raises(OSError, match=r"^Failed to fetch$"):
        await post_json(TOKENS, {})


async def test_an_answer_that_breaks_off_raises_as_no_answer_does(js: Any) -> None:
    from ui.kit.http import get_json

    async def read() -> str:
        raise js.JsException("TypeError", "network error")

    async def fetch(url: str, **options: Any) -> SimpleNamespace:
        return SimpleNamespace(status=200, ok=True, text=read)

    js.fetch = fetch
    with pytest.raises(OSError, match="network error"):
        await get_json("config.json")
