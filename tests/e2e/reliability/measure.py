"""Playing scenarios in one engine, one after the other on the same page, and what each showed."""

from __future__ import annotations

import contextlib
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Error, Playwright
from selenium.common.exceptions import WebDriverException

from tests.e2e.reliability.engines import Engine
from tests.e2e.reliability.scenarios import GIVE_UP, STANDING, Scenario, wait
from tests.e2e.reliability.stage import Notes, Stage
from tests.support.fault_proxy import FaultProxy
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tools.setup.browsers import Browsers

#: After so many seconds of uptime, and one, the delays of a connection begin anew (Options.stable_after).
RESTED = 6.0
BEFORE, AFTER = "said before", "said after"
THEIRS = ("theirs, first", "theirs, second")
MINE = ("mine, first", "mine, second")


@dataclass(frozen=True)
class Result:
    """What one scenario showed in one engine. Seconds; None where the link was never given up."""

    day: str
    noticed: float | None = None  #: until the status left CONNECTED
    given_up: float | None = None  #: until it was neither CONNECTED nor SUSPECT
    connected: float | None = None  #: from the mending to CONNECTED
    caught_up: float | None = None
    words: float | None = None  #: until what was missed was drawn; where the link stands, from its being said
    held: float = 0.0  #: how much of this the browser held the last attempt back
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moments:
    """When the host did what. Seconds since 1970."""

    began: float
    mended: float  #: from here on a new link could stand, as far as network and server go
    said: float  #: the last that somebody else said meanwhile
    hinted: float | None = None

    @property
    def ready(self) -> float:
        """From here on nothing keeps the page from coming back."""
        return self.mended if self.hinted is None else max(self.mended, self.hinted)


def play(
    engine: Engine, playwright: Playwright, installed: Browsers, scenarios: Sequence[Scenario]
) -> Iterator[tuple[str, Scenario, Result]]:
    """The browser's version with each result. After a scenario that did not come to its end the browser is started
    anew."""
    due = list(scenarios)
    while due:
        with (
            tempfile.TemporaryDirectory() as folder,
            KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
            FaultProxy(server.port) as network,
            engine.start(playwright, installed, network) as (page, version),
        ):
            stage = Stage(server, network, page)
            stage.open()
            is_well = True
            while due and is_well:
                try:
                    result = measure(stage, due[0])
                except (AssertionError, Error, WebDriverException, OSError) as error:
                    words = (str(error) or type(error).__name__).splitlines()[0]
                    result = Result(_today(), problems=(f"it did not come to its end: {words}",))
                    is_well = False
                yield version, due.pop(0), result


def measure(stage: Stage, scenario: Scenario) -> Result:
    """Play it. AssertionError when it does not come to its end: not noticed, or never healed."""
    room = f"room-{uuid.uuid4().hex[:12]}"
    _prepare(stage, room, fresh=scenario.fresh_link)
    stage.begin_notes()
    moments = _play(stage, scenario, room)
    problems = _converse(stage, room)
    notes = stage.notes
    result = timed(scenario, moments, notes, stage.network.handshakes_at)
    if scenario.carries and result.given_up is not None:
        problems.append("the link was given up")
    problems += [f"uncaught error: {error}" for error in notes.errors]
    return replace(result, problems=tuple(problems))


def _prepare(stage: Stage, room: str, *, fresh: bool) -> None:
    """In a room of its own, with a link that has stood for a while, or for no time at all."""
    page = stage.page
    page.try_now_if_shown()
    page.wait_until_in(GIVE_UP)
    page.enter(room)
    page.leave_other_rooms()
    if fresh:
        before = stage.network.counts.websockets
        stage.network.reset(only_websockets=True)
        stage.network.wait_until(lambda seen: seen.websockets > before, within=GIVE_UP)
        page.wait_until_in()
    else:
        wait(lambda: time.time() - stage.notes.changes[-1][0] > RESTED, "a link that stands for a while")
    with Peer(stage.server, room) as peer:
        peer.say(BEFORE)
    page.wait_for_text(BEFORE)


def _play(stage: Stage, scenario: Scenario, room: str) -> Moments:
    """From the fault to the new link."""
    page, hint, hinted = stage.page, scenario.hint, None
    with contextlib.ExitStack() as leaving:
        peer = leaving.enter_context(Peer(stage.server, room))
        began = time.time()
        with scenario.trouble(stage):
            if not scenario.server_dies:
                peer.say(*THEIRS)
                said = time.time()
            page.say(*MINE)
            scenario.until(stage)
            if scenario.carries:
                for text in THEIRS:
                    page.wait_for_text(text, GIVE_UP)
            if hint is not None:
                hint.lead_up(page)
        mended = began if scenario.mends_itself else time.time()
        if scenario.server_dies:
            leaving.enter_context(Peer(stage.server, room, "Another peer")).say(*THEIRS)
            said = time.time()
        if hint is not None:
            leaving.callback(hint.afterwards, page)
            hint.bring_about(page)
            event = hint.event
            hinted = wait(lambda: stage.notes.when_hinted(event), f"{event} told to the page")
        moments = Moments(began, mended, said, hinted)
        if not scenario.carries:
            wait(lambda: timed(scenario, moments, stage.notes).caught_up is not None, "a page that is back")
    return moments


def _converse(stage: Stage, room: str) -> list[str]:
    """Once all is said that waited, say one thing more, and compare the screen with the server's log."""
    with Peer(stage.server, room, "Witness") as witness:
        problems = [problem for text in MINE for problem in _not_shown(stage, text, "sent")]
        witness.say(AFTER)
        problems += _not_shown(stage, AFTER, "received")
        return problems + compare(stage.page.texts, witness.heard)


def _not_shown(stage: Stage, text: str, state: str) -> list[str]:
    """What is wrong if a text does not come to stand there once, in this state."""
    try:
        stage.page.wait_for_text(text, GIVE_UP, state)
    except AssertionError as error:
        return [str(error)]
    return []


def compare(shown: Sequence[str], logged: Sequence[str]) -> list[str]:
    """What is wrong with a screen and with the server's log, given what was said."""
    expected = (BEFORE, *THEIRS, *MINE, AFTER)
    problems: list[str] = []
    for place, texts in (("screen", shown), ("log", logged)):
        problems += [f"lost on the {place}: {text}" for text in expected if text not in texts]
        problems += [
            f"twice on the {place}: {text}" for text in dict.fromkeys(texts) if texts.count(text) > 1
        ]
        problems += [f"never said, on the {place}: {text}" for text in texts if text not in expected]
        for ones in ((BEFORE, *THEIRS, AFTER), (BEFORE, *MINE, AFTER)):
            once = dict.fromkeys(text for text in texts if text in ones)
            if list(once) != [text for text in ones if text in once]:
                problems.append(f"out of order on the {place}: {', '.join(once)}")
    if not problems and list(shown) != list(logged):
        problems.append(f"another order than the log's: {', '.join(shown)}")
    return problems


def timed(scenario: Scenario, moments: Moments, notes: Notes, handshakes_at: Sequence[float] = ()) -> Result:
    """The moments of the page, as seconds since those of the host. What has not happened yet is None."""
    zero = moments.began
    if scenario.counts_from_hint and moments.hinted is not None:
        zero = moments.hinted
    last_words = notes.texts.get(THEIRS[-1])
    noticed = _first(notes, zero, lambda status, _: status != "connected")
    given_up = _first(notes, zero, lambda status, _: status not in STANDING)
    ready = moments.said if given_up is None else moments.ready
    connected = given_up and _first(notes, max(given_up, ready), lambda status, _: status == "connected")
    caught_up = connected and _first(
        notes, connected, lambda status, caught: status == "connected" and caught
    )
    return Result(
        _today(),
        noticed=_span(zero, noticed),
        given_up=_span(zero, given_up),
        connected=_span(ready, connected),
        caught_up=_span(ready, caught_up),
        words=_span(ready, last_words),
        held=0.0 if connected is None else held_back(notes.sockets, handshakes_at, ready, connected),
    )


def held_back(
    sockets: Sequence[float], handshakes_at: Sequence[float], ready: float, connected: float
) -> float:
    """How long the browser kept the attempt that succeeded to itself: from the page's asking for a socket, or from
    the moment at which nothing was in the way any more, to the handshake at the proxy."""
    asked = [at for at in sockets if at <= connected]
    arrived = [at for at in handshakes_at if at <= connected]
    if not asked or not arrived:
        return 0.0
    return round(max(0.0, arrived[-1] - max(asked[-1], ready)), 2)


def missed_limits(scenario: Scenario, result: Result) -> list[str]:
    """The limits that were not kept. What a browser adds by itself is not the page's."""
    problems = []
    limit = scenario.noticed_limit
    if limit is not None and (result.given_up is None or result.given_up > limit):
        problems.append(f"given up after {result.given_up} s, not within {limit} s")
    limit = scenario.back_limit
    if limit is not None and (result.connected is None or result.connected - result.held > limit):
        problems.append(f"connected after {result.connected} s, not within {limit} s")
    return problems


def _first(notes: Notes, moment: float, holds: Callable[[str, bool], bool]) -> float | None:
    return next((at for at, status, caught in notes.since(moment) if holds(status, caught)), None)


def _span(since: float, until: float | None) -> float | None:
    return None if until is None else round(max(0.0, until - since), 2)


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
