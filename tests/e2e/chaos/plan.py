"""What is going to break, drawn from a seed before the run begins, as data.

A plan is made of rounds; in each every kind of fault happens once. The faults of one network follow one another.
What befalls the server and the tabs follows one another too, beside those; a page needs a network and a server to
start, so its own network is left alone meanwhile.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class What(StrEnum):
    """What a fault is; reports count by these names."""

    # to one network, for a while
    REFUSE = "refuse"  #: FIN to what is open, nobody listens
    DOWN = "down"  #: RST to what is open, nobody listens
    HOLE = "black hole"  #: nothing passes either way; new handshakes hang
    HOLE_UP = "black hole up"  #: what the page sends arrives nowhere
    HOLE_DOWN = "black hole down"  #: the page hears nothing: acknowledgements are lost
    LOSS = "loss"  #: what the page sends is held, then thrown away with the connection
    HANG = "accept and hang"  #: RST, then accepted and never answered
    SLAM = "accept and close"  #: RST, then closed right after each handshake
    UNAVAILABLE = "status 503"  #: RST, then handshakes answered by 503
    SLOW = "slow"  #: each byte late
    NARROW = "bandwidth"  #: few bytes per second
    # to one network, once
    RST = "RST"
    FIN = "FIN"
    STRAND = "stranded"  #: what is open goes silent for good, as when a router forgets it
    CUT = "cut in a frame"  #: the next frame stops half-way, then FIN
    REPEAT = "repeated frame"  #: a message arrives a second time, as a gateway may deliver it
    # to everybody
    KILL = "server killed"  #: SIGKILL; started again after a while
    # to one tab
    RELOAD = "page reloaded"  #: as soon as the network is back, before what waited can have gone
    CRASH = "tab crashed"  #: into a silent network
    CLOSE = "tab closed"  #: the same


#: Seconds that a fault lasts. A silent link is noticed after at most 2 s until the ping, 1.5 s for the pong, 1 s for
#: the probe (the config of these pages): a hole of up to 6 s is sometimes survived and sometimes not.
LASTS: dict[What, tuple[float, float]] = {
    What.REFUSE: (0.5, 3),
    What.DOWN: (0.5, 3),
    What.HOLE: (1, 6),
    What.HOLE_UP: (1, 6),
    What.HOLE_DOWN: (1, 6),
    What.LOSS: (0.5, 1.5),
    What.HANG: (1, 5),
    What.SLAM: (0.5, 2),
    What.UNAVAILABLE: (0.5, 3),
    What.SLOW: (2, 5),
    What.NARROW: (2, 5),
    What.KILL: (0.2, 2.5),
    What.RELOAD: (1, 3),
    What.CRASH: (2, 4),
    What.CLOSE: (2, 4),
}
STRENGTHS = {What.SLOW: (0.05, 0.5), What.NARROW: (500.0, 4000.0)}  # seconds; bytes per second
#: What befalls the server or a tab.
UPHEAVALS = frozenset({What.KILL, What.RELOAD, What.CRASH, What.CLOSE})
#: Silent networks that a tab can go in: what it sends, or what it hears, is lost with it.
HOLES = (What.HOLE, What.HOLE_UP, What.HOLE_DOWN)
#: No link survives these: a page has to come back.
BREAKS = frozenset(What) - UPHEAVALS - {*HOLES, What.SLOW, What.NARROW, What.REPEAT}
#: Seconds before a fault: time to connect, to catch up, and to be cut off in the middle of it.
REST = (0.1, 1.0)
#: So many of the faults wait until the page is back from the one before; the others hit it on its way.
PATIENT = 0.7


@dataclass(frozen=True, slots=True)
class Player:
    """Somebody with a network and tabs. The first tab has the person's name."""

    name: str
    tabs: tuple[str, ...]


PLAYERS = (Player("Ada", ("Ada", "Ada 2")), Player("Ben", ("Ben",)), Player("Cleo", ("Cleo",)))
#: One tab each.
FEW = (Player("Ada", ("Ada",)), Player("Ben", ("Ben",)))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks. ``whom``: a person for a network, a tab's name, or nobody."""

    what: What
    whom: str = ""
    seconds: float = 0.0
    strength: float = 0.0
    rest: float = 0.5  #: seconds before it
    waits: bool = True  #: until the page is back from the fault before
    silence: What = What.HOLE  #: in which a tab goes

    def __str__(self) -> str:
        lasts = f"for {self.seconds:.1f} s" if self.seconds else ""
        return " ".join(filter(None, [self.what.value, self.whom, lasts]))


def make_plan(seed: int, faults: int, players: Sequence[Player]) -> tuple[Fault, ...]:
    """So many faults."""
    random = Random(seed)
    turns = itertools.cycle(players)
    kinds = list(What)
    plan: list[Fault] = []
    while len(plan) < faults:
        random.shuffle(kinds)
        plan += [_draw(random, what, players, turns) for what in kinds[: faults - len(plan)]]
    return tuple(plan)


def same_for_all(what: What, faults: int, players: Sequence[Player]) -> tuple[Fault, ...]:
    """One fault again and again, to everybody in turn: what finds a protection that is switched off."""
    seconds = sum(LASTS.get(what, (0, 0))) / 2
    return tuple(Fault(what, players[n % len(players)].name, seconds) for n in range(faults))


def _draw(random: Random, what: What, players: Sequence[Player], turns: itertools.cycle[Player]) -> Fault:
    return Fault(
        what,
        _whom(random, what, players, turns),
        random.uniform(*LASTS.get(what, (0, 0))),
        random.uniform(*STRENGTHS.get(what, (0, 0))),
        random.uniform(*REST),
        random.random() < PATIENT,
        random.choice(HOLES),
    )


def _whom(random: Random, what: What, players: Sequence[Player], turns: itertools.cycle[Player]) -> str:
    match what:
        case What.KILL:
            return ""
        case What.RELOAD | What.CRASH:
            return random.choice([tab for player in players for tab in player.tabs])
        case What.CLOSE:  # where another tab of the same person stays: nobody else could send what waits
            return random.choice([player.tabs[-1] for player in players if len(player.tabs) > 1])
    return next(turns).name
