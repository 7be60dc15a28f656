"""The limits of one address for tokens and tickets.

    POST /token    1 a second, 60 at once
    POST /ticket   5 a second, 120 at once

Where sign-in is open, identities are free, and this limits new ones. An office of a hundred people behind one address
still comes back at once after a restart: their pages have tokens, and need a ticket each. A refused request gets a
``Retry-After`` of its own; pages wait for that, and add some jitter.

An IPv6 address counts by its /64, since one client has many addresses in it. The addresses 127.0.0.1 and ::1 have no
limit: they may be a proxy or a tunnel for all clients. Of an address that is named as proxy (``PROXIES``), and of no
other, X-Forwarded-For is trusted and counted instead.

The counts are in memory (:mod:`backend.limits.buckets`): each instance of a Lambda function has its own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from backend.limits.buckets import Buckets, warnings
from backend.limits.rate_limit import Rate

log = logging.getLogger(__name__)

TOKENS_PER_SECOND = 1.0
TICKETS_PER_SECOND = 5.0
# The bursts, in seconds of the rate.
BURST_SECONDS = {"/token": 60, "/ticket": 24}
# The largest ``Retry-After``, in seconds.
MAX_WAIT_SECONDS = 60

Network = IPv4Network | IPv6Network

_THIS_MACHINE = (ip_address("127.0.0.1"), ip_address("::1"))
_MAPPED_BITS = 96
# Of an invalid address in X-Forwarded-For.
MAX_ADDRESS_CHARACTERS = 64


class InvalidProxy(ValueError):
    """Part of a setting that is neither an address nor a network; the error's text is that part."""


def proxies_in(text: str) -> tuple[Network, ...]:
    """Return the addresses and networks in a setting, separated by commas or spaces. Raises InvalidProxy."""
    networks = []
    for part in text.replace(",", " ").split():
        try:
            networks.append(ip_network(part))
        except ValueError:
            raise InvalidProxy(part) from None
    return tuple(networks)


def trusted_hosts(proxies: Sequence[Network]) -> list[str]:
    """Return the same for uvicorn's ProxyHeadersMiddleware; IPv4 also in its IPv6-mapped form."""
    mapped = [
        f"::ffff:{network.network_address}/{_MAPPED_BITS + network.prefixlen}"
        for network in proxies
        if network.version == 4
    ]
    return [*map(str, proxies), *mapped]


def counted_as(text: str) -> str:
    """Return the key under which an address counts: itself, for IPv6 its /64; of any other text its beginning."""
    for address in _parsed(text):
        return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
    return text[:MAX_ADDRESS_CHARACTERS]


def stands_for_many(text: str, proxies: Sequence[Network] = ()) -> bool:
    """Return whether many people may come from this address: this machine, where a proxy may stand, or a proxy."""
    return any(
        address in _THIS_MACHINE or any(address in proxy for proxy in proxies) for address in _parsed(text)
    )


def _parsed(text: str) -> Sequence[IPv4Address | IPv6Address]:
    """Return the address in a text, or nothing. A socket for IPv4 and IPv6 shows IPv4 in its mapped form."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ()
    return (getattr(address, "ipv4_mapped", None) or address,)


class Addresses:
    """The counts of requests by address.

    ``limits``: for each path the requests of one address per second; 0: no limit. ``monotonic`` gives seconds.
    """

    def __init__(
        self,
        limits: Mapping[str, float],
        *,
        monotonic: Callable[[], float],
        proxies: Sequence[Network] = (),
    ) -> None:
        rates = {
            path: Rate(per_second, max(1, round(per_second * BURST_SECONDS[path]))) if per_second else None
            for path, per_second in limits.items()
        }
        self._buckets = {path: Buckets(rate, monotonic=monotonic) for path, rate in rates.items()}
        # The turns of refused clients, one after the other.
        self._queues = {
            path: Buckets(None if rate is None else Rate(rate.per_second, burst=1), monotonic=monotonic)
            for path, rate in rates.items()
        }
        self._proxies = tuple(proxies)
        self._warnings = warnings(monotonic)
        self._warned_of_header = False

    def wait(self, path: str, address: str | None, *, forwarded: bool = False) -> int:
        """Count a request and return 0 if it may be answered; else return the whole seconds after which to ask again.

        ``address``: where it comes from; None: unknown, since the client has closed already. ``forwarded``: it has
        X-Forwarded-For.
        """
        key = self._key(address or "")
        if key is None:
            if forwarded and not self._proxies and not self._warned_of_header:
                self._warned_of_header = True
                log.warning(
                    "requests come from %s with X-Forwarded-For, which is not believed: if a proxy stands there, set "
                    "PROXIES to its address, so that limits for an address count those who ask",
                    address,
                )
            return 0
        if not self._buckets[path].take(key):
            return 0
        if not self._warnings.take("often"):
            log.warning(
                "%.64s asks %s too often and is answered by 429. Is it a proxy that many people come through? Then set "
                "PROXIES to its address",
                address,
                path,
            )
        return min(MAX_WAIT_SECONDS, math.ceil(self._queues[path].reserve(key, MAX_WAIT_SECONDS)))

    def _key(self, text: str) -> str | None:
        """Return the key of an address; None if it has no limit."""
        is_proxy = any(address in proxy for address in _parsed(text) for proxy in self._proxies)
        return None if stands_for_many(text) and not is_proxy else counted_as(text)
