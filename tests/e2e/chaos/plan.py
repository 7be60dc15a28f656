"""Fault plans: data, drawn from a seed before a run begins.

In each round of a plan every kind of fault happens once. The faults of one network happen one after another, and beside
them those of the server and the tabs. A page needs a network to start, so its network has no fault meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class FaultKind(StrEnum):
    """The kinds of faults, by the names in reports."""

    # one network, for some time
    REFUSE = "refuse"  #: FIN to open connections, new ones refused
    DOWN = "down"  #: RST to open connections, new ones refused
    HOLE = "black hole"  #: nothing passes either way; new handshakes hang
    HOLE_UP = "black hole up"  #: nothing from the page arrives
    HOLE_DOWN = "black hole down"  #: nothing from the server arrives: acknowledgements are lost
    LOSS = "loss"  #: what the page sends is held, then dropped with the connection
    HANG = "accept and hang"  #: RST, then accepted and never answered
    SLAM = "accept and close"  #: RST, then closed right after each handshake
    UNAVAILABLE = "status 503"  #: RST, then handshakes answered by 503
    SLOW = "slow"  #: each byte late
    NARROW = "bandwidth"  #: few bytes per second
    # one network, once
    RST = "RST"
    FIN = "FIN"
    STRAND = "stranded"  #: open connections are silent from now on, as when a router forgets them
    CUT = "cut in a frame"  #: the next frame stops half-way, then FIN
    REPEAT = "repeated frame"  #: a message arrives a second time, as a gateway may deliver it
    # the server
    KILL = "server killed"  #: SIGKILL; started again after some time
    # one tab
    RELOAD = "page reloaded"  #: when the network returns, before pending messages can be sent
    CRASH = "tab crashed"  #: while the network is silent
    CLOSE = "tab closed"  #: the same


#: Seconds that a fault lasts. With these pages' configuration a silent link is noticed after at most 4.5 s (2 s to the
#: ping, 1.5 s for the pong, 1 s for the probe), so a hole of up to 6 s sometimes ends the link and sometimes does not.
DURATIONS: dict[FaultKind, tuple[float, float]] = {
    FaultKind.REFUSE: (0.5, 3),
    FaultKind.DOWN: (0.5, 3),
    FaultKind.HOLE: (1, 6),
    FaultKind.HOLE_UP: (1, 6),
    FaultKind.HOLE_DOWN: (1, 6),
    FaultKind.LOSS: (0.5, 1.5),
    FaultKind.HANG: (1, 5),
    FaultKind.SLAM: (0.5, 2),
    FaultKind.UNAVAILABLE: (0.5, 3),
    FaultKind.SLOW: (2, 5),
    FaultKind.NARROW: (2, 5),
    FaultKind.KILL: (0.2, 2.5),
    FaultKind.RELOAD: (1, 3),
    FaultKind.CRASH: (2, 4),
    FaultKind.CLOSE: (2, 4),
}
STRENGTHS = {FaultKind.SLOW: (0.05, 0.5), FaultKind.NARROW: (500.0, 4000.0)}  # seconds; bytes per second
SERVER_AND_TAB_FAULTS = frozenset({FaultKind.KILL, FaultKind.RELOAD, FaultKind.CRASH, FaultKind.CLOSE})
#: The silent networks in which a tab may end: what it sends or receives is lost with it.
HOLES = (FaultKind.HOLE, FaultKind.HOLE_UP, FaultKind.HOLE_DOWN)
#: No link survives these: the page has to reconnect.
BREAKS = (
    frozenset(FaultKind)
    - SERVER_AND_TAB_FAULTS
    - {*HOLES, FaultKind.SLOW, FaultKind.NARROW, FaultKind.REPEAT}
)
#: Seconds before a fault, enough to connect and sometimes to catch up.
DELAYS = (0.1, 1.0)
#: Share of the faults that wait until the page has reconnected after the one before.
WAITING_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class PersonSetup:
    """A person and their tabs, the first of which has the person's name."""

    name: str
    tabs: tuple[str, ...]


PEOPLE = (PersonSetup("Ada", ("Ada", "Ada 2")), PersonSetup("Ben", ("Ben",)), PersonSetup("Cleo", ("Cleo",)))
#: One tab each.
TWO_PEOPLE = (PersonSetup("Ada", ("Ada",)), PersonSetup("Ben", ("Ben",)))


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``target``: a person (their network), a tab, or empty for the server."""

    kind: FaultKind
    target: str = ""
    seconds: float = 0.0
    strength: float = 0.0
    delay: float = 0.5  #: seconds before it
    waits: bool = True  #: until the page has reconnected after the fault before
    hole: FaultKind = FaultKind.HOLE  #: the silent network in which a tab ends

    def __str__(self) -> str:
        lasts = f"for {self.seconds:.1f} s" if self.seconds else ""
        return " ".join(filter(None, [self.kind.value, self.target, lasts]))


def make_plan(seed: int, faults: int, people: Sequence[PersonSetup]) -> tuple[Fault, ...]:
    """Draw a plan of this many faults."""
    random = Random(seed)
    turns = itertools.cycle(people)
    kinds = list(FaultKind)
    plan: list[Fault] = []
    while len(plan) < faults:
        random.shuffle(kinds)
        plan += [_draw(random, kind, people, turns) for kind in kinds[: faults - len(plan)]]
    return tuple(plan)


def repeated_fault(kind: FaultKind, faults: int, people: Sequence[PersonSetup]) -> tuple[Fault, ...]:
    """Return a plan that repeats one kind of fault for everybody in turn."""
    seconds = sum(DURATIONS.get(kind, (0, 0))) / 2
    return tuple(Fault(kind, people[n % len(people)].name, seconds) for n in range(faults))


def _draw(
    random: Random, kind: FaultKind, people: Sequence[PersonSetup], turns: itertools.cycle[PersonSetup]
) -> Fault:
    return Fault(
        kind,
        _target(random, kind, people, turns),
        random.uniform(*DURATIONS.get(kind, (0, 0))),
        random.uniform(*STRENGTHS.get(kind, (0, 0))),
        random.uniform(*DELAYS),
        random.random() < WAITING_SHARE,
        random.choice(HOLES),
    )


def _target(
    random: Random, kind: FaultKind, people: Sequence[PersonSetup], turns: itertools.cycle[PersonSetup]
) -> str:
    match kind:
        case FaultKind.KILL:
            return ""
        case FaultKind.RELOAD | FaultKind.CRASH:
            return random.choice([tab for person in people for tab in person.tabs])
        case FaultKind.CLOSE:  # only where another tab of the person can send what is pending
            return random.choice([person.tabs[-1] for person in people if len(person.tabs) > 1])
    return next(turns).name
