"""Small settings in the browser's storage, and in memory where it has no room for them."""

from __future__ import annotations

import contextlib
import logging

import js
from pyodide.ffi import JsException

logger = logging.getLogger("kizuna.storage")


async def ask_to_persist() -> None:
    """Ask the browser to delete nothing of this origin when it needs room. Firefox asks the person, until they have
    answered once; others decide by how often the person is here. Where there is no such thing, nothing happens."""
    with contextlib.suppress(JsException, AttributeError):
        await js.navigator.storage.persist()


class _Settings:
    """Responsible for texts that outlive the page. Without storage (blocked, full) they live as long as the page."""

    def __init__(self, storage: str) -> None:
        self._name = storage
        self._memory: dict[str, str | None] = {}

    def get(self, key: str) -> str | None:
        """What was set last, or None."""
        if key in self._memory:
            return self._memory[key]
        try:
            value = self._storage.getItem(key)
        except JsException:
            return None
        return (
            value if isinstance(value, str) else None
        )  # a missing key is JavaScript's null, which is not None

    def set(self, key: str, value: str) -> None:
        """Remember ``value``."""
        try:
            self._storage.setItem(key, value)
        except JsException as error:
            logger.warning("the browser keeps no settings (%s); they end with this page", error.name)
            self._memory[key] = value
        else:
            self._memory.pop(key, None)

    def delete(self, key: str) -> None:
        """Forget it."""
        try:
            self._storage.removeItem(key)
        except JsException:
            self._memory[key] = None
        else:
            self._memory.pop(key, None)

    @property
    def _storage(self) -> js.Storage:
        """Asked for anew each time: merely naming a storage that is blocked raises."""
        storage: js.Storage = getattr(js, self._name)
        return storage


class LocalSettings(_Settings):
    """Responsible for what every tab of this browser shares, and keeps."""

    def __init__(self) -> None:
        super().__init__("localStorage")


class TabSettings(_Settings):
    """Responsible for what belongs to this tab alone, across its reloads, until it is closed."""

    def __init__(self) -> None:
        super().__init__("sessionStorage")
