"""A simulated week under named profiles: time connected, time until faults are noticed and over.

python -m tests.reports.simulated.week                      # the table of docs/simulations.md
python -m tests.reports.simulated.week --days 1 --seeds 1 --profile train --options five-retries
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chat.config import parse_config
from kizuna.core import Connection
from kizuna.core.events import ConnectRequested
from kizuna.wire import KIZUNA, Numbers, Options
from tests.kizuna.core.machine import MakeConnection
from tests.reports.simulated.client import Client
from tests.reports.simulated.page import DAY, HOUR, Simulation
from tests.reports.simulated.profiles import PROFILES, Profile
from tests.support.server import ROOT
from tools.reports import documents

#: As the article: five retries, then a person must press "Try now".
FIVE_RETRIES = Numbers.of(KIZUNA.defaults, Options(idle_retry_interval=0.0))
#: The chat's options.
_CONFIG = parse_config(json.loads((ROOT / "static" / "config.json").read_text("utf-8")), "http://x")
CHAT = Numbers.of(_CONFIG.wire.defaults, _CONFIG.options)
NUMBERS = {"five-retries": FIVE_RETRIES, "chat": CHAT}


@dataclass(slots=True)
class Measurements:
    """Seconds, and counts."""

    lived: float = 0.0  #: the whole time
    usable: float = 0.0  #: the page ran and an attempt would have succeeded
    connected: float = 0.0  #: of that: the status said CONNECTED, and it was true
    attempts: int = 0
    #: From a dead link that the status called CONNECTED, on a page that runs, to the status changing.
    detections: list[float] = field(default_factory=list)
    #: From "an attempt would succeed, the page is visible, and no link works" to CONNECTED, and truly so.
    recoveries: list[float] = field(default_factory=list)


def percentile(numbers: Sequence[float], share: float) -> float | None:
    """Return a percentile; None for no numbers."""
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, max(0, int(share * len(ordered) - 1e-9)))] if ordered else None


class Stopwatch:
    """Measures how long something lasts, each time it happens."""

    def __init__(self, simulation: Simulation, lengths: list[float]) -> None:
        self._simulation = simulation
        self._lengths = lengths
        self._since: float | None = None

    def look(self, *, counts: bool, lasts: bool) -> None:
        """Update: it ``lasts``, or it is over, or it does not count."""
        if not counts:
            self._since = None
        elif not lasts:
            self.stop()
        elif self._since is None:
            self._since = self._simulation.now

    def stop(self) -> None:
        if self._since is not None:
            self._lengths.append(self._simulation.now - self._since)
            self._since = None


class Meter:
    """Measures one client against the true state of the simulation."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._simulation = client.simulation
        self._measured = Measurements()
        self._undetected = Stopwatch(client.simulation, self._measured.detections)
        self._disconnected = Stopwatch(client.simulation, self._measured.recoveries)
        self._started = self._looked_at = self._simulation.now
        self._usable = self._connected = False
        self._simulation.changed = self.look
        self.look()

    def look(self) -> None:
        """Update all measures after a change."""
        client, now = self._client, self._simulation.now
        passed, self._looked_at = now - self._looked_at, now
        if self._usable:
            self._measured.usable += passed
            if self._connected:
                self._measured.connected += passed
        works = client.has_working_link
        self._usable = client.could_connect
        self._connected = client.is_connected and works
        self._undetected.look(counts=client.page.runs and not works, lasts=client.is_connected)
        self._disconnected.look(counts=self._usable and client.page.visible, lasts=not self._connected)

    def result(self) -> Measurements:
        """Return the measurements at the end, including what still lasts."""
        self.look()
        self._undetected.stop()
        self._disconnected.stop()
        self._measured.lived = self._simulation.now - self._started
        self._measured.attempts = self._client.attempts
        return self._measured


def live(
    profile: Profile,
    *,
    seed: int,
    days: float = 7,
    begins_at: float = 0,
    numbers: Numbers = CHAT,
    make: MakeConnection = Connection,
) -> Measurements:
    """Simulate one page's days under a profile. ``begins_at``: hour of the day."""
    simulation = Simulation(seed)
    simulation.run(until=begins_at * HOUR)
    client = Client(simulation, KIZUNA, numbers, has_worker=profile.has_worker, make=make)
    client.handle(ConnectRequested())
    simulation.run(until=simulation.now + 1)
    meter = Meter(client)
    simulation.run_script(profile.script(client))
    simulation.run(until=begins_at * HOUR + days * DAY)
    return meter.result()


def row(profile: Profile, weeks: Iterable[Measurements]) -> dict[str, str]:
    weeks = list(weeks)
    days = sum(week.lived for week in weeks) / DAY
    usable, connected = sum(week.usable for week in weeks), sum(week.connected for week in weeks)
    detections = [seconds for week in weeks for seconds in week.detections]
    recoveries = [seconds for week in weeks for seconds in week.recoveries]
    return {
        "profile": profile.name,
        "connected": f"{100 * connected / usable:.3f} %",
        "lost, s/day": f"{(usable - connected) / days:.0f}",
        "faults": str(len(detections)),
        "noticed after": _percentiles(detections),
        "recoveries": str(len(recoveries)),
        "recovered after": _percentiles(recoveries),
        "attempts/day": f"{sum(week.attempts for week in weeks) / days:.1f}",
    }


def _percentiles(seconds: Sequence[float]) -> str:
    numbers = [percentile(seconds, share) for share in (0.5, 0.95, 1.0)]
    return " / ".join("-" if number is None else f"{number:.1f}" for number in numbers)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reports.simulated.week", description=__doc__)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--seeds", type=int, default=5, help="how many weeks of each profile")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--profile", default="", help="only profiles whose name contains this")
    parser.add_argument("--options", choices=NUMBERS, default="chat")
    parser.add_argument("--write", action="store_true", help="put the table into docs/simulations.md")
    args = parser.parse_args(arguments)
    seeds = range(args.seed, args.seed + args.seeds)
    rows = [
        row(
            profile,
            (live(profile, seed=seed, days=args.days, numbers=NUMBERS[args.options]) for seed in seeds),
        )
        for profile in PROFILES
        if args.profile in profile.name
    ]
    command = (
        f"{parser.prog} --days {args.days:g} --seed {args.seed} --seeds {args.seeds} --options {args.options}"
    )
    table = documents.table(list(rows[0]), [list(each.values()) for each in rows])
    text = f"{table}\n\n`{command}`"
    documents.publish(f"week-{args.options}", text, write=args.write, page=documents.SIMULATIONS)


if __name__ == "__main__":
    main()
