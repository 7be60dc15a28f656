"""HTTP: JSON for the configuration and for tokens, and files that are loaded on demand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import js
from pyodide.ffi import JsException, to_js


class InvalidJson(ValueError):
    """The answer is not JSON. ``status``: the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the answer (HTTP {status}) is not JSON")
        self.status = status


async def get_json(url: str) -> tuple[int, Any]:
    """GET ``url``, after revalidating a cached copy. Return (HTTP status, value).

    Raises OSError if the server cannot be reached, InvalidJson for a 200 without JSON.
    """
    response, text = await _fetch(url, method="GET", cache="no-cache")
    try:
        return response.status, json.loads(text)
    except ValueError:
        if response.ok:
            raise InvalidJson(response.status) from None
        return response.status, None


async def get_bytes(url: str) -> bytes:
    """GET ``url``. Raises OSError if the server cannot be reached or answers anything but 200."""
    try:
        response = await js.fetch(url)
        if not response.ok:
            raise OSError(f"{url}: HTTP {response.status}")
        return bytes((await response.arrayBuffer()).to_bytes())
    except JsException as error:
        raise OSError(f"{url}: {error.message}") from None


async def post_json(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, Any, float | None]:
    """POST ``body`` with additional ``headers``. Return (HTTP status, value, seconds of Retry-After); None for a value
    that is not JSON, and without Retry-After.

    Raises OSError if the server cannot be reached, and for an invalid header, whose text the error contains.

    Cookies and HTTP credentials are sent to the page's own origin only, for a sign-in gate. A redirect is not followed,
    since the body is meant for this URL alone; its status is 0.
    """
    response, text = await _fetch(
        url,
        method="POST",
        headers=to_js({"Content-Type": "application/json", **headers}),
        body=json.dumps(body),
        cache="no-store",
        credentials="same-origin",
        redirect="manual",
    )
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return response.status, value, _retry_after(response.headers)


async def _fetch(url: str, **options: Any) -> tuple[js.Response, str]:
    try:
        response = await js.fetch(url, **options)
        return response, await response.text()
    except JsException as error:
        raise OSError(error.message) from None


def _retry_after(headers: js.Headers) -> float | None:
    """Return the seconds of Retry-After, a number or a date (RFC 9110, 10.2.3). A date is compared with the server's
    clock, if the browser shows its Date header."""
    text = headers.get("Retry-After")
    if not text:
        return None
    if text.isdecimal():
        seconds = float(text)
    else:
        now = js.Date.parse(headers.get("Date") or "")
        seconds = (js.Date.parse(text) - (js.Date.now() if math.isnan(now) else now)) / 1000
    return seconds if seconds > 0 else None  # None for NaN, too
