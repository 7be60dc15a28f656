"""The backend of one machine, put together: SQLite, the local gateway, and the handlers between them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from backend.authorizer import Authorizer
from backend.connections import CONNECTION_PREFIX, connection_id_of
from backend.desks import Desk, TicketDesk, TokenDesk
from backend.gateway.local import DURATION_SECONDS, IDLE_SECONDS, LocalGateway
from backend.handlers import Backend
from backend.rate import BURST, PER_SECOND, Rate
from backend.store.base import StoreError
from backend.store.sqlite import PURGE_ROWS, SqliteStore
from backend.tickets import TicketOrToken, Tickets
from backend.tokens import DEFAULT_LIFETIME_SECONDS, Tokens, load_secret

log = logging.getLogger(__name__)

# Handlers that run at the same time: "Lambda instances". They mostly wait for the disk.
WORKERS = 32
# How exactly the gateway's limits of minutes and hours are kept.
SWEEP_SECONDS = 5.0
# Expired rows are invisible anyway; deleting them only frees the space.
PURGE_SECONDS = 10 * 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What can be set from outside. Times are in seconds; ``port`` 0 takes any free one.

    One person may send ``rate_limit`` messages a second (0: any number), and ``rate_burst`` at once.

    ``root`` is the folder with index.html. ``allowed_origins`` may use the server from pages on other hosts.
    ``dev``: open pages are told when the page's files change.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path("data/kizuna.sqlite3")
    root: Path = Path(__file__).resolve().parent.parent
    allowed_origins: frozenset[str] = frozenset()
    token_lifetime: int = DEFAULT_LIFETIME_SECONDS
    idle_seconds: float = IDLE_SECONDS
    duration_seconds: float = DURATION_SECONDS
    rate_limit: float = PER_SECOND
    rate_burst: int = BURST
    dev: bool = False


class Service:
    """Responsible for the parts' order of birth and death. Raises StoreUnavailable if the data cannot be used."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.store = SqliteStore(options.data)
        self.workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="handler")
        self.gateway = LocalGateway(
            self.workers, idle_seconds=options.idle_seconds, duration_seconds=options.duration_seconds
        )
        self.tokens = Tokens(load_secret(self.store), clock=time.time, lifetime=options.token_lifetime)
        rate = Rate(options.rate_limit, options.rate_burst) if options.rate_limit else None
        tickets = Tickets(self.store, clock=time.time)
        self.desks: dict[str, Desk] = {
            "/token": TokenDesk(lambda: self.tokens),
            "/ticket": TicketDesk(tickets, self.tokens),
        }
        self.backend = Backend(self.store, self.gateway, rate=rate)
        authorizer = Authorizer(TicketOrToken(tickets, self.tokens))
        self.gateway.attach(self.backend.handle, self.backend.routes, authorizer.authorize)
        # No socket outlives its process, so every record of a connection is one of an earlier life.
        self.backend.connections.purge(map(connection_id_of, self.store.partitions(CONNECTION_PREFIX)))

    async def keep_house(self) -> None:
        """Until cancelled: keep the gateway's limits, delete expired rows until none is left.

        Between two batches of rows other writers have their turn, and the limits are kept.
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
        """Delete a batch of expired rows; returns how many. A store that cannot now is asked again next time."""
        try:
            return self.store.purge_expired()
        except StoreError as error:
            log.warning("expired rows stay for now: %s", error)
            return 0

    def close(self, within: float) -> bool:
        """Let handlers finish, then the file go. False, and it stays open, if one hangs for ``within`` seconds."""
        self.backend.close()
        # A pool cannot be waited for with a limit, a thread can.
        waiting = threading.Thread(target=self.workers.shutdown, kwargs={"cancel_futures": True}, daemon=True)
        waiting.start()
        waiting.join(within)
        if waiting.is_alive():
            return False
        self.store.close()
        return True
