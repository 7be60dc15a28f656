"""The scenarios as data: how each begins, when it ends, what tells the page, and which limits hold."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum

from tests.e2e.reliability.screen import Need, Screen
from tests.support.fault_proxy import FaultProxy, Way
from tests.support.server import KizunaServer
from tests.support.waiting import eventually, throughout

#: Seconds. A ping every 30, 10 for its pong, 5 for the probe, 2 for a busy machine; after a hint the probe alone.
SILENCE_LIMIT = 47.0
HINT_LIMIT = 6.0
#: "At once", for a page that would wait 8 s more at least: half of that.
AT_ONCE_LIMIT = 4.0

#: The fifth wait lasts 16 s, give or take a half: whoever is back sooner than that did not wait for its end.
LONG_WAIT = 5
#: Nothing takes longer to be noticed, or to heal by itself: 16 s and a half of a retry, a rest of 45 s, a timeout.
NOTICED_WITHIN = 60.0


@dataclass
class Stage:
    """Responsible for what a scenario is played with."""

    server: KizunaServer
    network: FaultProxy
    screen: Screen


class Group(StrEnum):
    """The parts of the tables."""

    BREAK = "The link breaks"
    SERVER = "The server goes away"
    HANDSHAKE = "The way back is barred"
    BURDEN = "The network is poor"
    SILENCE = "The link goes silent, and nothing tells the page"
    HINT = "The link is dead, and the browser tells something"
    WAITING = "The page waits for its next attempt, and the browser tells something"
    FLAG = "The browser's offline flag lies"


@dataclass(frozen=True)
class Hint:
    """What a browser tells a page: the event whose time counts, how it is led up to, and how it is brought about."""

    event: str
    need: Need | None
    lead_up: Callable[[Screen], None]
    bring_about: Callable[[Screen], AbstractContextManager[None]]


@dataclass(frozen=True)
class Scenario:
    """One row of the tables.

    ``trouble`` breaks something when it is entered and mends it when it is left; ``until`` returns when it is time
    to mend. ``mends_itself``: the network would let a new link through from the beginning. ``carries``: the link
    stands all the while, and it is mended when all that was said is on the screen. ``noticed_limit`` counts until
    the link is given up, from the hint where ``counts_from_hint``; ``back_limit`` from the mending or the hint,
    whichever is later, until CONNECTED.
    """

    key: str
    name: str
    group: Group
    trouble: Callable[[Stage], AbstractContextManager[object]]
    until: Callable[[Stage], None] = lambda stage: None
    mends_itself: bool = False
    carries: bool = False
    fresh_link: bool = (
        False  #: the link was proven a moment before, so the next ping is as far away as it can be
    )
    server_dies: bool = False
    hint: Hint | None = None
    counts_from_hint: bool = False
    noticed_limit: float | None = None
    back_limit: float | None = None
    lies: bool = False

    @property
    def needs(self) -> frozenset[Need]:
        """What an engine must be able to show."""
        wanted = {Need.LIE if self.lies else None, self.hint.need if self.hint else None}
        return frozenset(need for need in wanted if need is not None)


# --- when it is time to mend ---


def given_up(stage: Stage) -> None:
    """The page does not count on its link any more, if only for a moment: the next one may stand already."""
    eventually(lambda: _since_given_up(stage.screen), NOTICED_WITHIN, every=0.2, what="the fault noticed")


def back(stage: Stage) -> None:
    """The link was given up, and another one stands."""
    given_up(stage)
    eventually(
        lambda: "connected" in _since_given_up(stage.screen), NOTICED_WITHIN, every=0.2, what="a new link"
    )


def waits(count: int) -> Callable[[Stage], None]:
    """The page has begun to wait for the so-manieth time."""

    def waited(stage: Stage) -> None:
        eventually(
            lambda: [status for _, status in stage.screen.notes.changes].count("waiting") >= count,
            2 * NOTICED_WITHIN,
            every=0.2,
            what=f"{count} waits",
        )

    return waited


def exhausted(stage: Stage) -> None:
    """The page has spent its retries."""
    eventually(
        lambda: stage.screen.status == "exhausted", 2 * NOTICED_WITHIN, every=0.2, what="the retries spent"
    )


def seconds(count: float) -> Callable[[Stage], None]:
    """So long after it was noticed."""

    def passed(stage: Stage) -> None:
        given_up(stage)
        throughout(lambda: True, count, what="some seconds")

    return passed


def handshakes(count: int) -> Callable[[Stage], None]:
    """So many handshakes have failed since it began, and the page waits again."""

    def failed(stage: Stage) -> None:
        given_up(stage)
        already = stage.network.counts.websockets
        stage.network.wait_until(lambda seen: seen.websockets >= already + count - 1, within=NOTICED_WITHIN)
        eventually(lambda: stage.screen.status == "waiting", NOTICED_WITHIN, what="a page that waits again")

    return failed


def _since_given_up(screen: Screen) -> list[str]:
    """The statuses from the moment at which the link was given up; none if it was not."""
    statuses = [status for _, status in screen.notes.changes]
    return list(itertools.dropwhile(lambda status: status in ("connected", "suspect"), statuses))


# --- troubles ---


def once(act: Callable[[FaultProxy], int]) -> Callable[[Stage], AbstractContextManager[None]]:
    """A fault that happens to the open link, and is over."""

    @contextlib.contextmanager
    def trouble(stage: Stage) -> Iterator[None]:
        assert act(stage.network) > 0, "there was no link to break"
        yield

    return trouble


def strand(network: FaultProxy) -> int:
    """The link is dead, and nothing says so."""
    return network.strand(only_websockets=True)


def reset(network: FaultProxy) -> int:
    """The link is reset."""
    return network.reset(only_websockets=True)


def barred(
    weather: Callable[[FaultProxy], AbstractContextManager[None]],
) -> Callable[[Stage], AbstractContextManager[None]]:
    """The link is reset, and what follows does not come through."""

    @contextlib.contextmanager
    def trouble(stage: Stage) -> Iterator[None]:
        with weather(stage.network):
            reset(stage.network)
            yield

    return trouble


def lasting(
    weather: Callable[[FaultProxy], AbstractContextManager[None]],
) -> Callable[[Stage], AbstractContextManager[None]]:
    """A fault that lasts."""
    return lambda stage: weather(stage.network)


@contextlib.contextmanager
def server_stopped(stage: Stage) -> Iterator[None]:
    """It says goodbye, and comes back on the same data."""
    stage.server.stop()
    yield
    stage.server.start()


@contextlib.contextmanager
def server_killed(stage: Stage) -> Iterator[None]:
    """It says nothing any more, and comes back on the same data."""
    stage.server.kill()
    yield
    stage.server.start()


@contextlib.contextmanager
def tunnel(stage: Stage) -> Iterator[None]:
    """Nothing passes, and the browser knows."""
    with stage.network.black_hole():
        stage.screen.set_offline(True)
        yield


@contextlib.contextmanager
def said_to_be_offline(stage: Stage) -> Iterator[None]:
    """The browser says that there is no network; there is."""
    stage.screen.claim_offline(True)
    try:
        yield
    finally:
        stage.screen.claim_offline(False)


@contextlib.contextmanager
def said_to_be_offline_and_reset(stage: Stage) -> Iterator[None]:
    """The same, and the link is reset once the page trusts it again."""
    with said_to_be_offline(stage):
        eventually(lambda: stage.screen.status == "connected", what="a link that was doubted in vain")
        reset(stage.network)
        yield


# --- what a browser tells ---


def _nothing(screen: Screen) -> None:
    """No lead-up."""


def _then(act: Callable[[Screen], None]) -> Callable[[Screen], AbstractContextManager[None]]:
    @contextlib.contextmanager
    def bring_about(screen: Screen) -> Iterator[None]:
        act(screen)
        yield

    return bring_about


def _hide_and_freeze(screen: Screen) -> None:
    screen.hide()
    screen.freeze()


@contextlib.contextmanager
def _resume(screen: Screen) -> Iterator[None]:
    """It comes back where it is, hidden; what it says is drawn once it is shown."""
    screen.resume()
    try:
        yield
    finally:
        screen.show()


VISIBLE = Hint("visible", Need.HIDE, lambda screen: screen.hide(), _then(lambda screen: screen.show()))
ONLINE = Hint(
    "online",
    Need.ONLINE,
    lambda screen: screen.set_offline(True),
    _then(lambda screen: screen.set_offline(False)),
)
ONLINE_AGAIN = replace(ONLINE, lead_up=_nothing)
RESUME = Hint("resume", Need.FREEZE, _hide_and_freeze, _resume)
PAGESHOW = Hint(
    "pageshow kept", Need.KEEP, lambda screen: screen.go_away(), _then(lambda screen: screen.go_back())
)
WAKE = Hint("clock jump", None, _nothing, lambda screen: screen.clock_jump(60))


def _hinted(key: str, name: str, hint: Hint) -> Scenario:
    """A dead link, and a hint."""
    return Scenario(
        key,
        name,
        Group.HINT,
        once(strand),
        mends_itself=True,
        hint=hint,
        counts_from_hint=True,
        noticed_limit=HINT_LIMIT,
    )


def _silent(key: str, name: str, way: Way) -> Scenario:
    """A black hole without a hint."""
    return Scenario(
        key,
        name,
        Group.SILENCE,
        lasting(lambda network: network.black_hole(way)),
        given_up,
        fresh_link=True,
        noticed_limit=SILENCE_LIMIT,
    )


def _waiting(
    key: str, name: str, hint: Hint, trouble: Callable[[Stage], AbstractContextManager[object]]
) -> Scenario:
    """A page in a long wait, and a hint."""
    return Scenario(
        key,
        name,
        Group.WAITING,
        trouble,
        waits(LONG_WAIT),
        hint=hint,
        back_limit=AT_ONCE_LIMIT,
    )


DOWN = lasting(lambda network: network.down())
UNAVAILABLE = barred(lambda network: network.http_status(503))

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("reset", "RST", Group.BREAK, once(reset), mends_itself=True),
    Scenario(
        "fin",
        "FIN without a close frame",
        Group.BREAK,
        once(lambda network: network.fin(only_websockets=True)),
        mends_itself=True,
    ),
    Scenario(
        "cut",
        "cut in the middle of a frame",
        Group.BREAK,
        once(lambda network: network.cut_mid_frame()),
        mends_itself=True,
    ),
    Scenario(
        "down",
        "down for 5 s: reset, then refused",
        Group.BREAK,
        DOWN,
        seconds(5),
    ),
    Scenario("restart", "restarted politely", Group.SERVER, server_stopped, given_up, server_dies=True),
    Scenario("kill", "killed, started again", Group.SERVER, server_killed, given_up, server_dies=True),
    Scenario(
        "401",
        "401 at the handshake",
        Group.HANDSHAKE,
        barred(lambda network: network.http_status(401)),
        handshakes(3),
    ),
    Scenario(
        "503",
        "503 at the handshake",
        Group.HANDSHAKE,
        UNAVAILABLE,
        handshakes(3),
    ),
    Scenario(
        "hang",
        "accepted, never answered",
        Group.HANDSHAKE,
        barred(lambda network: network.accept_and_hang(only_websockets=True)),
        waits(2),
    ),
    Scenario(
        "close-before",
        "accepted, closed before the handshake",
        Group.HANDSHAKE,
        barred(lambda network: network.accept_then_close(only_websockets=True)),
        handshakes(3),
    ),
    Scenario(
        "close-after",
        "accepted, closed after the handshake",
        Group.HANDSHAKE,
        barred(lambda network: network.accept_then_close(after_handshake=True)),
        handshakes(3),
    ),
    Scenario(
        "refuse",
        "nobody new is let in",
        Group.BURDEN,
        lasting(lambda network: network.refuse()),
        carries=True,
    ),
    Scenario(
        "slow",
        "slow: 1 s each way",
        Group.BURDEN,
        lasting(lambda network: network.slow(1)),
        carries=True,
    ),
    Scenario(
        "narrow",
        "narrow: 500 bytes a second",
        Group.BURDEN,
        lasting(lambda network: network.bandwidth(500)),
        carries=True,
    ),
    _silent("hole-up", "black hole, up", Way.UP),
    _silent("hole-down", "black hole, down", Way.DOWN),
    _silent("hole-both", "black hole, both ways", Way.BOTH),
    Scenario(
        "dead",
        "dead link; new ones work",
        Group.SILENCE,
        once(strand),
        given_up,
        mends_itself=True,
        fresh_link=True,
        noticed_limit=SILENCE_LIMIT,
    ),
    _hinted("dead-visible", "the tab becomes visible", VISIBLE),
    _hinted("dead-online", "`offline`, then `online`", ONLINE),
    _hinted("dead-resume", "`freeze`, then `resume`", RESUME),
    _hinted("dead-pageshow", "`pageshow` from the back/forward cache", PAGESHOW),
    _hinted("dead-wake", "wake from sleep: the clock jumps by 60 s", WAKE),
    _waiting("waiting-visible", "down, hidden; up, and the tab becomes visible", VISIBLE, DOWN),
    _waiting("waiting-online", "down, `offline`; up, and `online`", ONLINE, DOWN),
    _waiting(
        "waiting-503", "503 four times, hidden; over, and the tab becomes visible", VISIBLE, UNAVAILABLE
    ),
    Scenario(
        "tunnel",
        "a tunnel: black hole and `offline`; out of it, and `online`",
        Group.WAITING,
        tunnel,
        given_up,
        hint=ONLINE_AGAIN,
        back_limit=AT_ONCE_LIMIT,
    ),
    Scenario(
        "offline-stands",
        "says offline, the link stands",
        Group.FLAG,
        said_to_be_offline,
        carries=True,
        lies=True,
    ),
    Scenario(
        "offline-reset",
        "says offline, the link is reset",
        Group.FLAG,
        said_to_be_offline_and_reset,
        back,
        mends_itself=True,
        lies=True,
    ),
    Scenario(
        "online-nothing",
        "says online, nothing works until the retries are spent",
        Group.FLAG,
        DOWN,
        exhausted,
    ),
)
