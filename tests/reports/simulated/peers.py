"""The backoffs of other libraries: the delay from a drop or a refusal to the next attempt.

The numbers are from each project's source, snapshots of 2025-2026. Only what a storm of refusals needs is here, so no
connect timeouts and no resets after success.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

#: Seconds since the drop.
SinceDrop = Callable[[], float]
#: Gives the seconds to wait before each attempt after the drop; ends to give up.
Backoff = Callable[[Random, SinceDrop], Iterator[float]]


def article(random: Random, since_drop: SinceDrop) -> Iterator[float]:
    """The article that this project implements: 1, 2, 4, 8, 16 s without jitter, then no more."""
    yield from (1.0, 2.0, 4.0, 8.0, 16.0)


def phoenix(random: Random, since_drop: SinceDrop) -> Iterator[float]:
    """reconnectAfterMs: 10, 50, 100, 150, 200, 250, 500, 1000, 2000, then 5000 ms for ever; no jitter.
    assets/js/phoenix/socket.js and timer.js."""
    yield from (0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0)
    while True:
        yield 5.0


def socket_io(random: Random, since_drop: SinceDrop) -> Iterator[float]:
    """reconnectionDelay 1000 doubled up to reconnectionDelayMax 5000, randomizationFactor 0.5, for ever. The jitter
    comes before the cap, so from the fifth attempt on there is none: socket.io-client/lib/contrib/backo2.ts."""
    nominal = 1.0
    while True:
        yield min(nominal * random.uniform(0.5, 1.5), 5.0)
        nominal = min(nominal * 2, 1e6)


def signalr(random: Random, since_drop: SinceDrop) -> Iterator[float]:
    """DefaultReconnectPolicy: 0, 2, 10, 30 s, then no more."""
    yield from (0.0, 2.0, 10.0, 30.0)


def reconnecting_websocket(random: Random, since_drop: SinceDrop) -> Iterator[float]:
    """minReconnectionDelay 1000 + rand * 4000 ms, drawn once per page; times 1.3 up to 10 000 ms, for ever."""
    delay = random.uniform(1.0, 5.0)
    while True:
        yield delay
        delay = min(delay * 1.3, 10.0)


def ably(random: Random, since_drop: SinceDrop) -> Iterator[float]:
    """At once after a drop, which counts as the first; then 15 s * min((n + 2) / 3, 2) * (0.8 to 1.0). 120 s after the
    drop the client becomes suspended, and from that moment on tries every 30 s, without jitter.
    src/common/lib/transport/connectionmanager.ts (notifyState, startSuspendTimer), util/utils.ts."""
    yield 0.0
    count = 2
    while True:
        delay = 15.0 * min((count + 2) / 3, 2.0) * random.uniform(0.8, 1.0)
        if since_drop() + delay > 120:
            break
        yield delay
        count += 1
    yield 120 - since_drop() + 30.0
    while True:
        yield 30.0


PEERS: dict[str, Backoff] = {
    "the article as written": article,
    "phoenix": phoenix,
    "socket.io": socket_io,
    "SignalR": signalr,
    "reconnecting-websocket": reconnecting_websocket,
    "ably": ably,
}
