"""Small settings in localStorage, and in memory where the browser has no room for them."""

from __future__ import annotations

import logging

import js
from pyodide.ffi import JsException

logger = logging.getLogger("kizuna.storage")


class LocalSettings:
    """Responsible for texts that outlive the page. Without storage (blocked, full) they live as long as the page."""

    def __init__(self) -> None:
        self._memory: dict[str, str | None] = {}

    def get(self, key: str) -> str | None:
        """What was set last, or None."""
        if key in self._memory:
            return self._memory[key]
        try:
            value = js.localStorage.getItem(key)
        except JsException:
            return None
        return (
            value if isinstance(value, str) else None
        )  # a missing key is JavaScript's null, which is not None

    def set(self, key: str, value: str) -> None:
        """Remember ``value``."""
        try:
            js.localStorage.setItem(key, value)
        except JsException as error:
            logger.warning("the browser keeps no settings (%s); they end with this page", error.name)
            self._memory[key] = value
        else:
            self._memory.pop(key, None)

    def delete(self, key: str) -> None:
        """Forget it."""
        try:
            js.localStorage.removeItem(key)
        except JsException:
            self._memory[key] = None
        else:
            self._memory.pop(key, None)
