"""Migration of what earlier versions stored in the browser.

They stored the data of all pages of an origin under the same keys, and a person's secret by the person's name alone. A
secret may be sent only to the server that it was made for. So a secret is migrated only if it was used with this token
endpoint, which a stored user id or rows of its person show.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

from chat import cache
from chat.identity import LEFT_KEY, NAME_KEY, USER_KEY, Identity
from kizuna import ListedSettings, Settings, Storage, StorageFailed
from kizuna.delivery import OUTBOX_TABLE, OutboxStorage

logger = logging.getLogger("kizuna.migration")

FIRST_PAINT_KEY = "kizuna.glimpse"  # static/boot/cached_view.js
SECRET_KEY = "kizuna.secret."
DRAFT_KEY = "kizuna.draft."


class Migration:
    """The migration of data under the old keys: in ``settings``, in the ``tab``'s, and in the tables of ``storage``.
    ``rows_in`` returns the outbox in a storage, as a tab with its own id."""

    def __init__(
        self,
        settings: ListedSettings,
        tab: ListedSettings,
        storage: Storage,
        rows_in: Callable[[Storage], OutboxStorage],
    ) -> None:
        self._settings = settings
        self._tab = tab
        self._storage = storage
        self._rows_in = rows_in

    async def migrate_secrets(self, identity: Identity) -> list[str]:
        """Migrate the secrets of people who used this page's token endpoint. Return their names."""
        names = [name for name in self._settings.names(SECRET_KEY) if identity.person_key_of(name) is None]
        secrets = {name: self._settings.get(SECRET_KEY + name) or "" for name in names}
        persons = {name: identity.person_key_for(secret) for name, secret in secrets.items()}
        adopted = [name for name in names if self._settings.get(USER_KEY + persons[name]) is not None]
        if len(adopted) < len(names):  # read the storage only if needed: it may be slow
            with_rows = await self._persons()
            adopted = [name for name in names if name in adopted or persons[name] in with_rows]
        for name in adopted:
            identity.save_secret(name, secrets[name])
        return adopted

    async def migrate_all(
        self, identity: Identity, settings: Settings, tab: Settings, storage: Storage
    ) -> None:
        """Migrate everything of these people, for a page with its own keys. ``settings`` and ``tab`` get what they do
        not have yet, ``storage`` gets all rows."""
        for name in await self.migrate_secrets(identity):
            person = identity.person_key_of(name) or ""
            if f'"name":{json.dumps(name, ensure_ascii=False)}' in (
                self._settings.get(FIRST_PAINT_KEY) or ""
            ):
                self._settings.delete(FIRST_PAINT_KEY)  # Leave would not find it there
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
        """Copy each row before deleting it, with the same id, so that the server stores it once."""
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
            logger.warning("could not migrate data of an earlier version: %s", error)
        finally:  # from now on the page adopts the rows, like those of a closed tab
            old.release()
            new.release()

    async def _persons(self) -> set[str]:
        """Return the keys of people who have rows."""
        try:
            keys = [key for table in (OUTBOX_TABLE, cache.TABLE) for key in await self._storage.keys(table)]
        except StorageFailed as error:
            logger.warning("could not read data of an earlier version: %s", error)
            return set()
        return {key.partition("/")[0] for key in keys}


def _copy(key: str, source: Settings, target: Settings) -> None:
    value = source.get(key)
    if value is not None:
        target.set(key, value)
