"""Runs scenarios in one engine, one after another on the same page, and measures each."""

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
from tests.e2e.reliability.harness import Notes, ScenarioHarness
from tests.e2e.reliability.scenarios import GIVE_UP, LINKED, Scenario, wait
from tests.support.fault_proxy import FaultProxy
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tools.setup.browsers import Browsers

#: A second more than Options.stable_after: by then the delays of a connection begin anew.
STABLE_AFTER = 6.0
BEFORE, AFTER = "said before", "said after"
THEIRS = ("theirs, first", "theirs, second")
MINE = ("mine, first", "mine, second")


@dataclass(frozen=True)
class Result:
    """The result of one scenario in one engine. Seconds; None where the link was never given up."""

    day: str
    noticed: float | None = None  #: until the status left CONNECTED
    given_up: float | None = None  #: until it was neither CONNECTED nor SUSPECT
    connected: float | None = None  #: from the fault's end to CONNECTED
    caught_up: float | None = None
    words: float | None = (
        None  #: until missed messages were drawn; from their being sent, if the link survived
    )
    held: float = 0.0  #: how long the browser delayed the last attempt
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Times:
    """The times of the test's own actions, seconds since 1970."""

    began: float
    mended: float  #: when network and server worked again
    said: float  #: when the peer's last message was sent
    hinted: float | None = None

    @property
    def ready(self) -> float:
        """The time from which the page could reconnect."""
        return self.mended if self.hinted is None else max(self.mended, self.hinted)


def run_scenarios(
    engine: Engine, playwright: Playwright, installed: Browsers, scenarios: Sequence[Scenario]
) -> Iterator[tuple[str, Scenario, Result]]:
    """Yield the browser's version, the scenario and its result. After a failure the browser is started anew."""
    due = list(scenarios)
    while due:
        with (
            tempfile.TemporaryDirectory() as folder,
            KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
            FaultProxy(server.port) as network,
            engine.start(playwright, installed, network) as (page, version),
        ):
            harness = ScenarioHarness(server, network, page)
            harness.open()
            is_well = True
            while due and is_well:
                try:
                    result = measure(harness, due[0])
                except (AssertionError, Error, WebDriverException, OSError) as error:
                    words = (str(error) or type(error).__name__).splitlines()[0]
                    result = Result(_today(), problems=(f"it did not end: {words}",))
                    is_well = False
                yield version, due.pop(0), result


def measure(harness: ScenarioHarness, scenario: Scenario) -> Result:
    """Run a scenario. Raises AssertionError if the fault is not noticed, or the page does not recover."""
    room = f"room-{uuid.uuid4().hex[:12]}"
    _prepare(harness, room, fresh=scenario.fresh_link)
    harness.clear_notes()
    times = _run_scenario(harness, scenario, room)
    problems = _compare_with_log(harness, room)
    notes = harness.notes
    result = timed(scenario, times, notes, harness.network.handshakes_at)
    if scenario.link_survives and result.given_up is not None:
        problems.append("the link was given up")
    problems += [f"uncaught error: {error}" for error in notes.errors]
    return replace(result, problems=tuple(problems))


def _prepare(harness: ScenarioHarness, room: str, *, fresh: bool) -> None:
    """Enter a new room, with a stable link or, if ``fresh``, a new one."""
    page = harness.page
    page.try_now_if_shown()
    page.wait_until_in(GIVE_UP)
    page.enter(room)
    page.leave_other_rooms()
    if fresh:
        before = harness.network.counts.websockets
        harness.network.reset(only_websockets=True)
        harness.network.wait_until(lambda seen: seen.websockets > before, within=GIVE_UP)
        page.wait_until_in()
    else:
        wait(
            lambda: time.time() - harness.notes.changes[-1][0] > STABLE_AFTER,
            "a link that stands for a while",
        )
    with Peer(harness.server, room) as peer:
        peer.say(BEFORE)
    page.wait_for_text(BEFORE)


def _run_scenario(harness: ScenarioHarness, scenario: Scenario, room: str) -> Times:
    """Run from the fault to the new link."""
    page, hint, hinted = harness.page, scenario.hint, None
    with contextlib.ExitStack() as leaving:
        peer = leaving.enter_context(Peer(harness.server, room))
        began = time.time()
        with scenario.fault(harness):
            if not scenario.server_dies:
                peer.say(*THEIRS)
                said = time.time()
            page.say(*MINE)
            scenario.until(harness)
            if scenario.link_survives:
                for text in THEIRS:
                    page.wait_for_text(text, GIVE_UP)
            if hint is not None:
                hint.prepare(page)
        mended = began if scenario.mends_itself else time.time()
        if scenario.server_dies:
            leaving.enter_context(Peer(harness.server, room, "Another peer")).say(*THEIRS)
            said = time.time()
        if hint is not None:
            leaving.callback(hint.afterwards, page)
            hint.trigger(page)
            event = hint.event
            hinted = wait(lambda: harness.notes.when_hinted(event), f"{event} told to the page")
        times = Times(began, mended, said, hinted)
        if not scenario.link_survives:
            wait(lambda: timed(scenario, times, harness.notes).caught_up is not None, "a page that is back")
    return times


def _compare_with_log(harness: ScenarioHarness, room: str) -> list[str]:
    """Wait for pending messages, send one more, and compare the screen with the server's log."""
    with Peer(harness.server, room, "Witness") as witness:
        problems = [problem for text in MINE for problem in _not_shown(harness, text, "sent")]
        witness.say(AFTER)
        problems += _not_shown(harness, AFTER, "received")
        return problems + compare(harness.page.texts, witness.heard)


def _not_shown(harness: ScenarioHarness, text: str, state: str) -> list[str]:
    """Return the problem if a text is not shown once, in this state."""
    try:
        harness.page.wait_for_text(text, GIVE_UP, state)
    except AssertionError as error:
        return [str(error)]
    return []


def compare(shown: Sequence[str], logged: Sequence[str]) -> list[str]:
    """Return the problems of a screen and of the server's log, compared with what was sent."""
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


def timed(scenario: Scenario, times: Times, notes: Notes, handshakes_at: Sequence[float] = ()) -> Result:
    """Return the page's times as seconds since the test's actions; None for what has not happened."""
    zero = times.began
    if scenario.counts_from_hint and times.hinted is not None:
        zero = times.hinted
    last_words = notes.texts.get(THEIRS[-1])
    noticed = _first(notes, zero, lambda status, _: status != "connected")
    given_up = _first(notes, zero, lambda status, _: status not in LINKED)
    ready = times.said if given_up is None else times.ready
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
    """Return how long the browser delayed the successful attempt: from the page's opening a socket, or from ``ready``
    if later, to the handshake at the proxy."""
    asked = [at for at in sockets if at <= connected]
    arrived = [at for at in handshakes_at if at <= connected]
    if not asked or not arrived:
        return 0.0
    return round(max(0.0, arrived[-1] - max(asked[-1], ready)), 2)


def missed_limits(scenario: Scenario, result: Result) -> list[str]:
    """Return the limits that were missed, without the delay that the browser adds."""
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
