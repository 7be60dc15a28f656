"""What earlier versions kept in the browser, taken over by the page that it belongs to.

They kept everything of an origin under the same names, whatever the path of the page and the address of its server,
and a person's secret by the person's name alone. A secret may be shown to no server but the one that it was made for.
So it is taken over only where something shows that this very token endpoint has been used with it: a user id that came
back, or rows of its person. Where nothing does, nothing is kept of that person for this server, and nothing is lost.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Protocol

from chat import cache
from chat.identity import LEFT_KEY, NAME_KEY, USER_KEY, Identity
from kizuna.delivery import outbox_storage as outbox_rows
from kizuna.delivery.outbox_storage import OutboxStorage
from kizuna.errors import StorageFailed
from kizuna.platform import Settings, Storage

logger = logging.getLogger("kizuna.migration")

FIRST_PAINT_KEY = "kizuna.glimpse"  # static/boot/cached_view.js
SECRET_KEY = "kizuna.secret."
DRAFT_KEY = "kizuna.draft."


class OldSettings(Settings, Protocol):
    """Settings whose keys can be listed."""

    def names(self, prefix: str) -> list[str]:
        """What follows ``prefix`` in each key that begins so."""


class Migration:
    """Responsible for what stands under the old names: ``settings``, the ``tab``'s, and the tables in ``storage``.
    ``rows_in`` gives the outbox in a storage, as a tab of its own."""

    def __init__(
        self,
        settings: OldSettings,
        tab: OldSettings,
        storage: Storage,
        rows_in: Callable[[Storage], OutboxStorage],
    ) -> None:
        self._settings = settings
        self._tab = tab
        self._storage = storage
        self._rows_in = rows_in

    async def migrate_secrets(self, identity: Identity) -> list[str]:
        """Take over the secrets of people who used this page's token endpoint. Returns the new ones' names."""
        names = [name for name in self._settings.names(SECRET_KEY) if identity.person_key_of(name) is None]
        secrets = {name: self._settings.get(SECRET_KEY + name) or "" for name in names}
        persons = {name: identity.person_key_for(secret) for name, secret in secrets.items()}
        adopted = [name for name in names if self._settings.get(USER_KEY + persons[name]) is not None]
        if len(adopted) < len(names):  # only then: the storage may be slow to answer
            with_rows = await self._persons()
            adopted = [name for name in names if name in adopted or persons[name] in with_rows]
        for name in adopted:
            identity.save_secret(name, secrets[name])
        return adopted

    async def migrate_all(
        self, identity: Identity, settings: Settings, tab: Settings, storage: Storage
    ) -> None:
        """Take over everything of these people, for a page that has names of its own: to ``settings`` what is found
        the first time, to ``tab`` what is found the first time in this tab, to ``storage`` whatever is found."""
        for name in await self.migrate_secrets(identity):
            person = identity.person_key_of(name) or ""
            if f'"name":{json.dumps(name, ensure_ascii=False)}' in (
                self._settings.get(FIRST_PAINT_KEY) or ""
            ):
                self._settings.delete(FIRST_PAINT_KEY)  # words, which Leave would not find there
            for key in (LEFT_KEY + name, USER_KEY + person):
                _copy(key, self._settings, settings)
            if self._settings.get(NAME_KEY) == name and settings.get(NAME_KEY) is None:
                settings.set(NAME_KEY, name)
        for name in self._settings.names(SECRET_KEY):
            if identity.person_key_of(name) == identity.person_key_for(
                self._settings.get(SECRET_KEY + name) or ""
            ):
                self._take_tab(name, tab)
                await self._take_rows(identity.person_key_of(name) or "", storage)

    def _take_tab(self, name: str, tab: Settings) -> None:
        if self._tab.get(NAME_KEY) != name or tab.get(NAME_KEY) is not None:
            return
        tab.set(NAME_KEY, name)
        for place in self._tab.names(DRAFT_KEY):
            if place.partition("/")[2] == name:
                _copy(DRAFT_KEY + place, self._tab, tab)
                self._tab.delete(DRAFT_KEY + place)

    async def _take_rows(self, person: str, storage: Storage) -> None:
        """Each row is in one place at least at every moment, and under one id, so that it is stored once."""
        old, new = self._rows_in(self._storage), self._rows_in(storage)
        try:
            for row in await old.load(person):
                await new.save(person, row)
                await old.delete(person, row.id)
            rooms = await self._storage.read(cache.TABLE, f"{person}/")
            known = await storage.keys(cache.TABLE, f"{person}/")
            await storage.write(cache.TABLE, {key: rooms[key] for key in rooms.keys() - known})
            await self._storage.write(cache.TABLE, {}, rooms)
        except StorageFailed as error:
            logger.warning("what an earlier version kept stays where it is: %s", error)
        finally:  # from here on they are anybody's of their person: the page takes them like those of a closed tab
            old.release()
            new.release()

    async def _persons(self) -> set[str]:
        """Whose rows there are."""
        try:
            keys = [
                key for table in (outbox_rows.TABLE, cache.TABLE) for key in await self._storage.keys(table)
            ]
        except StorageFailed as error:
            logger.warning("what an earlier version kept cannot be read: %s", error)
            return set()
        return {key.partition("/")[0] for key in keys}


def _copy(key: str, source: Settings, target: Settings) -> None:
    value = source.get(key)
    if value is not None:
        target.set(key, value)
