"""Small settings in the browser's storage, or in memory where that fails."""

from __future__ import annotations

import contextlib
import logging
from urllib.parse import urljoin, urlsplit

import js
from pyodide.ffi import JsException

logger = logging.getLogger("kizuna.storage")


async def ask_to_persist() -> None:
    """Ask the browser not to delete the data of this origin when it needs room.

    Firefox asks the person, until they have answered once; others decide by how often the page is used. No effect where
    the browser has no such request.
    """
    with contextlib.suppress(JsException, AttributeError):
        await js.navigator.storage.persist()


def page_prefix() -> str:
    """Return what precedes the names of this page's keys: the path of its folder; at the root ""."""
    folder = urlsplit(urljoin(js.document.baseURI, ".")).path
    return "" if folder == "/" else folder


class _Settings:
    """Texts that outlive the page. Without storage (blocked, full) they last as long as the page.

    ``prefix`` precedes every key.
    """

    def __init__(self, storage: str, prefix: str) -> None:
        self._name = storage
        self._prefix = prefix
        self._memory: dict[str, str | None] = {}

    def get(self, key: str) -> str | None:
        """Return the last value of ``key``, or None."""
        if key in self._memory:
            return self._memory[key]
        try:
            value = self._storage.getItem(self._prefix + key)
        except JsException:
            return None
        return value if isinstance(value, str) else None  # JavaScript's null is not None

    def set(self, key: str, value: str) -> None:
        """Store ``value``."""
        try:
            self._storage.setItem(self._prefix + key, value)
        except JsException as error:
            logger.warning("could not store a setting (%s): it is lost when the page closes", error.name)
            self._memory[key] = value
        else:
            self._memory.pop(key, None)

    def delete(self, key: str) -> None:
        """Delete ``key``."""
        try:
            self._storage.removeItem(self._prefix + key)
        except JsException:
            self._memory[key] = None
        else:
            self._memory.pop(key, None)

    def names(self, prefix: str) -> list[str]:
        """Return the keys that begin with ``prefix``, without it."""
        begin = self._prefix + prefix
        try:
            keys = [str(self._storage.key(index)) for index in range(self._storage.length)]
        except JsException:
            return []
        return [key.removeprefix(begin) for key in keys if key.startswith(begin)]

    @property
    def _storage(self) -> js.Storage:
        """Return the storage; read each time, since naming a blocked storage raises."""
        storage: js.Storage = getattr(js, self._name)
        return storage


class LocalSettings(_Settings):
    """Settings that all tabs of this browser share."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__("localStorage", prefix)


class TabSettings(_Settings):
    """Settings of this tab alone, kept across reloads until it is closed."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__("sessionStorage", prefix)
