"""The composition root: builds the parts and connects them. ``index.html`` runs ``import main; main.start()``."""

from __future__ import annotations

import gc
import logging
import random
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from kizuna import JSON_OBJECTS, KIZUNA, ConfigurationError, ListedSettings, Locks, Platform, Storage
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
from kizuna.delivery import OUTBOX_TABLE, FallbackStorage, NoLocks, OutboxStorage, TaskSet
from kizuna.testing import Fault, FaultPlatform
from ui.kit.catalogues import FOLDER as CATALOGUES, page_texts
from ui.kit.demo_mode import become_demo, is_demo, storage_prefix
from ui.kit.http import InvalidJson, get_json, post_json
from ui.kit.on_demand import import_on_demand
from ui.page import Page
from ui.shell.demo_line import show_demo_line
from ui.shell.start_failure import show_failure

#: kizuna.browser.ticks.WORKER_SOURCE as a file: the page's Content-Security-Policy forbids workers from blobs.
TICKS_FILE = "static/boot/ticks.js"

TABLES = (OUTBOX_TABLE, cache.TABLE)

#: The demo's files in the source tree. The built site has them in one archive.
DEMO_FILES = (
    "app/demo/__init__.py",
    "app/demo/conversation.py",
    "app/demo/platform.py",
    "app/demo/server.py",
    "app/demo/tab_storage.py",
    "static/i18n/demo/en.json",
    "static/i18n/demo/ja.json",
)
DEMO_TEXTS = CATALOGUES / "demo"

_tasks = TaskSet()


@dataclass(frozen=True, slots=True)
class Environment:
    """What the chat is built on: the browser's, or the demo's."""

    platform: Platform
    post_json: PostJson
    settings: ListedSettings
    tab: ListedSettings
    storage: Storage
    locks: Locks


def start() -> None:
    """Start the chat. Errors are shown on the page, with the file or key that caused them."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", handlers=[ConsoleHandler()])
    random.seed()  # or every page that starts from a snapshot would have the same jitter
    _tasks.start(_start())


async def _start() -> None:
    try:
        config = await _load_config()
        if config.demo and not is_demo():
            become_demo()
        await _open_page(config)
    except ConfigurationError as error:
        show_failure(str(error), cause="config")
    except OSError as error:
        show_failure(f"{CONFIG_FILE}: {error}", cause="network")
    except Exception as error:
        show_failure(f"{type(error).__name__}: {error}")
        raise


async def _open_page(config: Config) -> None:
    if is_demo():
        config, environment = await _demo_environment(config)
    else:
        environment = _browser_environment()
    # From the start, so that a person can break the very link that stands; while no fault is armed frames pass it by.
    platform = FaultPlatform(environment.platform)
    settings, tab = environment.settings, environment.tab
    endpoints = Endpoints(
        _post_through(platform, environment.post_json),
        config.token_url,
        config.ticket_url,
        platform.now,
        js.document.baseURI,
    )
    identity = Identity(settings, endpoints, lambda: secrets.token_urlsafe(32), tab)
    service = get_websocket_service(
        config.web_socket_url,
        identity.get_token,
        platform=platform,
        codec=JSON_OBJECTS,
        wire=config.wire,
        options=config.options,
    )
    store, database = ChatStore(), environment.storage
    if not is_demo():
        await _migrate(identity, environment)
    rows = OutboxStorage(
        FallbackStorage(database, lambda: session.on_storage_failed()),
        environment.locks,
        _new_id(),
        drafts=settings,
    )
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
    if not is_demo():
        _ask_to_persist_at_first_message(store)
    preferences = Preferences(LocalSettings(page_prefix()))  # where static/boot/boot.js reads them
    diagnosis = Diagnosis(service, session.statistics, lambda: platform.now().wall)
    Page(store, session, page_texts(), time.monotonic, preferences, diagnosis, platform).open()
    session.start()
    # What the start has made stays as long as the page. In a flood the garbage collector would look through it time and
    # again, for half of its time.
    gc.freeze()


def _post_through(faults: FaultPlatform, post_real: PostJson) -> PostJson:
    """Return ``post_real``, unless a fault prevents it: the platform knows only the sockets."""

    async def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        if Fault.FIREWALL in faults.armed:
            return 403, None, None  # a page of the firewall's own, and no JSON
        if Fault.REFUSE in faults.armed:
            raise OSError("refused on command")
        return await post_real(url, body, headers)

    return post


def _browser_environment() -> Environment:
    prefix = storage_prefix()
    return Environment(
        platform=BrowserPlatform(TICKS_FILE),
        post_json=post_json,
        settings=LocalSettings(prefix),
        tab=TabSettings(prefix),
        storage=IndexedDb(f"{prefix}kizuna", TABLES),
        locks=WebLocks(),
    )


async def _demo_environment(config: Config) -> tuple[Config, Environment]:
    """Load the demo, show that it is one, and return what the chat is built on, with the addresses of its server."""
    demo = await import_on_demand("demo", DEMO_FILES)
    texts, settings = page_texts(DEMO_TEXTS), TabSettings(storage_prefix())
    show_demo_line(texts, can_leave=not config.demo)
    parts = demo.Demo(BrowserPlatform(TICKS_FILE), settings, texts)
    environment = Environment(
        platform=parts.platform,
        post_json=parts.server.post_json,
        settings=settings,
        tab=settings,
        storage=parts.storage,
        locks=NoLocks(),
    )
    urls = {"web_socket_url": demo.WEB_SOCKET_URL, "token_url": demo.TOKEN_URL, "ticket_url": demo.TICKET_URL}
    return replace(config, **urls, wire=KIZUNA), environment


async def _migrate(identity: Identity, environment: Environment) -> None:
    """Take over what earlier versions stored."""
    prefix, tab_id = page_prefix(), _new_id()
    old_database = IndexedDb("kizuna", TABLES) if prefix else None
    migration = Migration(
        LocalSettings(),
        TabSettings(),
        old_database or environment.storage,
        lambda storage: OutboxStorage(storage, environment.locks, tab_id),
    )
    if old_database is None:
        await migration.migrate_secrets(identity)
    else:
        await migration.migrate_all(identity, environment.settings, environment.tab, environment.storage)
        old_database.close()


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
