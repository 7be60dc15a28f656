"""JSON over HTTP: how a page reads its configuration and asks for tokens."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import js
from pyodide.ffi import JsException, to_js


class InvalidJson(ValueError):
    """The answer is not JSON. ``status`` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the answer (HTTP {status}) is not JSON")
        self.status = status


async def get_json(url: str) -> tuple[int, Any]:
    """GET ``url``, asking the server whether a cached copy still holds. Returns (HTTP status, value).

    Raises OSError when the server cannot be reached, InvalidJson when a 200 carries something else.
    """
    response, text = await _fetch(url, method="GET", cache="no-cache")
    try:
        return response.status, json.loads(text)
    except ValueError:
        if response.ok:
            raise InvalidJson(response.status) from None
        return response.status, None


async def post_json(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, Any, float | None]:
    """POST ``body`` with ``headers`` beside its own. Returns (HTTP status, value, seconds), None for what is no JSON
    and where no ``Retry-After`` can be read. Raises OSError when the server cannot be reached; a header that no
    request can carry is one, and its words repeat it.

    Cookies and HTTP credentials go to the page's own origin only: a sign-in gate may stand before it. A redirect is
    not followed, since what is posted here is meant for this URL alone; its status is 0.
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
    """Seconds, if the answer asks for some, as a number or as a date (RFC 9110, 10.2.3). A date is compared with the
    server's own clock where the browser shows it."""
    text = headers.get("Retry-After")
    if not text:
        return None
    if text.isdecimal():
        seconds = float(text)
    else:
        now = js.Date.parse(headers.get("Date") or "")
        seconds = (js.Date.parse(text) - (js.Date.now() if math.isnan(now) else now)) / 1000
    return seconds if seconds > 0 else None  # not for NaN either
