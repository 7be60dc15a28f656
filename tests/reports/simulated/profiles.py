"""Named profiles of a page and its network. Each is a script of events of a client's page, network and
gateway; it yields seconds to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from tests.reports.simulated.client import Client
from tests.reports.simulated.network import BLACK_HOLE, DEAF, MUTE, REFUSED, SLOW, Path
from tests.reports.simulated.page import DAY, HOUR, MINUTE

Script = Iterator[float]


def by_chance(life: Client, probability: float = 0.5) -> bool:
    return life.simulation.random.random() < probability


def mostly_short(life: Client, least: float, most: float) -> float:
    """Return a random number on a logarithmic scale."""
    return float(least * (most / least) ** life.simulation.random.random())


def calm(life: Client) -> Script:
    """Nothing but the gateway's own cuts: after 10 idle minutes, and after 2 h."""
    while True:
        yield DAY


def train_tunnel(life: Client) -> Script:
    """Two rides of 50 minutes a day; every 1-5 minutes a tunnel of 5-90 s."""
    for hour in cycle((7.5, 17.5)):
        yield life.simulation.until(hour)
        arrival = life.simulation.now + 50 * MINUTE
        while life.simulation.now < arrival:
            yield life.simulation.random.uniform(1 * MINUTE, 5 * MINUTE)
            yield from tunnel(life, life.simulation.random.uniform(5, 90))


def tunnel(life: Client, seconds: float) -> Script:
    """Silence both ways. Half the time the browser says so; after 30 s the phone comes back with a new address."""
    says_so = by_chance(life)
    with life.network.during(BLACK_HOLE):
        if says_so:
            life.page.go_offline()
        yield seconds
        if seconds > 30:
            life.network.strand()
    if says_so:
        yield life.simulation.random.uniform(0, 2)
        life.page.go_online()


def laptop_lid(life: Client) -> Script:
    """Open for 10 minutes to 2 hours, closed for 1 minute to 10 hours, all week."""
    while True:
        yield life.simulation.random.uniform(10 * MINUTE, 2 * HOUR)
        yield from nap(life, mostly_short(life, 1 * MINUTE, 10 * HOUR))


def nap(life: Client, seconds: float) -> Script:
    """Sleep without an event; Wi-Fi needs 1-8 s after waking. After 5 minutes the NAT has forgotten the sockets."""
    clock_stands = by_chance(life)
    life.page.sleep()
    with life.network.during(BLACK_HOLE):
        yield seconds
        if seconds > 5 * MINUTE:
            life.network.strand(tells=by_chance(life))
        life.page.wake(clock_stood=seconds if clock_stands else 0)
        life.page.go_offline()
        yield life.simulation.random.uniform(1, 8)
    life.page.go_online()


#: States of a bad Wi-Fi, with the minimum and maximum of seconds.
WIFI_FAULTS: Sequence[tuple[Path, float, float]] = (
    (BLACK_HOLE, 1, 30),
    (DEAF, 3, 20),
    (MUTE, 3, 20),
    (SLOW, 20, 180),
    (REFUSED, 1, 15),
)


def flaky_wifi(life: Client) -> Script:
    """A fault every 1-10 minutes, day and night; one in four is a reset of every socket, or a silent new address."""
    while True:
        yield life.simulation.random.uniform(1 * MINUTE, 10 * MINUTE)
        if by_chance(life, 0.25):
            life.simulation.random.choice((life.network.reset, life.network.strand))()
            continue
        path, least, most = life.simulation.random.choice(WIFI_FAULTS)
        with life.network.during(path):
            yield life.simulation.random.uniform(least, most)


def rolling_deploy(life: Client) -> Script:
    """Four deploys a day that say bye with a retryAfter of 1-10 s, and at 3:00 a restart that is down for 10-60 s."""
    for hour in cycle((3, 10, 12, 15, 17)):
        yield life.simulation.until(hour)
        if hour == 3:
            with life.gateway.while_down():
                yield life.simulation.random.uniform(10, 60)
        else:
            life.gateway.deploy(retry_after=life.simulation.random.uniform(1, 10))


def hidden_overnight(life: Client) -> Script:
    """Hidden from 22:00 to 7:30; every 30-150 minutes of the night the network is gone, or the address changes."""
    while True:
        yield life.simulation.until(22)
        life.page.hide()
        morning = life.simulation.now + life.simulation.until(7.5)
        while (
            life.simulation.now + (pause := life.simulation.random.uniform(30, 150) * MINUTE)
            < morning - 5 * MINUTE
        ):
            yield pause
            if by_chance(life):
                life.network.strand()
            else:
                with life.network.during(BLACK_HOLE):
                    yield life.simulation.random.uniform(5, 300)
        yield morning - life.simulation.now
        life.page.show()


def frozen_overnight(life: Client) -> Script:
    """Hidden at 22:00 and frozen five minutes later; in the morning the browser resumes and shows it. Twice a day the
    person goes to another page and comes back (back/forward cache)."""
    while True:
        for hour in (10, 16):
            yield life.simulation.until(hour)
            life.page.leave()
            yield mostly_short(life, 2, 10 * MINUTE)
            life.page.come_back()
        yield life.simulation.until(22)
        life.page.hide()
        yield 5 * MINUTE
        life.page.freeze()
        yield life.simulation.until(7.5)
        life.page.resume()
        life.page.show()


@dataclass(frozen=True, slots=True)
class Profile:
    """A named script."""

    name: str
    script: Callable[[Client], Script]
    has_worker: bool = False  #: a worker's ticks drive the timers of a hidden page


PROFILES = (
    Profile("gateway idle and 2 h cuts", calm),
    Profile("rolling deploy", rolling_deploy),
    Profile("train tunnel", train_tunnel),
    Profile("laptop lid", laptop_lid),
    Profile("flaky Wi-Fi", flaky_wifi),
    Profile("hidden overnight, timers throttled", hidden_overnight),
    Profile("hidden overnight, worker ticks", hidden_overnight, has_worker=True),
    Profile("frozen overnight, back/forward cache", frozen_overnight),
)
