"""Log lines about refused requests: who, from where, and why, at a rate that does not hide other lines.

A line whose record names a ``source`` is one that clients can cause at any rate. In the server's log each source has
one such line a second; the next one, or the first other line after that second, says how many were dropped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

# Seconds between two lines of one source.
QUIET_SECONDS = 1.0
# Sources with their own line within a second; those beyond are counted together.
MAX_SOURCES = 50

_OTHERS = "other addresses"


def log_refusal(what: str, source: str, user_id: str = "") -> None:
    """Log a refusal. ``what`` is in this program's own words: no token, no secret, no text of a user.

    ``source``: the address it came from. ``user_id``: the person's, if a token has proven who it is.
    """
    person = f", person {user_id}" if user_id else ""
    log.info("%s (%s%s)", what, source, person, extra={"source": source})


def source_of(event: Mapping[str, Any]) -> str:
    """Return the address that an event of API Gateway, or of the local one, comes from."""
    request = event["requestContext"]
    address = (request.get("identity") or request.get("http") or {}).get("sourceIp")
    return str(address or "unknown address")


@dataclass(slots=True)
class _Source:
    """The time of a source's last line (seconds), and the number of lines that were dropped since."""

    logged_at: float
    suppressed: int = 0


class LogThrottle(logging.Filter):
    """A filter that lets one line a second pass for each source. ``monotonic`` gives seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._sources: dict[str, _Source] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written. Records without a source always are."""
        now = self._monotonic()
        for name, source in self._take_old(now):
            if source.suppressed:
                log.info("and %d more (%s)", source.suppressed, name)
        source_name = getattr(record, "source", None)
        return source_name is None or self._may_log(str(source_name), now)

    def _may_log(self, name: str, now: float) -> bool:
        with self._lock:
            if name not in self._sources and len(self._sources) >= MAX_SOURCES:
                name = _OTHERS
            if name in self._sources:
                self._sources[name].suppressed += 1
                return False
            self._sources[name] = _Source(now)
            return True

    def _take_old(self, now: float) -> list[tuple[str, _Source]]:
        """Remove and return the sources whose second is over."""
        with self._lock:
            old = [item for item in self._sources.items() if now - item[1].logged_at >= QUIET_SECONDS]
            for name, _ in old:
                del self._sources[name]
            return old
