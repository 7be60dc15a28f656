"""A simulated week under named profiles: how long connected, how soon a fault is noticed, how soon it is over.

python -m tests.reports.simulated.week                      # the table of docs/simulations.md
python -m tests.reports.simulated.week --days 1 --seeds 1 --profile train --options library
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from kizuna.connection import Connection
from kizuna.events import ConnectRequested
from kizuna.options import Options
from tests.kizuna.machine import MakeConnection
from tests.reports.simulated import documents
from tests.reports.simulated.client import Client
from tests.reports.simulated.gateway import Gateway
from tests.reports.simulated.meter import Measurements, Meter, percentile
from tests.reports.simulated.profiles import PROFILES, Profile
from tests.reports.simulated.world import DAY, HOUR, World


def live(
    profile: Profile,
    *,
    seed: int,
    days: float = 7,
    begins_at: float = 0,
    options: Options = documents.CHAT,
    make: MakeConnection = Connection,
) -> Measurements:
    """One page's days under ``profile``. ``begins_at``: o'clock."""
    world = World(seed)
    world.run(until=begins_at * HOUR)
    client = Client(world, Gateway(world), options, has_worker=profile.has_worker, make=make)
    client.handle(ConnectRequested())
    world.run(until=world.now + 1)
    meter = Meter(client)
    world.live(profile.script(client))
    world.run(until=begins_at * HOUR + days * DAY)
    return meter.result()


def row(profile: Profile, weeks: Iterable[Measurements]) -> dict[str, str]:
    total = Measurements()
    for week in weeks:
        total.add(week)
    days = total.lived / DAY
    return {
        "profile": profile.name,
        "connected": f"{100 * total.connected / total.usable:.3f} %",
        "lost, s/day": f"{(total.usable - total.connected) / days:.0f}",
        "faults": str(len(total.detections)),
        "noticed after": _percentiles(total.detections),
        "recoveries": str(len(total.recoveries)),
        "recovered after": _percentiles(total.recoveries),
        "attempts/day": f"{total.attempts / days:.1f}",
    }


def _percentiles(seconds: Sequence[float]) -> str:
    numbers = [percentile(seconds, share) for share in (0.5, 0.95, 1.0)]
    return " / ".join("-" if number is None else f"{number:.1f}" for number in numbers)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.reports.simulated.week", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--seeds", type=int, default=5, help="how many weeks of each profile")
    parser.add_argument("--seed", type=int, default=1, help="the first of them")
    parser.add_argument("--profile", default="", help="only profiles whose name contains this")
    parser.add_argument("--options", choices=documents.OPTIONS, default="chat")
    parser.add_argument("--write", action="store_true", help="put the table into docs/simulations.md")
    args = parser.parse_args(arguments)
    options = documents.OPTIONS[args.options]
    seeds = range(args.seed, args.seed + args.seeds)
    rows = [
        row(profile, (live(profile, seed=seed, days=args.days, options=options) for seed in seeds))
        for profile in PROFILES
        if args.profile in profile.name
    ]
    command = (
        f"python -m tests.reports.simulated.week --days {args.days:g} --seed {args.seed} --seeds {args.seeds}"
        f" --options {args.options}"
    )
    table = documents.table(list(rows[0]), [list(each.values()) for each in rows])
    text = f"{table}\n\n`{command}`"
    documents.publish(f"week-{args.options}", text, write=args.write)


if __name__ == "__main__":
    main()
