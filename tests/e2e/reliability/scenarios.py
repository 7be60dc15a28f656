"""The scenarios as data: how each begins, when it ends, what tells the page, and which limits hold."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TypeVar

from tests.e2e.reliability.engines import Engine, Need
from tests.e2e.reliability.stage import Stage
from tests.support.fault_proxy import FaultProxy, Way
from tests.support.page_driver import PageDriver
from tests.support.server import KizunaServer
from tests.support.waiting import eventually, let_pass

#: Seconds. A ping every 30, 10 for its pong, 5 for the probe, 2 for a busy machine; after a hint the probe alone.
SILENCE_LIMIT = 47.0
HINT_LIMIT = 6.0
#: "At once", for a page that would wait 8 s more at least: half of that.
AT_ONCE_LIMIT = 4.0

#: The fifth wait lasts 16 s, give or take a half: whoever is back sooner than that did not wait for its end.
LONG_WAIT = 5
#: Seconds after which it is given up that something is noticed, or heals. By themselves 16 s and a half of a retry, a
#: rest of 45 s or a timeout are the longest.
GIVE_UP = 240.0

Answer = TypeVar("Answer")
STANDING = ("connected", "suspect")  #: the statuses of a link that was not given up
#: Another page of the same origin, with nothing of ours in it.
ELSEWHERE = "static/css/base.css"


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


def _nothing(page: PageDriver) -> None:
    """No need to do anything."""


@dataclass(frozen=True)
class Hint:
    """What a browser tells a page: the event whose time counts, how it is led up to and brought about, and what is
    done once the page is back."""

    event: str
    need: Need | None
    lead_up: Callable[[PageDriver], None]
    bring_about: Callable[[PageDriver], None]
    afterwards: Callable[[PageDriver], None] = _nothing


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
    trouble: Callable[[Stage], AbstractContextManager[None]]
    group: Group
    until: Callable[[Stage], object] = lambda stage: None
    mends_itself: bool = False
    carries: bool = False
    fresh_link: bool = False  #: proven a moment before: the next ping is as far away as it can be
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

    def gap(self, engine: Engine) -> str | None:
        """Why this engine cannot show it, if so."""
        return next((engine.lacks[need] for need in self.needs if need in engine.lacks), None)


# --- when it is time to mend ---


def given_up(stage: Stage) -> None:
    """The page does not count on its link any more, if only for a moment: the next one may stand already."""
    wait(lambda: _since_given_up(stage), "the fault noticed")


def back(stage: Stage) -> None:
    """The link was given up, and another one stands."""
    wait(lambda: "connected" in _since_given_up(stage), "a new link")


def waits(count: int) -> Callable[[Stage], object]:
    """The page has begun to wait for the so-manieth time."""
    return lambda stage: wait(
        lambda: [status for _, status in stage.notes.changes].count("waiting") >= count, f"{count} waits"
    )


def exhausted(stage: Stage) -> None:
    """The page has spent its retries."""
    stage.page.wait_for_status("exhausted", within=GIVE_UP)


def seconds(count: float) -> Callable[[Stage], None]:
    """So long after it was noticed."""

    def passed(stage: Stage) -> None:
        given_up(stage)
        let_pass(count)

    return passed


def handshakes(count: int) -> Callable[[Stage], None]:
    """So many handshakes have failed since it began, and the page waits again."""

    def failed(stage: Stage) -> None:
        given_up(stage)
        already = stage.network.counts.websockets
        stage.network.wait_until(lambda seen: seen.websockets >= already + count - 1, within=GIVE_UP)
        stage.page.wait_for_status("waiting", within=GIVE_UP)

    return failed


def wait(ask: Callable[[], Answer], what: str) -> Answer:
    """Until there is an answer, which is returned."""
    return eventually(ask, GIVE_UP, every=0.2, what=what)


def _since_given_up(stage: Stage) -> list[str]:
    """The statuses from the moment at which the link was given up; none if it was not."""
    statuses = [status for _, status in stage.notes.changes]
    return list(itertools.dropwhile(lambda status: status in STANDING, statuses))


# --- troubles ---

Trouble = Callable[[Stage], AbstractContextManager[None]]
Weather = Callable[[FaultProxy], AbstractContextManager[None]]


reset = partial(FaultProxy.reset, only_websockets=True)
#: The link is dead, and nothing says so.
strand = partial(FaultProxy.strand, only_websockets=True)


def once(act: Callable[[FaultProxy], int]) -> Trouble:
    """A fault that happens to the open link, and is over."""

    @contextlib.contextmanager
    def trouble(stage: Stage) -> Iterator[None]:
        assert act(stage.network) > 0, "there was no link to break"
        yield

    return trouble


def barred(weather: Weather) -> Trouble:
    """The link is reset, and what follows does not come through."""

    @contextlib.contextmanager
    def trouble(stage: Stage) -> Iterator[None]:
        with weather(stage.network):
            reset(stage.network)
            yield

    return trouble


def lasting(weather: Weather) -> Trouble:
    """A fault that lasts."""
    return lambda stage: weather(stage.network)


def server_gone(end: Callable[[KizunaServer], object]) -> Trouble:
    """The server ends so, and comes back on the same data."""

    @contextlib.contextmanager
    def trouble(stage: Stage) -> Iterator[None]:
        end(stage.server)
        yield
        stage.server.start()

    return trouble


@contextlib.contextmanager
def tunnel(stage: Stage) -> Iterator[None]:
    """Nothing passes, and the browser knows."""
    with stage.network.black_hole():
        stage.page.set_offline(True)
        yield


@contextlib.contextmanager
def said_to_be_offline(stage: Stage) -> Iterator[None]:
    """The browser says that there is no network; there is."""
    stage.page.claim_offline(True)
    try:
        yield
    finally:
        stage.page.claim_offline(False)


@contextlib.contextmanager
def said_to_be_offline_and_reset(stage: Stage) -> Iterator[None]:
    """The same, and the link is reset once the page trusts it again."""
    with said_to_be_offline(stage):
        stage.page.wait_for_status("connected")  # it was doubted in vain
        reset(stage.network)
        yield


# --- what a browser tells ---


def _hide_and_freeze(page: PageDriver) -> None:
    page.hide()
    page.freeze()


VISIBLE = Hint("visible", Need.HIDE, lambda page: page.hide(), lambda page: page.show())
ONLINE = Hint(
    "online", Need.ONLINE, lambda page: page.set_offline(True), lambda page: page.set_offline(False)
)
ONLINE_AGAIN = replace(ONLINE, lead_up=_nothing)
#: A page that thaws stays hidden; what it says is drawn once it is shown.
RESUME = Hint("resume", Need.FREEZE, _hide_and_freeze, lambda page: page.thaw(), lambda page: page.show())
PAGESHOW = Hint(
    "pageshow kept",
    Need.KEEP,
    lambda page: page.go_away(f"{page.home}/{ELSEWHERE}"),
    lambda page: page.go_back(),
)
#: The wall clock goes forward, as in a sleep through which the monotonic clock stood still.
WAKE = Hint(
    "clock jump",
    None,
    _nothing,
    lambda page: page.run("() => reliability.jump(60)"),
    lambda page: page.run("() => reliability.setRight()"),
)


# --- the rows, and what those of a group have in common ---

DOWN = lasting(FaultProxy.down)
UNAVAILABLE = partial(FaultProxy.http_status, status=503)
HANGING = partial(FaultProxy.accept_and_hang, only_websockets=True)
CLOSING = partial(FaultProxy.accept_then_close, only_websockets=True)
CLOSING_LATE = partial(FaultProxy.accept_then_close, after_handshake=True)
NARROW = partial(FaultProxy.link, bytes_per_second=500)

_broken = partial(Scenario, group=Group.BREAK, mends_itself=True)
_gone = partial(Scenario, group=Group.SERVER, until=given_up, server_dies=True)
_barred = partial(Scenario, group=Group.HANDSHAKE, until=handshakes(3))
_borne = partial(Scenario, group=Group.BURDEN, carries=True)
_silent = partial(Scenario, group=Group.SILENCE, until=given_up, fresh_link=True, noticed_limit=SILENCE_LIMIT)
_hinted = partial(
    Scenario,
    group=Group.HINT,
    trouble=once(strand),
    mends_itself=True,
    counts_from_hint=True,
    noticed_limit=HINT_LIMIT,
)
_waiting = partial(Scenario, group=Group.WAITING, until=waits(LONG_WAIT), back_limit=AT_ONCE_LIMIT)
_flagged = partial(Scenario, group=Group.FLAG)

SCENARIOS: tuple[Scenario, ...] = (
    _broken("reset", "RST", once(reset)),
    _broken("fin", "FIN without a close frame", once(partial(FaultProxy.fin, only_websockets=True))),
    _broken("cut", "cut in the middle of a frame", once(FaultProxy.cut_mid_frame)),
    _broken("down", "down for 5 s: reset, then refused", DOWN, until=seconds(5), mends_itself=False),
    _gone("restart", "restarted politely", server_gone(KizunaServer.stop)),
    _gone("kill", "killed, started again", server_gone(KizunaServer.kill)),
    _barred("401", "401 at the handshake", barred(partial(FaultProxy.http_status, status=401))),
    _barred("503", "503 at the handshake", barred(UNAVAILABLE)),
    _barred("hang", "accepted, never answered", barred(HANGING), until=waits(2)),
    _barred("close-before", "accepted, closed before the handshake", barred(CLOSING)),
    _barred("close-after", "accepted, closed after the handshake", barred(CLOSING_LATE)),
    _borne("refuse", "nobody new is let in", lasting(FaultProxy.refuse)),
    _borne("slow", "slow: 1 s each way", lasting(partial(FaultProxy.slow, delay=1))),
    _borne("narrow", "narrow: 500 bytes a second", lasting(NARROW)),
    _silent("hole-up", "black hole, up", lasting(partial(FaultProxy.black_hole, way=Way.UP))),
    _silent("hole-down", "black hole, down", lasting(partial(FaultProxy.black_hole, way=Way.DOWN))),
    _silent("hole-both", "black hole, both ways", lasting(FaultProxy.black_hole)),
    _silent("dead", "dead link; new ones work", once(strand), mends_itself=True),
    _hinted("dead-visible", "the tab becomes visible", hint=VISIBLE),
    _hinted("dead-online", "`offline`, then `online`", hint=ONLINE),
    _hinted("dead-resume", "`freeze`, then `resume`", hint=RESUME),
    _hinted("dead-pageshow", "`pageshow` from the back/forward cache", hint=PAGESHOW),
    _hinted("dead-wake", "wake from sleep: the clock jumps by 60 s", hint=WAKE),
    _waiting("waiting-visible", "down, hidden; up, and the tab becomes visible", DOWN, hint=VISIBLE),
    _waiting("waiting-online", "down, `offline`; up, and `online`", DOWN, hint=ONLINE),
    _waiting(
        "waiting-503",
        "503 four times, hidden; over, and the tab becomes visible",
        barred(UNAVAILABLE),
        hint=VISIBLE,
    ),
    _waiting(
        "tunnel",
        "a tunnel: black hole and `offline`; out of it, and `online`",
        tunnel,
        until=given_up,
        hint=ONLINE_AGAIN,
    ),
    _flagged("offline-stands", "says offline, the link stands", said_to_be_offline, carries=True, lies=True),
    _flagged(
        "offline-reset",
        "says offline, the link is reset",
        said_to_be_offline_and_reset,
        until=back,
        mends_itself=True,
        lies=True,
    ),
    _flagged(
        "online-nothing", "says online, nothing works until the retries are spent", DOWN, until=exhausted
    ),
)
