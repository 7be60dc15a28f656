"""Token buckets in memory, one for each key: for limits that need not survive a restart.

They are GCRA with the arithmetic of :mod:`backend.limits.rate_limit`. Each process counts by itself: on Lambda every
instance of a function does, so the total may be a multiple of the limit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from backend.limits.rate_limit import MICROSECONDS, Rate, TooFast

# Keys that are remembered at the same time, some 200 bytes each. Beyond that, those used longest ago are forgotten.
MAX_KEYS = 10_000
MAX_SUBJECTS = 100


# Seconds between two warnings of one subject in the log.
WARNING_SECONDS = 60.0


def warnings(monotonic: Callable[[], float]) -> Buckets:
    """Return buckets that let one warning of each subject pass in a minute: ``if not warnings.take(subject)``."""
    return Buckets(Rate(1 / WARNING_SECONDS, burst=1), monotonic=monotonic, max_keys=MAX_SUBJECTS)


class Buckets:
    """One token bucket for each key. ``monotonic`` gives seconds; no ``rate``: no limit.

    Every method may be called from any thread.
    """

    def __init__(
        self, rate: Rate | None, *, monotonic: Callable[[], float], max_keys: int = MAX_KEYS
    ) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._max_keys = max_keys
        self._lock = threading.Lock()
        # Used longest ago first.
        self._arrivals: OrderedDict[Hashable, int] = OrderedDict()

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._arrivals)

    def take(self, key: Hashable) -> float:
        """Count a use and return 0.0 if it may pass; else return the seconds until it may."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = int(self._monotonic() * MICROSECONDS)
            before = self._arrivals.pop(key, None)
            try:
                self._arrivals[key] = self._rate.next_arrival(before, now)
                wait = 0.0
            except TooFast as error:
                if before is not None:
                    self._arrivals[key] = before
                wait = error.retry_after
            self._forget(now)
        return wait

    def reserve(self, key: Hashable, max_seconds: float) -> float:
        """Reserve the next turn of this key and return the seconds until then, at most ``max_seconds``."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = int(self._monotonic() * MICROSECONDS)
            latest = now + int(max_seconds * MICROSECONDS)
            arrival, _ = self._rate.reserve(self._arrivals.pop(key, 0), now)
            self._arrivals[key] = min(arrival, latest)
            self._forget(now)
            return (min(arrival, latest) - now) / MICROSECONDS

    def _forget(self, now: int) -> None:
        """Forget full buckets, which are the same as absent ones, and the oldest if there are too many."""
        while self._arrivals:
            arrival = next(iter(self._arrivals.values()))
            if arrival > now and len(self._arrivals) <= self._max_keys:
                return
            self._arrivals.popitem(last=False)
