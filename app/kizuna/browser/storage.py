"""Small settings in the browser's storage, and in memory where it has no room for them."""

from __future__ import annotations

import contextlib
import logging
from urllib.parse import urljoin, urlsplit

import js
from pyodide.ffi import JsException

logger = logging.getLogger("kizuna.storage")


async def ask_to_persist() -> None:
    """Ask the browser to delete nothing of this origin when it needs room. Firefox asks the person, until they have
    answered once; others decide by how often the person is here. Where there is no such thing, nothing happens."""
    with contextlib.suppress(JsException, AttributeError):
        await js.navigator.storage.persist()


def page_prefix() -> str:
    """What sets apart the names of one page among those of its origin: the path of its folder; at the root nothing."""
    folder = urlsplit(urljoin(js.document.baseURI, ".")).path
    return "" if folder == "/" else folder


class _Settings:
    """Responsible for texts that outlive the page. Without storage (blocked, full) they live as long as the page.
    ``prefix`` goes before every key."""

    def __init__(self, storage: str, prefix: str) -> None:
        self._name = storage
        self._prefix = prefix
        self._memory: dict[str, str | None] = {}

    def get(self, key: str) -> str | None:
        """What was set last, or None."""
        if key in self._memory:
            return self._memory[key]
        try:
            value = self._storage.getItem(self._prefix + key)
        except JsException:
            return None
        return (
            value if isinstance(value, str) else None
        )  # a missing key is JavaScript's null, which is not None

    def set(self, key: str, value: str) -> None:
        """Remember ``value``."""
        try:
            self._storage.setItem(self._prefix + key, value)
        except JsException as error:
            logger.warning("the browser keeps no settings (%s); they end with this page", error.name)
            self._memory[key] = value
        else:
            self._memory.pop(key, None)

    def delete(self, key: str) -> None:
        """Forget it."""
        try:
            self._storage.removeItem(self._prefix + key)
        except JsException:
            self._memory[key] = None
        else:
            self._memory.pop(key, None)

    def names(self, prefix: str) -> list[str]:
        """What follows ``prefix`` in each key that begins so."""
        begin = self._prefix + prefix
        try:
            keys = [str(self._storage.key(index)) for index in range(self._storage.length)]
        except JsException:
            return []
        return [key.removeprefix(begin) for key in keys if key.startswith(begin)]

    @property
    def _storage(self) -> js.Storage:
        """Asked for anew each time: merely naming a storage that is blocked raises."""
        storage: js.Storage = getattr(js, self._name)
        return storage


class LocalSettings(_Settings):
    """Responsible for what every tab of this browser shares, and keeps."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__("localStorage", prefix)


class TabSettings(_Settings):
    """Responsible for what belongs to this tab alone, across its reloads, until it is closed."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__("sessionStorage", prefix)
