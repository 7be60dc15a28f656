"""The backend of one machine: SQLite, the local gateway, and the handlers between them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from backend.auth.authorizer import Authorizer
from backend.auth.bans import Bans
from backend.auth.endpoints import Endpoint, TicketEndpoint, TokenEndpoint
from backend.auth.tickets import TicketOrToken, Tickets
from backend.auth.tokens import DEFAULT_LIFETIME_SECONDS, Tokens, load_secret
from backend.gateway.local import DURATION_SECONDS, IDLE_SECONDS, LocalGateway
from backend.gateway.people import FRAMES_PER_SECOND, frame_rate
from backend.limits.actions import ASKS_PER_SECOND, HELLOS_PER_SECOND, TYPING_SECONDS, ActionLimits
from backend.limits.addresses import TICKETS_PER_SECOND, TOKENS_PER_SECOND, Addresses, Network
from backend.limits.rate_limit import BURST, BURST_NEW, PER_SECOND, Rate
from backend.local.protocols import Bounds
from backend.messaging.connections import CONNECTION_PREFIX, connection_id_of
from backend.messaging.handlers import MAX_CONNECTIONS_PER_PERSON, Backend
from backend.store.base import StoreError
from backend.store.sqlite import PURGE_ROWS, SqliteStore
from chat.protocol import Bye, encode

log = logging.getLogger(__name__)

# Handlers that run at the same time: "Lambda instances". They mostly wait for the disk.
WORKERS = 32
# Handlers that only read, such as those of pings. SQLite's readers do not wait, so a few threads are enough.
READERS = 8
# How long a person who keeps sending too many frames shall stay away.
RATE_LIMITED_SECONDS = 30.0
# How often the gateway's limits of minutes and hours are enforced.
SWEEP_SECONDS = 5.0
# Expired rows are invisible anyway; deleting them only frees the space.
PURGE_SECONDS = 10 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings. Times are in seconds; ``port`` 0 takes any free one.

    One person may send ``rate_limit`` messages a second (0: any number), and ``rate_burst`` at once; ``rate_burst_new``
    (0: the same) in the first minute; and ``frame_limit`` frames of any kind a second (0: any number).
    :mod:`backend.limits.actions` has the limits of single actions. ``most_connections`` of one person (0: any number).
    One address may ask for ``token_limit`` tokens and ``ticket_limit`` tickets a second; ``proxies`` are trusted to
    name the client (:mod:`backend.limits.addresses`).

    ``root`` is the folder with index.html. ``allowed_origins`` may use the server from pages on other hosts.
    ``bounds`` are the limits of one client below ASGI.
    ``dev``: open pages reload when their files change.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path("data/kizuna.sqlite3")
    root: Path = Path(__file__).resolve().parents[2]
    allowed_origins: frozenset[str] = frozenset()
    token_lifetime: int = DEFAULT_LIFETIME_SECONDS
    idle_seconds: float = IDLE_SECONDS
    duration_seconds: float = DURATION_SECONDS
    rate_limit: float = PER_SECOND
    rate_burst: int = BURST
    rate_burst_new: int = BURST_NEW
    frame_limit: float = FRAMES_PER_SECOND
    typing_seconds: float = TYPING_SECONDS
    hello_limit: float = HELLOS_PER_SECOND
    ask_limit: float = ASKS_PER_SECOND
    most_connections: int = MAX_CONNECTIONS_PER_PERSON
    token_limit: float = TOKENS_PER_SECOND
    ticket_limit: float = TICKETS_PER_SECOND
    proxies: tuple[Network, ...] = ()
    bounds: Bounds = field(default_factory=Bounds)
    dev: bool = False


class Service:
    """The parts, built and closed together. Raises StoreUnavailable if the data cannot be used."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.store = SqliteStore(options.data)
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="handler")
        self.readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self.gateway = LocalGateway(
            self.workers,
            readers=self.readers,
            idle_seconds=options.idle_seconds,
            duration_seconds=options.duration_seconds,
            frame_rate=frame_rate(options.frame_limit),
            rate_limited=encode(Bye(reason="rate_limited", retry_after=RATE_LIMITED_SECONDS)),
        )
        self.tokens = Tokens(load_secret(self.store), clock=time.time, lifetime=options.token_lifetime)
        rate = (
            Rate(options.rate_limit, options.rate_burst, options.rate_burst_new)
            if options.rate_limit
            else None
        )
        tickets = Tickets(self.store, clock=time.time)
        bans = Bans(self.store)
        self.endpoints: dict[str, Endpoint] = {
            "/token": TokenEndpoint(lambda: self.tokens, bans),
            "/ticket": TicketEndpoint(tickets, self.tokens, bans),
        }
        limits = {"/token": options.token_limit, "/ticket": options.ticket_limit}
        self.addresses = Addresses(limits, monotonic=time.monotonic, proxies=options.proxies)
        actions = ActionLimits(options.typing_seconds, options.hello_limit, options.ask_limit)
        self.backend = Backend(
            self.store,
            self.gateway,
            rate=rate,
            actions=actions,
            most_connections=options.most_connections,
        )
        authorizer = Authorizer(TicketOrToken(tickets, self.tokens))
        self.gateway.attach(
            self.backend.handle, self.backend.routes, authorizer.authorize, reads=self.backend.reads
        )
        # No socket outlives its process, so every record of a connection is one of an earlier process.
        self.backend.connections.purge(map(connection_id_of, self.store.partitions(CONNECTION_PREFIX)))

    async def run_maintenance(self) -> None:
        """Enforce the gateway's limits and delete expired rows, until cancelled.

        Between two batches of rows other writers get their turn, and the limits are enforced.
        """
        loop = asyncio.get_running_loop()
        purge_at = loop.time()
        pause = min(SWEEP_SECONDS, self.options.idle_seconds / 5, self.options.duration_seconds / 5)
        while True:
            self.gateway.sweep()
            if loop.time() >= purge_at:
                if await loop.run_in_executor(self.workers, self._purge) == PURGE_ROWS:
                    await asyncio.sleep(0)
                    continue
                purge_at = loop.time() + PURGE_SECONDS
            await asyncio.sleep(pause)

    def _purge(self) -> int:
        """Delete a batch of expired rows and return how many. A failed store is tried again next time."""
        try:
            return self.store.purge_expired()
        except StoreError as error:
            log.warning("could not delete expired rows: %s", error)
            return 0

    def close(self, within: float) -> bool:
        """Let handlers finish, then close the store. Return False, with the store open, if one hangs for ``within``
        seconds."""
        self.backend.close()
        # A pool cannot be waited for with a limit, a thread can.
        waiting = threading.Thread(target=self._shut_down_threads, daemon=True)
        waiting.start()
        waiting.join(within)
        if waiting.is_alive():
            return False
        self.store.close()
        return True

    def _shut_down_threads(self) -> None:
        for pool in (self.workers, self.readers):
            pool.shutdown(cancel_futures=True)
