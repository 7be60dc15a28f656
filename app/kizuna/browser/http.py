"""JSON over HTTP: how a page reads its configuration and asks for tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import js
from pyodide.ffi import JsException, to_js


class NoJson(ValueError):
    """The answer is not JSON. ``status`` is HTTP's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the answer (HTTP {status}) is not JSON")
        self.status = status


async def get_json(url: str) -> tuple[int, Any]:
    """GET ``url``, asking the server whether a cached copy still holds. Returns (HTTP status, value).

    Raises OSError when the server cannot be reached, NoJson when a 200 carries something else.
    """
    return await _fetch(url, method="GET", cache="no-cache")


async def post_json(
    url: str, body: Mapping[str, Any], headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, Any]:
    """POST ``body`` with ``headers`` beside its own. Returns (HTTP status, value), None for what is no JSON. Raises
    OSError when the server cannot be reached; a header that no request can carry is one, and its words repeat it.

    No cookies travel, and a redirect is refused: what is posted here is meant for this URL alone.
    """
    try:
        return await _fetch(
            url,
            method="POST",
            headers=to_js({"Content-Type": "application/json", **headers}),
            body=json.dumps(body),
            cache="no-store",
            credentials="omit",
            redirect="error",
        )
    except NoJson as error:
        return error.status, None


async def _fetch(url: str, **options: Any) -> tuple[int, Any]:
    try:
        response = await js.fetch(url, **options)
        text = await response.text()
    except JsException as error:
        raise OSError(error.message) from None
    try:
        return response.status, json.loads(text)
    except ValueError:
        if response.ok:
            raise NoJson(response.status) from None
        return response.status, None
