"""The composition root: builds the parts and connects them. ``index.html`` runs ``import main; main.start()``."""

from __future__ import annotations

import gc
import logging
import random
import secrets
import time
from collections.abc import Mapping
from typing import Any

import js

from chat import cache
from chat.admission import Answer, Endpoints, PostJson
from chat.cache import RoomCache
from chat.config import CONFIG_FILE, Config, parse_config
from chat.diagnosis import Diagnosis
from chat.identity import Identity
from chat.migration import Migration
from chat.preferences import Preferences
from chat.read_marks import ReadMarks
from chat.session import ChatSession
from chat.store import ChatStore
from kizuna import JSON_OBJECTS, ConfigurationError
from kizuna.browser import (
    BrowserPlatform,
    ConsoleHandler,
    IndexedDb,
    LocalSettings,
    TabSettings,
    WebLocks,
    ask_to_persist,
    get_websocket_service,
    page_prefix,
)
from kizuna.delivery import OUTBOX_TABLE, FallbackStorage, OutboxStorage, TaskSet
from kizuna.testing import Fault, FaultPlatform
from ui.kit.catalogues import page_texts
from ui.kit.http import InvalidJson, get_json, post_json
from ui.page import Page
from ui.shell.start_failure import show_failure

#: kizuna.browser.ticks.WORKER_SOURCE as a file: the page's Content-Security-Policy forbids workers from blobs.
TICKS_FILE = "static/boot/ticks.js"

_tasks = TaskSet()


def start() -> None:
    """Start the chat. Errors are shown on the page, with the file or key that caused them."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", handlers=[ConsoleHandler()])
    random.seed()  # or every page that starts from a snapshot would have the same jitter
    _tasks.start(_start())


async def _start() -> None:
    try:
        await _open_page(await _load_config())
    except ConfigurationError as error:
        show_failure(str(error), cause="config")
    except OSError as error:
        show_failure(f"{CONFIG_FILE}: {error}", cause="network")
    except Exception as error:
        show_failure(f"{type(error).__name__}: {error}")
        raise


async def _open_page(config: Config) -> None:
    # From the start, so that a person can break the very link that stands; while no fault is armed frames pass it by.
    platform = FaultPlatform(BrowserPlatform(TICKS_FILE))
    endpoints = Endpoints(
        _post_through(platform), config.token_url, config.ticket_url, platform.now, js.document.baseURI
    )
    prefix = page_prefix()
    settings, tab = LocalSettings(prefix), TabSettings(prefix)
    identity = Identity(settings, endpoints, lambda: secrets.token_urlsafe(32), tab)
    service = get_websocket_service(
        config.web_socket_url,
        identity.get_token,
        platform=platform,
        codec=JSON_OBJECTS,
        wire=config.wire,
        options=config.options,
    )
    store = ChatStore()
    tables, locks, tab_id = (OUTBOX_TABLE, cache.TABLE), WebLocks(), _new_id()
    database = IndexedDb(f"{prefix}kizuna", tables)
    old_database = IndexedDb("kizuna", tables) if prefix else database
    migration_tab_id = _new_id()
    migration = Migration(
        LocalSettings(),
        TabSettings(),
        old_database,
        lambda storage: OutboxStorage(storage, locks, migration_tab_id),
    )
    if prefix:
        await migration.migrate_all(identity, settings, tab, database)
        old_database.close()
    else:
        await migration.migrate_secrets(identity)
    fallback = FallbackStorage(database, lambda: session.on_storage_failed())
    rows = OutboxStorage(fallback, locks, tab_id, drafts=settings)
    session = ChatSession(
        store,
        service,
        identity,
        platform,
        _new_id,
        rows,
        RoomCache(FallbackStorage(database), ReadMarks(settings), platform, lambda: not identity.has_left),
        kizuna_wire=config.wire.ready is not None,
    )
    _ask_to_persist_at_first_message(store)
    preferences = Preferences(LocalSettings(prefix))  # where static/boot/boot.js reads them
    diagnosis = Diagnosis(service, session.statistics, lambda: platform.now().wall)
    Page(store, session, page_texts(), time.monotonic, preferences, diagnosis, platform).open()
    session.start()
    # What the start has made stays as long as the page. In a flood the garbage collector would look through it time and
    # again, for half of its time.
    gc.freeze()


def _post_through(faults: FaultPlatform) -> PostJson:
    """Return a function that posts JSON, unless a fault prevents it: the platform knows only the sockets."""

    async def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        if Fault.FIREWALL in faults.armed:
            return 403, None, None  # a page of the firewall's own, and no JSON
        if Fault.REFUSE in faults.armed:
            raise OSError("refused on command")
        return await post_json(url, body, headers)

    return post


def _ask_to_persist_at_first_message(store: ChatStore) -> None:
    """Ask the browser for persistent storage when the first message is sent, so that readers are not asked."""

    def ask(waits: bool) -> None:
        if waits:
            unsubscribe()
            _tasks.start(ask_to_persist())

    unsubscribe = store.subscribe(lambda state: state.waiting > 0, ask)


def _new_id() -> str:
    """Return a random identifier, unique among all pages."""
    return secrets.token_urlsafe(16)


async def _load_config() -> Config:
    try:
        status, data = await get_json(CONFIG_FILE)
    except InvalidJson as error:
        raise ConfigurationError(CONFIG_FILE, str(error)) from None
    if status != 200:
        raise ConfigurationError(CONFIG_FILE, f"cannot be read: the host answered HTTP {status}")
    return parse_config(data, js.document.baseURI)
