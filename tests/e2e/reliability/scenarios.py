"""The scenarios as data: the fault, when it ends, the browser's event, and the limits."""

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
from tests.e2e.reliability.harness import ScenarioHarness
from tests.support.fault_proxy import FaultProxy, Way
from tests.support.page_driver import PageDriver
from tests.support.server import KizunaServer
from tests.support.waiting import eventually, let_pass

#: Seconds. A ping every 30, 10 for its pong, 5 for the probe, 2 for a busy machine; after a hint the probe alone.
SILENCE_LIMIT = 47.0
HINT_LIMIT = 6.0
#: "At once" for a page that would otherwise wait at least 8 s: half of that.
AT_ONCE_LIMIT = 4.0

#: The fifth wait lasts 16 s, plus or minus a half: a page that reconnects sooner did not wait for its end.
LONG_WAIT = 5
#: Seconds after which a scenario fails. The longest single waits are a retry of 24 s and an idle retry of 45 s.
GIVE_UP = 240.0

Answer = TypeVar("Answer")
LINKED = ("connected", "suspect")  #: the statuses of a link that was not given up
#: Another document of the same origin, without the chat.
ELSEWHERE = "static/css/base.css"


class Group(StrEnum):
    """The groups of rows in the tables."""

    BREAK = "The link breaks"
    SERVER = "The server is down"
    HANDSHAKE = "New links fail"
    BURDEN = "The network is poor"
    SILENCE = "The link is silent, without an event in the page"
    HINT = "The link is dead, and the browser sends an event"
    WAITING = "The page waits for its next attempt, and the browser sends an event"
    FLAG = "The browser's offline flag is wrong"


def _nothing(page: PageDriver) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Hint:
    """An event of the browser: its name, how it is prepared and triggered, and what is done after the scenario."""

    event: str
    need: Need | None
    prepare: Callable[[PageDriver], None]
    trigger: Callable[[PageDriver], None]
    afterwards: Callable[[PageDriver], None] = _nothing


@dataclass(frozen=True)
class Scenario:
    """One row of the tables.

    ``fault``: a context that begins and ends the fault. ``until``: returns when the fault is to end. ``mends_itself``:
    a new link would work from the beginning. ``link_survives``: the link is never given up, and the fault ends when
    all messages are on the screen. ``noticed_limit``: seconds until the link is given up, from the hint where
    ``counts_from_hint``. ``back_limit``: seconds from the fault's end or the hint, whichever is later, to CONNECTED.
    """

    key: str
    name: str
    fault: Callable[[ScenarioHarness], AbstractContextManager[None]]
    group: Group
    until: Callable[[ScenarioHarness], object] = lambda harness: None
    mends_itself: bool = False
    link_survives: bool = False
    fresh_link: bool = False  #: the link is new, so the next ping is as far away as possible
    server_dies: bool = False
    hint: Hint | None = None
    counts_from_hint: bool = False
    noticed_limit: float | None = None
    back_limit: float | None = None
    false_flag: bool = False

    @property
    def needs(self) -> frozenset[Need]:
        """What an engine must be able to do."""
        wanted = {Need.FALSE_FLAG if self.false_flag else None, self.hint.need if self.hint else None}
        return frozenset(need for need in wanted if need is not None)

    def gap(self, engine: Engine) -> str | None:
        """Return why this engine cannot show the scenario, None if it can."""
        return next((engine.lacks[need] for need in self.needs if need in engine.lacks), None)


# --- when the fault ends ---


def given_up(harness: ScenarioHarness) -> None:
    """Wait until the page has given up its link, if only for a moment."""
    wait(lambda: _since_given_up(harness), "the fault noticed")


def back(harness: ScenarioHarness) -> None:
    """Wait until the link was given up and another one is connected."""
    wait(lambda: "connected" in _since_given_up(harness), "a new link")


def waits(count: int) -> Callable[[ScenarioHarness], object]:
    """Wait until the page has entered the status "waiting" this many times."""
    return lambda harness: wait(
        lambda: [status for _, status in harness.notes.changes].count("waiting") >= count, f"{count} waits"
    )


def exhausted(harness: ScenarioHarness) -> None:
    """Wait until the page has used up its retries."""
    harness.page.wait_for_status("exhausted", within=GIVE_UP)


def seconds(count: float) -> Callable[[ScenarioHarness], None]:
    """Wait this long after the link was given up."""

    def passed(harness: ScenarioHarness) -> None:
        given_up(harness)
        let_pass(count)

    return passed


def handshakes(count: int) -> Callable[[ScenarioHarness], None]:
    """Wait until this many handshakes have failed and the page waits again."""

    def failed(harness: ScenarioHarness) -> None:
        given_up(harness)
        already = harness.network.counts.websockets
        harness.network.wait_until(lambda seen: seen.websockets >= already + count - 1, within=GIVE_UP)
        harness.page.wait_for_status("waiting", within=GIVE_UP)

    return failed


def wait(ask: Callable[[], Answer], what: str) -> Answer:
    """Wait until ``ask`` returns something true, and return it."""
    return eventually(ask, GIVE_UP, every=0.2, what=what)


def _since_given_up(harness: ScenarioHarness) -> list[str]:
    """Return the statuses since the link was given up; none if it was not."""
    statuses = [status for _, status in harness.notes.changes]
    return list(itertools.dropwhile(lambda status: status in LINKED, statuses))


# --- faults ---

ScenarioFault = Callable[[ScenarioHarness], AbstractContextManager[None]]
LastingFault = Callable[[FaultProxy], AbstractContextManager[None]]


reset = partial(FaultProxy.reset, only_websockets=True)
#: The link is dead, without any sign of it.
strand = partial(FaultProxy.strand, only_websockets=True)


def once(act: Callable[[FaultProxy], int]) -> ScenarioFault:
    """Return a fault that happens once to the open link."""

    @contextlib.contextmanager
    def fault(harness: ScenarioHarness) -> Iterator[None]:
        assert act(harness.network) > 0, "there was no link to break"
        yield

    return fault


def blocked(condition: LastingFault) -> ScenarioFault:
    """Return a fault that resets the link and keeps new ones from opening."""

    @contextlib.contextmanager
    def fault(harness: ScenarioHarness) -> Iterator[None]:
        with condition(harness.network):
            reset(harness.network)
            yield

    return fault


def lasting(condition: LastingFault) -> ScenarioFault:
    """Return a fault that lasts."""
    return lambda harness: condition(harness.network)


def server_gone(end: Callable[[KizunaServer], object]) -> ScenarioFault:
    """Return a fault that ends the server and then starts it again on the same data."""

    @contextlib.contextmanager
    def fault(harness: ScenarioHarness) -> Iterator[None]:
        end(harness.server)
        yield
        harness.server.start()

    return fault


@contextlib.contextmanager
def tunnel(harness: ScenarioHarness) -> Iterator[None]:
    """A black hole, of which the browser knows."""
    with harness.network.black_hole():
        harness.page.set_offline(True)
        yield


@contextlib.contextmanager
def said_to_be_offline(harness: ScenarioHarness) -> Iterator[None]:
    """The browser says "offline" while the network works."""
    harness.page.claim_offline(True)
    try:
        yield
    finally:
        harness.page.claim_offline(False)


@contextlib.contextmanager
def said_to_be_offline_and_reset(harness: ScenarioHarness) -> Iterator[None]:
    """The same, and the link is reset after the page has confirmed it."""
    with said_to_be_offline(harness):
        harness.page.wait_for_status("connected")  # the doubt is over
        reset(harness.network)
        yield


# --- events of the browser ---


def _hide_and_freeze(page: PageDriver) -> None:
    page.hide()
    page.freeze()


VISIBLE = Hint("visible", Need.HIDE, lambda page: page.hide(), lambda page: page.show())
ONLINE = Hint(
    "online", Need.ONLINE, lambda page: page.set_offline(True), lambda page: page.set_offline(False)
)
ONLINE_AGAIN = replace(ONLINE, prepare=_nothing)
#: A page that thaws stays hidden; it draws once it is shown.
RESUME = Hint("resume", Need.FREEZE, _hide_and_freeze, lambda page: page.thaw(), lambda page: page.show())
PAGESHOW = Hint(
    "pageshow kept",
    Need.KEEP,
    lambda page: page.go_away(f"{page.home}/{ELSEWHERE}"),
    lambda page: page.go_back(),
)
#: The wall clock jumps forward, as after a sleep in which the monotonic clock stopped.
WAKE = Hint(
    "clock jump",
    None,
    _nothing,
    lambda page: page.run("() => reliability.jump(60)"),
    lambda page: page.run("() => reliability.setRight()"),
)


# --- the rows, and the common values of each group ---

DOWN = lasting(FaultProxy.down)
UNAVAILABLE = partial(FaultProxy.http_status, status=503)
HANGING = partial(FaultProxy.accept_and_hang, only_websockets=True)
CLOSING = partial(FaultProxy.accept_then_close, only_websockets=True)
CLOSING_LATE = partial(FaultProxy.accept_then_close, after_handshake=True)
NARROW = partial(FaultProxy.link, bytes_per_second=500)

_broken = partial(Scenario, group=Group.BREAK, mends_itself=True)
_server_down = partial(Scenario, group=Group.SERVER, until=given_up, server_dies=True)
_blocked = partial(Scenario, group=Group.HANDSHAKE, until=handshakes(3))
_poor = partial(Scenario, group=Group.BURDEN, link_survives=True)
_silent = partial(Scenario, group=Group.SILENCE, until=given_up, fresh_link=True, noticed_limit=SILENCE_LIMIT)
_hinted = partial(
    Scenario,
    group=Group.HINT,
    fault=once(strand),
    mends_itself=True,
    counts_from_hint=True,
    noticed_limit=HINT_LIMIT,
)
_waiting = partial(Scenario, group=Group.WAITING, until=waits(LONG_WAIT), back_limit=AT_ONCE_LIMIT)
_flagged = partial(Scenario, group=Group.FLAG, false_flag=True)

SCENARIOS: tuple[Scenario, ...] = (
    _broken("reset", "RST", once(reset)),
    _broken("fin", "FIN without a close frame", once(partial(FaultProxy.fin, only_websockets=True))),
    _broken("cut", "cut in the middle of a frame", once(FaultProxy.cut_mid_frame)),
    _broken("down", "down for 5 s: reset, then refused", DOWN, until=seconds(5), mends_itself=False),
    _server_down("restart", "restarted by SIGTERM", server_gone(KizunaServer.stop)),
    _server_down("kill", "killed, started again", server_gone(KizunaServer.kill)),
    _blocked("401", "401 at the handshake", blocked(partial(FaultProxy.http_status, status=401))),
    _blocked("503", "503 at the handshake", blocked(UNAVAILABLE)),
    _blocked("hang", "accepted, never answered", blocked(HANGING), until=waits(2)),
    _blocked("close-before", "accepted, closed before the handshake", blocked(CLOSING)),
    _blocked("close-after", "accepted, closed after the handshake", blocked(CLOSING_LATE)),
    _poor("refuse", "new connections refused", lasting(FaultProxy.refuse)),
    _poor("slow", "slow: 1 s each way", lasting(partial(FaultProxy.slow, delay=1))),
    _poor("narrow", "narrow: 500 bytes a second", lasting(NARROW)),
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
        blocked(UNAVAILABLE),
        hint=VISIBLE,
    ),
    _waiting(
        "tunnel",
        "a tunnel: black hole and `offline`; out of it, and `online`",
        tunnel,
        until=given_up,
        hint=ONLINE_AGAIN,
    ),
    _flagged("offline-stands", "says offline, the link stands", said_to_be_offline, link_survives=True),
    _flagged(
        "offline-reset",
        "says offline, the link is reset",
        said_to_be_offline_and_reset,
        until=back,
        mends_itself=True,
    ),
    _flagged(
        "online-nothing",
        "says online, nothing works until the retries are spent",
        DOWN,
        until=exhausted,
        false_flag=False,
    ),
)
