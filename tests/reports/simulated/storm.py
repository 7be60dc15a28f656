"""A reconnect storm: all clients lose their links at once; how soon are they connected again, at which cost?

    python -m tests.reports.simulated.storm                     # the tables and charts of docs/simulations.md
    python -m tests.reports.simulated.storm --clients 2000 --per-second 10 --outage 20

The gateway admits a number of connections per second and refuses the rest at once, as API Gateway does (429, which
a page sees as any failed handshake). Pages are visible, and nobody presses "Try now".
"""

from __future__ import annotations

import argparse
import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from kizuna.core import Connection, events
from kizuna.core.events import Event, FetchToken, SetTimer, Timer
from kizuna.core.states import Status
from kizuna.platform import Instant
from kizuna.wire import KIZUNA, Numbers
from tests.reports.simulated.network import CONNECTIONS_PER_SECOND, ConnectionLimit
from tests.reports.simulated.page import HOUR
from tests.reports.simulated.peers import PEERS, Backoff
from tests.reports.simulated.week import CHAT, FIVE_RETRIES
from tools.reports import documents

#: Seconds one way between a page and the gateway, drawn for each attempt.
MIN_LATENCY, MAX_LATENCY = 0.02, 0.15
#: Seconds after the drop at which the simulation ends.
PATIENCE = 2 * HOUR
OUTAGES = (0.0, 20.0, 300.0)
OURS = {
    "Kizuna, five retries": FIVE_RETRIES,
    f"Kizuna, chat (idle retry {CHAT.idle_retry_interval:g} s)": CHAT,
    # What the chat had before this table was made.
    "Kizuna, idle retry 60 s": Numbers.of(vars(CHAT), {"idle_retry_interval": 60.0}),
}


class PeerClient:
    """One page with another library's backoff. Times are seconds since the drop."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._now = 0.0
        self._delays = backoff(random, lambda: self._now)

    def lost(self, now: float) -> float | None:
        """Handle a drop or a refusal, and return the time of the next attempt, None if it gives up."""
        self._now = now
        delay = next(self._delays, None)
        return None if delay is None else now + delay

    def accepted(self, now: float) -> None:
        """Handle a successful attempt."""


class KizunaClient:
    """One page with a real Connection, which was up for long before the drop.

    Between two refusals nothing can happen to it but its own retry timer, so it is driven up to its next attempt.
    """

    START = -60.0

    def __init__(self, numbers: Numbers, random: Random) -> None:
        self._connection = Connection(KIZUNA, numbers, random.random)
        self._link = 0
        self._tell(events.ConnectRequested(), self.START)
        self.accepted(self.START)
        self._tell(events.TimerFired(Timer.STABLE), self.START + numbers.stable_after)

    def lost(self, now: float) -> float | None:
        """As PeerClient's."""
        at = self._tell(events.SocketClosed(self._link, 1006), now)
        if at is not None:
            self._tell(events.TimerFired(Timer.RETRY), at)
        return at

    def accepted(self, now: float) -> None:
        """As PeerClient's."""
        self._tell(events.SocketOpened(self._link), now)
        self._tell(events.FrameArrived(self._link), now)
        self._tell(events.FrameReceived(self._link, {"type": "ready"}), now)
        self._tell(events.LinkPrepared(self._link), now)
        assert self._connection.status is Status.CONNECTED

    def _tell(self, event: Event, now: float) -> float | None:
        """Handle an event, and return the time of the retry, if there is one."""
        retry_at = None
        for command in self._connection.handle(event, Instant(now, now)):
            match command:
                case FetchToken(link=link):
                    self._link = link
                    self._tell(events.TokenObtained(link, "token"), now)
                case SetTimer(timer=Timer.RETRY, at=at):
                    retry_at = at
        return retry_at


StormClient = PeerClient | KizunaClient


@dataclass(slots=True)
class Storm:
    """The result of a storm. Seconds since the drop."""

    clients: int
    outage: float
    back_at: list[float] = field(default_factory=list)
    gave_up_at: list[float] = field(default_factory=list)
    attempts_in_second: Counter[int] = field(default_factory=Counter)

    @property
    def attempts(self) -> int:
        return sum(self.attempts_in_second.values())

    def peak(self, since: float = 0.0) -> int:
        """Return the maximum of attempts in one second, from ``since`` on."""
        return max((n for second, n in self.attempts_in_second.items() if second >= since), default=0)

    def back_within(self, share: float) -> float | None:
        """Return the seconds from the gateway's return until this share is connected; None: never."""
        wanted = round(share * self.clients)
        return sorted(self.back_at)[wanted - 1] - self.outage if len(self.back_at) >= wanted else None


def run_storm(name: str, *, clients: int, per_second: int, outage: float, seed: int) -> Storm:
    """Drop everyone at 0, refuse all until ``outage``, then admit ``per_second``, until no client tries."""
    storm, random = Storm(clients, outage), Random(seed)
    limit = ConnectionLimit(per_second)
    make = client_factories(random)[name]
    people = [make() for _ in range(clients)]

    def latency() -> float:
        return MIN_LATENCY + (MAX_LATENCY - MIN_LATENCY) * random.random()

    def leaves(person: int, now: float) -> None:
        at = people[person].lost(now)
        if at is None:
            storm.gave_up_at.append(now)
        else:
            heapq.heappush(arriving, (at + latency(), person))

    arriving: list[tuple[float, int]] = []
    for person in range(clients):
        leaves(person, latency())
    while arriving and arriving[0][0] < PATIENCE:
        now, person = heapq.heappop(arriving)
        storm.attempts_in_second[int(now)] += 1
        if now >= outage and limit.admits(now):
            people[person].accepted(now + latency())
            storm.back_at.append(now)
        else:
            leaves(person, now + latency())
    return storm


def client_factories(random: Random) -> dict[str, Callable[[], StormClient]]:
    """Return name -> a function that makes one client."""
    ours = {name: partial(KizunaClient, numbers, random) for name, numbers in OURS.items()}
    return ours | {name: partial(PeerClient, backoff, random) for name, backoff in PEERS.items()}


def row(name: str, storm: Storm) -> dict[str, str]:
    def back(share: float) -> str:
        seconds = storm.back_within(share)
        return "never" if seconds is None else f"{seconds:,.0f} s"

    return {
        "backoff": name,
        "half back": back(0.5),
        "99 % back": back(0.99),
        "all back": back(1.0),
        "gave up": f"{len(storm.gave_up_at):,}",
        "attempts": f"{storm.attempts:,}",
        "per client": f"{storm.attempts / storm.clients:.1f}",
        "peak/s": f"{storm.peak():,}",
        "peak/s after return": f"{storm.peak(storm.outage):,}",
    }


def report(storms: Mapping[str, Storm]) -> str:
    """Return a table of all, and a chart of those in which 99 % are connected again."""
    rows = [row(name, storm) for name, storm in storms.items()]
    table = documents.table(list(rows[0]), [list(each.values()) for each in rows])
    back = {name: round(seconds) for name, storm in storms.items() if (seconds := storm.back_within(0.99))}
    return f"{table}\n\n{documents.chart('Until 99 % are connected again, in seconds', back)}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reports.simulated.storm", description=__doc__)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--per-second", type=int, default=CONNECTIONS_PER_SECOND)
    parser.add_argument("--outage", type=float, action="append", help=f"seconds; may be repeated; {OUTAGES}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only contestants whose name contains this")
    parser.add_argument("--write", action="store_true", help="put tables and charts into docs/simulations.md")
    args = parser.parse_args(arguments)
    for outage in args.outage or OUTAGES:
        wanted = {"clients": args.clients, "per_second": args.per_second, "outage": outage, "seed": args.seed}
        storms = {name: run_storm(name, **wanted) for name in (*OURS, *PEERS) if args.only in name}
        command = (
            f"{parser.prog} --clients {args.clients} --per-second {args.per_second}"
            f" --outage {outage:g} --seed {args.seed}"
        )
        text = f"{report(storms)}\n\n`{command}`\n"
        documents.publish(f"storm-{outage:g}", text, write=args.write, page=documents.SIMULATIONS)


if __name__ == "__main__":
    main()
