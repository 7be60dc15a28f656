"""A long random walk over many worlds; after every event the invariants are checked, at each world's end liveness.

python -m tests.reports.simulated.soak                      # 200,000 steps from a seed of its own, which it prints
python -m tests.reports.simulated.soak --steps 400 --seed 4711     # the world that failed, again
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom

from kizuna import events
from kizuna.connection import Connection
from kizuna.events import Event
from kizuna.options import Options
from kizuna.platform import Instant
from kizuna.states import Status
from kizuna.wire import ARTICLE, KIZUNA
from tests.reports.simulated.chaos import LAST_NEWS, Walk
from tests.reports.simulated.client import Client, ConnectionFactory, Habits
from tests.reports.simulated.gateway import Gateway
from tests.reports.simulated.invariants import QUIET, InvariantBroken, Invariants
from tests.reports.simulated.world import World

#: A world lives this long; then all is well, and the connection must come back.
STEPS_PER_WORLD = 400
#: Seconds in which it must, besides what it was told to wait: a dead link is noticed (30 s heartbeat, 10 s for the
#: pong, 5 s for the probe), an attempt under way fails (10 s), the longest retry passes (16 s * 1.5) and succeeds.
#: Who is exhausted rests before that, or presses Try now.
COMES_BACK_WITHIN = 90.0


@dataclass(slots=True)
class Counts:
    """What a soak went through."""

    worlds: int = 0
    steps: int = 0
    events: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    slowest_return: float = 0.0  #: seconds, at the end of a world

    def note(self, event: Event, now: Instant, before: Status, answer: object) -> None:
        """One event was handled. An observer of a client."""
        self.events += 1
        self.kinds[type(event).__name__] += 1
        self.statuses[before.value] += 1


class SoakFailed(AssertionError):
    """An invariant did not hold, or a connection did not come back. Says how to see it again."""


def soak(*, steps: int, seed: int, make: ConnectionFactory = Connection) -> Counts:
    """Walk ``steps`` steps over worlds with the seeds ``seed``, ``seed`` + 1, ... Raises SoakFailed."""
    counts = Counts()
    while counts.steps < steps:
        live(seed + counts.worlds, min(STEPS_PER_WORLD, steps - counts.steps), counts, make)
        counts.worlds += 1
    return counts


def live(seed: int, steps: int, counts: Counts, make: ConnectionFactory) -> None:
    """One world."""
    world = World(seed)
    options = options_of(world.random)
    client = Client(
        world,
        Gateway(world),
        options,
        habits=Habits(
            token_seconds=world.random.choice((0.0, 0.0, 0.3, 3.0)),
            prepares_at_once=world.random.random() < 0.3 or options.wire is ARTICLE,
        ),
        has_worker=world.random.random() < 0.5,
        make=make,
    )
    invariants = Invariants(client.connection, options)
    client.observers += [counts.note, invariants.observe]
    walk = Walk(client, may_forge=options.wire is KIZUNA)
    step = 0
    try:
        client.handle(events.ConnectRequested())
        while step < steps:
            walk.step()
            step += 1
        counts.steps += steps
        counts.slowest_return = max(counts.slowest_return, comes_back(client, walk, options))
    except Exception as problem:  # a connection never raises for what a network or a browser does
        raise SoakFailed(report(seed, steps, step, options, problem, invariants)) from problem


def options_of(random: Random) -> Options:
    """A world's options: the library's and the chat's, and some that stretch them."""
    return Options(
        rest=random.choice((0.0, 60.0)),
        max_retries=random.choice((5, 5, 5, 1, 0)),
        jitter=random.choice((0.5, 0.5, 0.0, 1.0)),
        wire=random.choice((KIZUNA, KIZUNA, KIZUNA, ARTICLE)),
        rollover_after=random.choice((6600.0, 20.0, 0.0)),  # 20 s: a link is replaced again and again
        rollover_spread=0.0,
    )


def comes_back(client: Client, walk: Walk, options: Options) -> float:
    """All is well from now on: seconds until the connection stands. Raises InvariantBroken if it does not in time."""
    walk.calm_down()
    world, began = client.world, client.world.now
    allowed = COMES_BACK_WITHIN + LAST_NEWS + options.rest * (1 + options.jitter)
    told_to_wait = 0.0
    may_press = True
    while not stands(client, options):
        if client.status in QUIET:
            client.handle(events.ConnectRequested())
        elif client.status is Status.EXHAUSTED and options.rest == 0 and may_press:
            client.handle(events.RetryRequested())
            may_press = False
        retry_at = client.connection.state.retry_at
        if retry_at is not None:
            told_to_wait = max(told_to_wait, retry_at - client.page.instant().monotonic)
        if (next_at := world.next_at()) is None or next_at > began + allowed + told_to_wait:
            raise InvariantBroken(f"still {client.status}, {allowed + told_to_wait:.0f} s after all was well")
        world.step()
    return max(0.0, world.now - began - told_to_wait)


def stands(client: Client, options: Options) -> bool:
    """CONNECTED, and truly so where the wire can tell: without a pong silence proves nothing."""
    return client.status is Status.CONNECTED and (client.has_working_link or options.wire.pong is None)


def report(
    seed: int, steps: int, step: int, options: Options, problem: Exception, invariants: Invariants
) -> str:
    """What to know of a failure, and how to see it again."""
    return "\n".join(
        [
            f"seed {seed}, step {step}: {problem}",
            f"again: python -m tests.reports.simulated.soak --steps {steps} --seed {seed}",
            str(options),
            "the last events (monotonic seconds, event, status before: status after; commands):",
            *invariants.history,
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.reports.simulated.soak", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--seed", type=int, help="of the first world; each further one adds 1")
    args = parser.parse_args(arguments)
    seed = SystemRandom().randrange(10**9) if args.seed is None else args.seed
    print(f"soak: {args.steps:,} steps from seed {seed}", flush=True)
    try:
        counts = soak(steps=args.steps, seed=seed)
    except SoakFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    print(f"{counts.worlds:,} worlds, {counts.events:,} events, every invariant held; ", end="")
    print(f"the slowest return took {counts.slowest_return:.0f} s, besides what the server had asked for")
    for title, numbers in (("events", counts.kinds), ("in status", counts.statuses)):
        print(f"{title}: {', '.join(f'{name} {count:,}' for name, count in numbers.most_common())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
