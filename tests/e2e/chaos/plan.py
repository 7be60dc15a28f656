"""What is going to break, when and for how long: drawn from a seed before the run begins, as data.

Two kinds of trouble run beside each other. Every person's network has its own, one fault at a time. Everybody's
upheavals follow one another on one track: the server is killed, or a page is reloaded, crashes, or is closed while
something waits in it. A page needs a network and a server to start, so its own network is left alone meanwhile,
and no upheaval begins before it has had its time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class What(StrEnum):
    """What a step does; reports count by these names."""

    # to one network, for a while
    REFUSE = "refuse"  #: FIN to what is open, nobody listens
    DOWN = "down"  #: RST to what is open, nobody listens
    HOLE = "black hole"  #: nothing passes either way; new handshakes hang
    HOLE_UP = "black hole up"  #: what the page sends arrives nowhere
    HOLE_DOWN = "black hole down"  #: the page hears nothing: acknowledgements are lost
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
    RELOAD = "page reloaded"
    CRASH = "tab crashed"
    CLOSE = "tab closed"
    OPEN = "tab opened"


@dataclass(frozen=True, slots=True)
class Draw:
    """How a fault is drawn: its share among the others, its duration and its strength, each from a range."""

    share: int
    seconds: tuple[float, float] = (0.0, 0.0)
    strength: tuple[float, float] = (0.0, 0.0)


#: A silent link is noticed after at most 2 s until the ping, 1.5 s for the pong, 1 s for the probe (the config of
#: these pages): a hole of up to 7 s is sometimes survived and sometimes not.
FAULTS = {
    What.REFUSE: Draw(2, (0.5, 4)),
    What.DOWN: Draw(2, (0.5, 4)),
    What.HOLE: Draw(3, (1, 7)),
    What.HOLE_UP: Draw(3, (1, 7)),
    What.HOLE_DOWN: Draw(3, (1, 7)),
    What.HANG: Draw(2, (1, 5)),
    What.SLAM: Draw(1, (0.5, 2)),
    What.UNAVAILABLE: Draw(1, (0.5, 3)),
    What.SLOW: Draw(2, (2, 6), (0.05, 0.5)),  # seconds
    What.NARROW: Draw(2, (2, 6), (500, 4000)),  # bytes per second
    What.RST: Draw(3),
    What.FIN: Draw(3),
    What.STRAND: Draw(2),
    What.CUT: Draw(3),
    What.REPEAT: Draw(3),
}
LASTING = frozenset(what for what, draw in FAULTS.items() if draw.seconds[1])
ONCE = frozenset(FAULTS) - LASTING

#: Seconds between the faults of one network: time to connect, to catch up, and to be cut off in the middle of it.
BETWEEN = (0.5, 3.5)
#: What a page gets to start in: 2 to 5 s measured, with three others at work on two cores.
START = 8.0
#: In so many seconds there is one of each upheaval, and a second server killed.
ROUND = 60.0
UPHEAVALS = (What.KILL, What.KILL, What.RELOAD, What.CRASH, What.CLOSE)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is done ``at`` so many seconds. ``whom``: a person for a network, a tab's name, or nobody."""

    at: float
    what: What
    whom: str = ""
    seconds: float = 0.0
    strength: float = 0.0

    @property
    def until(self) -> float:
        """When it is over."""
        return self.at + self.seconds

    def __str__(self) -> str:
        parts = [self.what.value, self.whom, f"for {self.seconds:.1f} s" if self.seconds else ""]
        return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Player:
    """Somebody with a network and tabs. The first tab has the person's name."""

    name: str
    tabs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Calm:
    """A network that is left alone for a while: an upheaval has its own plan for it."""

    whom: str
    at: float
    until: float


def make_plan(
    seed: int, seconds: float, players: Sequence[Player], spared: Collection[What] = ()
) -> tuple[Step, ...]:
    """Everything that happens in ``seconds``, in order of time, without what is ``spared``."""
    random = Random(seed)
    steps, calm = _upheavals(random, seconds, players, spared)
    for player in players:
        quiet = [each for each in calm if each.whom == player.name]
        steps += _troubles(random, player.name, seconds, quiet, spared)
    return tuple(sorted(steps, key=lambda step: step.at))


def _troubles(
    random: Random, whom: str, seconds: float, calm: Sequence[Calm], spared: Collection[What]
) -> Iterable[Step]:
    """One network's faults, one after the other, between its calms."""
    kinds = [what for what in FAULTS if what not in spared]
    at = random.uniform(*BETWEEN)
    while kinds and at < seconds:
        what = random.choices(kinds, [FAULTS[kind].share for kind in kinds])[0]
        step = Step(
            at, what, whom, random.uniform(*FAULTS[what].seconds), random.uniform(*FAULTS[what].strength)
        )
        meets = [each for each in calm if step.at < each.until and each.at < step.until + BETWEEN[0]]
        if meets:
            at = max(each.until for each in meets) + random.uniform(*BETWEEN)
            continue
        if step.until <= seconds:
            yield step
        at = step.until + random.uniform(*BETWEEN)


def _upheavals(
    random: Random, seconds: float, players: Sequence[Player], spared: Collection[What]
) -> tuple[list[Step], list[Calm]]:
    steps: list[Step] = []
    calm: list[Calm] = []
    begin = 0.0
    while begin < seconds:
        end = min(begin + ROUND, seconds)
        kinds = [what for what in UPHEAVALS if what not in spared]
        random.shuffle(kinds)
        acts = [_SCENES[what](random, players) for what in kinds]
        while acts and sum(length for _, _, length in acts) > end - begin:
            acts.pop()
        spare = end - begin - sum(length for _, _, length in acts)
        at = begin
        for scene, network, length in acts:
            at += random.uniform(0, spare / len(acts))
            steps += [_later(step, at) for step in scene]
            if network:
                calm.append(Calm(network, at, at + length))
            at += length
        begin += ROUND
    return steps, calm


def _later(step: Step, by: float) -> Step:
    return Step(step.at + by, step.what, step.whom, step.seconds, step.strength)


#: An upheaval: its steps from second 0, whose network it needs for itself, and how many seconds it takes.
_Scene = tuple[Sequence[Step], str, float]


def _kill(random: Random, players: Sequence[Player]) -> _Scene:
    down = random.uniform(0.2, 2.5)
    return [Step(0, What.KILL, seconds=down)], "", down + 3


def _reload(random: Random, players: Sequence[Player]) -> _Scene:
    """As soon as the network is back, before what waited can have gone."""
    player = random.choice(players)
    down = random.uniform(1, 3)
    steps = [
        Step(0, What.DOWN, player.name, down),
        Step(down, What.RELOAD, random.choice(player.tabs)),
    ]
    return steps, player.name, down + START


def _crash(random: Random, players: Sequence[Player]) -> _Scene:
    player = random.choice(players)
    return _lose(random, What.CRASH, player, random.choice(player.tabs))


def _close(random: Random, players: Sequence[Player]) -> _Scene:
    """Only where another tab of the same person stays: nobody else could send what waits."""
    player = random.choice([player for player in players if len(player.tabs) > 1])
    return _lose(random, What.CLOSE, player, player.tabs[-1])


def _lose(random: Random, how: What, player: Player, tab: str) -> _Scene:
    """A tab goes while messages of it are on their way into nowhere, or come back from there unheard."""
    hole = random.choice((What.HOLE, What.HOLE_UP, What.HOLE_DOWN))
    silence = random.uniform(2, 4)
    steps = [
        Step(0, hole, player.name, silence),
        Step(random.uniform(0.5, 1) * silence, how, tab),
        Step(silence + random.uniform(0, 2), What.OPEN, tab),
    ]
    return steps, player.name, silence + 2 + START


_SCENES: dict[What, Callable[[Random, Sequence[Player]], _Scene]] = {
    What.KILL: _kill,
    What.RELOAD: _reload,
    What.CRASH: _crash,
    What.CLOSE: _close,
}


# --- trouble that meets one thing alone ---


def repeats(seconds: float, players: Sequence[Player]) -> tuple[Step, ...]:
    """Messages arrive a second time."""
    return _in_turn(seconds, 1.0, players, lambda at, whom: [Step(at, What.REPEAT, whom)])


def losses(seconds: float, players: Sequence[Player]) -> tuple[Step, ...]:
    """What a page sends vanishes: held on the way up, and thrown away with the connection."""
    return _in_turn(
        seconds,
        2.0,
        players,
        lambda at, whom: [Step(at, What.HOLE_UP, whom, 1.2), Step(at + 1.1, What.RST, whom)],
    )


def absences(seconds: float, players: Sequence[Player]) -> tuple[Step, ...]:
    """A page is away while the others talk."""
    return _in_turn(seconds, 3.0, players, lambda at, whom: [Step(at, What.DOWN, whom, 1.5)])


def _in_turn(
    seconds: float, every: float, players: Sequence[Player], scene: Callable[[float, str], list[Step]]
) -> tuple[Step, ...]:
    steps: list[Step] = []
    turn = 0
    while (turn + 1) * every <= seconds:
        steps += scene(turn * every + every / 4, players[turn % len(players)].name)
        turn += 1
    return tuple(steps)
