"""A browser's page events: hidden, frozen, cached and offline pages in a Chromium that really does this."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext

from chat.protocol import Batch, Message, Presence
from tests.e2e.conftest import has_failed, present
from tests.e2e.test_exhausted import attempts_of
from tests.e2e.test_tickets import WATCH_STATUS, frames
from tests.e2e.window import Window
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually, throughout

#: Within a test nothing happens by itself: retries, heartbeats and free attempts come after minutes. What happens all
#: the same, the browser has caused.
STEADY = {
    "firstRetryDelay": 600,
    "offlineInterval": 600,
    "heartbeatInterval": 600,
    "pongTimeout": 300,
    "probeTimeout": 2,
    "stableAfter": 1,
    "staleAttemptAfter": 600,
    # A first attempt that a slow machine gave up would be followed by none.
    "connectTimeout": 300,
    "prepareTimeout": 300,
}

#: Attempts, pings and rollovers follow one another within seconds. Nothing is given up for being late: a machine may
#: be slow.
RESTLESS = {
    "firstRetryDelay": 0.1,
    "maxRetries": 2,
    "idleRetryInterval": 0.5,
    "offlineInterval": 0.5,
    "heartbeatInterval": 1,
    "pongTimeout": 300,
    "probeTimeout": 300,
    "connectTimeout": 300,
    "stableAfter": 1,
    "rolloverAfter": 2,
    "rolloverSpread": 0,
    "retireAfter": 1,
    "sleepThreshold": 300,
}

#: A document of another site.
ELSEWHERE = "data:text/html,elsewhere"

WATCH_EVENTS = """() => {
    window.pageEvents?.stop.abort();
    const stop = new AbortController(), seen = [];
    window.pageEvents = {stop, seen};
    const note = (event) => seen.push(event.type + (event.persisted ? " persisted" : ""));
    for (const [target, types] of [[document, ["freeze", "resume", "visibilitychange"]],
                                   [window, ["pagehide", "pageshow", "online", "offline"]]])
        types.forEach((type) => target.addEventListener(type, note, {signal: stop.signal}));
}"""

#: Sets navigator.onLine wrongly, as a virtual machine or a VPN does.
LIE_ABOUT_THE_NETWORK = """(onLine) => {
    Object.defineProperty(navigator, "onLine", {configurable: true, get: () => onLine});
    window.dispatchEvent(new Event(onLine ? "online" : "offline"));
}"""
TELL_THE_TRUTH = """() => {
    delete navigator.onLine;
    window.dispatchEvent(new Event("online"));
}"""


@pytest.fixture(scope="module")
def window(chromium_that_hides: BrowserContext, server: KizunaServer) -> Iterator[Window]:
    window = Window(chromium_that_hides, server)
    yield window
    window.close()


@pytest.fixture
def steady(
    request: pytest.FixtureRequest, window: Window, server: KizunaServer, room: str
) -> Iterator[UserPage]:
    """A person whose connection does nothing by itself (STEADY)."""
    yield from watched(request, window, server, lambda: window.person_in(room, STEADY))


@pytest.fixture
def restless(
    request: pytest.FixtureRequest, window: Window, server: KizunaServer, room: str
) -> Iterator[UserPage]:
    """A person whose connection has very short times (RESTLESS)."""
    yield from watched(request, window, server, lambda: window.person_in(room, RESTLESS))


@pytest.fixture
def somebody(
    request: pytest.FixtureRequest, window: Window, server: KizunaServer, room: str
) -> Iterator[UserPage]:
    """A person with the options of the test before."""
    yield from watched(request, window, server, lambda: window.person_in(room))


@pytest.fixture
def newcomer(
    request: pytest.FixtureRequest, window: Window, server: KizunaServer, room: str
) -> Iterator[UserPage]:
    """A person who has opened the page and not joined."""
    yield from watched(request, window, server, lambda: window.newcomer(room, STEADY))


def watched(
    request: pytest.FixtureRequest, window: Window, server: KizunaServer, come: Callable[[], UserPage]
) -> Iterator[UserPage]:
    """Yield a watched person; after a failed test the tab is replaced."""
    is_here = False
    try:
        person = come()
        is_here = True
        with present(request, [person], server):
            yield person
    finally:
        if not is_here or has_failed(request):
            window.close()


def watch_events(person: UserPage) -> None:
    """Record the browser's events from now on."""
    person.page.evaluate(WATCH_EVENTS)


def events_of(person: UserPage) -> list[str]:
    """Return the recorded events."""
    return list(person.page.evaluate("() => window.pageEvents.seen"))


def words_in_order(peer: Peer) -> list[str]:
    """Return the messages of the room by sequence number, since broadcasts may overtake each other."""
    batches = [message for frame in peer.frames if isinstance(frame, Batch) for message in frame.messages]
    live = [frame for frame in peer.frames if isinstance(frame, Message)]
    return [message.content for message in sorted([*batches, *live], key=lambda message: message.seq or 0)]


def drop(person: UserPage) -> None:
    """Break the connection, and wait until the page notices."""
    person.watch.allow_network_trouble()
    person.network.reset(only_websockets=True)
    eventually(lambda: person.status == "waiting", what="the drop noticed")


# --- hidden, and seen again ---


def test_a_page_that_never_joined_opens_nothing_when_it_is_looked_at(newcomer: UserPage) -> None:
    newcomer.hide()
    newcomer.show()
    newcomer.stays_as("idle", seconds=1)
    assert newcomer.network.counts.websockets == attempts_of(newcomer) == newcomer.sockets_alive() == 0


def test_a_link_lost_in_a_hidden_tab_is_restored_when_shown(steady: UserPage, peer: Peer) -> None:
    steady.hide()
    drop(steady)
    peer.say("while it was hidden")
    before = steady.network.counts.websockets
    steady.show()
    steady.wait_for_status("connected")  # its own retry would come after minutes
    steady.wait_for_texts("while it was hidden")
    assert (steady.network.counts.websockets, steady.sockets_alive()) == (before + 1, 1)


def test_a_page_that_was_left_stays_closed_when_it_is_looked_at(steady: UserPage) -> None:
    steady.leave()
    steady.hide()
    before, attempts = steady.network.counts.websockets, attempts_of(steady)
    steady.show()
    steady.stays_as("closed", seconds=1)
    assert (steady.network.counts.websockets, attempts_of(steady)) == (before, attempts)


# --- put aside, and taken up again ---


def test_a_frozen_page_closes_its_socket_and_catches_up_when_thawed(steady: UserPage, peer: Peer) -> None:
    watch_events(steady)
    before = steady.network.counts.websockets
    steady.hide()
    steady.freeze()
    wait_for_departure(steady, peer)
    assert steady.status == "suspended"
    peer.say("while it was frozen", "and still")

    steady.thaw()
    steady.wait_until_in()
    assert events_of(steady) == ["visibilitychange", "freeze", "resume"]
    steady.wait_for_texts("while it was frozen", "and still")
    assert (steady.network.counts.websockets, steady.sockets_alive()) == (before + 1, 1)
    assert steady.visibility == "hidden"


def test_the_back_forward_cache_gives_the_page_back_and_nothing_is_lost(steady: UserPage, peer: Peer) -> None:
    watch_events(steady)
    steady.say("before")
    steady.wait_for_text("before", state="sent")
    steady.message_box.fill("typed and not sent")
    before, attempts = steady.network.counts.websockets, attempts_of(steady)
    steady.go_away(ELSEWHERE)
    steady.network.wait_until(lambda seen: seen.open_websockets == 0)
    peer.say("while it was away")

    steady.watch.allow_network_trouble()  # Chromium tells again what it told in tests before
    steady.go_back()
    eventually(lambda: events_of(steady)[-1:] == ["pageshow persisted"])
    assert events_of(steady)[0] == "pagehide persisted", (
        "a page that was loaded anew would know nothing of it"
    )
    steady.wait_until_in()
    steady.wait_for_texts("before", "while it was away")
    steady.message_box.press("Enter")
    steady.wait_for_text("typed and not sent", state="sent")
    steady.wait_for_texts("before", "while it was away", "typed and not sent")
    peer.wait_to_hear("typed and not sent")
    assert words_in_order(peer) == steady.texts
    assert (steady.network.counts.websockets, attempts_of(steady)) == (before + 1, attempts + 1)
    assert steady.sockets_alive() == 1
    ticks = ticks_heard_by(steady)
    eventually(lambda: ticks_heard_by(steady) > ticks + 1, what="a worker that ticks on")


def ticks_heard_by(person: UserPage) -> int:
    """Return how many messages the page's workers have sent."""
    return int(person.page.evaluate("() => window.ticksHeard"))


def test_resume_visible_and_online_at_once_are_one_attempt(steady: UserPage, peer: Peer) -> None:
    lose_everything(steady)
    before, attempts = steady.network.counts.websockets, attempts_of(steady)
    steady.page.context.set_offline(False)
    steady.page.bring_to_front()
    steady.wait_until_in()
    assert {"resume", "visibilitychange", "online"} <= set(events_of(steady))
    assert (steady.network.counts.websockets, attempts_of(steady)) == (before + 1, attempts + 1)
    assert steady.sockets_alive() == 1
    peer.say("once")
    steady.wait_for_texts("once")


def test_a_second_event_does_not_restart_an_attempt(steady: UserPage) -> None:
    lose_everything(steady)
    before, attempts = steady.network.counts.websockets, attempts_of(steady)
    with steady.network.slow(1):
        steady.page.context.set_offline(False)
        steady.thaw()
        eventually(lambda: attempts_of(steady) > attempts, what="an attempt that has begun")
        steady.show()
        assert steady.status == "connecting", "it was over too soon to prove anything"
        steady.wait_until_in()
    assert (steady.network.counts.websockets, attempts_of(steady)) == (before + 1, attempts + 1)


def lose_everything(person: UserPage) -> None:
    """Hide the page, break its link, set it offline and freeze it."""
    person.hide()
    drop(person)
    watch_events(person)
    person.page.context.set_offline(True)
    person.wait_for_status("offline")
    person.freeze()
    eventually(lambda: person.status == "suspended")


# --- sleep ---


def test_a_link_that_died_during_sleep_is_replaced_within_a_probe(
    steady: UserPage, window: Window, peer: Peer
) -> None:
    watch_events(steady)
    statuses, before = steady.watch_status(), steady.network.counts.websockets
    assert steady.network.strand(only_websockets=True) == 1
    peer.say("in the night")
    window.sleep(4.5)  # 1.5 times the threshold of sleep
    steady.network.wait_until(lambda seen: seen.websockets == before + 1)
    steady.wait_until_in()
    steady.wait_for_texts("in the night")
    assert statuses() == ["connected", "suspect", "connecting", "connected"]
    assert events_of(steady) == [], "a hint of the browser's: nothing was proven"
    assert steady.sockets_alive() == 1
    drop(steady)  # the dead link too, before the next test


# --- the offline flag ---


def test_an_open_connection_that_answers_outlives_a_flag_that_says_offline(
    steady: UserPage, peer: Peer
) -> None:
    statuses, before = steady.watch_status(), steady.network.counts.websockets
    steady.page.evaluate(LIE_ABOUT_THE_NETWORK, False)
    eventually(lambda: statuses() == ["connected", "suspect", "connected"], what="a doubt, and its end")
    steady.say("still here")
    steady.wait_for_text("still here", state="sent")
    peer.wait_to_hear("still here")
    throughout(lambda: statuses() == ["connected", "suspect", "connected"], 1, what="no further doubt")
    assert steady.network.counts.websockets == before
    steady.page.evaluate(TELL_THE_TRUTH)


def test_a_flag_that_says_offline_costs_no_retries_and_keeps_nobody_away(
    restless: UserPage, peer: Peer
) -> None:
    restless.watch.allow_network_trouble()
    restless.page.evaluate(LIE_ABOUT_THE_NETWORK, False)
    restless.wait_until_in()
    statuses = restless.watch_status()
    with restless.network.accept_then_close():
        before = attempts_of(restless)
        restless.network.reset()
        restless.say("against all appearances")
        eventually(lambda: attempts_of(restless) > before + RESTLESS["maxRetries"] + 1)
        assert "offline" in statuses()
    restless.wait_until_in()
    assert not {"exhausted", "waiting"} & set(statuses())
    assert restless.page.evaluate("() => navigator.onLine") is False
    restless.wait_for_text("against all appearances", state="sent")
    peer.wait_to_hear("against all appearances")
    restless.page.evaluate(TELL_THE_TRUTH)


def test_attempts_go_on_while_online_but_without_a_network(restless: UserPage, peer: Peer) -> None:
    restless.watch.allow_network_trouble()
    watch_events(restless)
    with restless.network.accept_then_close():
        before = attempts_of(restless)
        restless.network.reset()
        restless.say("kept")
        restless.wait_for_status("exhausted")
        eventually(lambda: attempts_of(restless) > before + RESTLESS["maxRetries"] + 2)
    restless.wait_until_in()
    restless.wait_for_text("kept", state="sent")
    peer.wait_to_hear("kept")
    assert peer.heard == ["kept"]
    assert restless.page.evaluate("() => navigator.onLine") is True
    assert events_of(restless) == [], "a hint of the browser's, without which it was to do"


# --- a slow machine, and links that are replaced ---


@pytest.mark.deep
def test_a_six_times_slower_page_has_no_false_alarm(restless: UserPage, peer: Peer) -> None:
    statuses = restless.watch_status()
    restless.cdp.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    try:
        texts = [f"word {number}" for number in range(100)]
        peer.say(*texts)
        restless.say("I can follow")
        peer.wait_to_hear("I can follow")
        eventually(lambda: restless.texts == words_in_order(peer), what="all words in the server's order")
        assert statuses() == ["connected"]

        restless.watch.allow_network_trouble()
        restless.network.reset(only_websockets=True)
        restless.say("and back")
        peer.wait_to_hear("and back")
        restless.wait_for_text("and back", state="sent")
        assert len(statuses()) > 1
    finally:
        restless.cdp.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    restless.wait_until_in()
    eventually(lambda: restless.texts == words_in_order(peer))
    assert sorted(restless.texts) == sorted([*texts, "I can follow", "and back"])


def test_links_are_replaced_unnoticed_while_two_people_talk(restless: UserPage, peer: Peer) -> None:
    restless.page.evaluate(WATCH_STATUS)
    before = restless.network.counts.websockets
    said: list[str] = []

    def both_say_one_more() -> bool:
        said.extend([f"person, word {len(said)}", f"peer, word {len(said)}"])
        restless.say(said[-2])
        peer.say(said[-1])
        return restless.network.counts.websockets >= before + 3

    eventually(both_say_one_more, what="three links more")
    both_say_one_more()
    restless.wait_for_text(said[-2], state="sent")
    peer.wait_to_hear(said[-2])
    eventually(lambda: restless.texts == words_in_order(peer), what="one order on both sides")
    assert sorted(restless.texts) == sorted(said)
    assert {shown.state for shown in restless.messages} == {"sent", "received"}
    assert restless.page.evaluate("() => window.changesOfStatus") == []
    sent = [frame for frame in frames(restless.watch.frames_sent) if frame["action"] == "sendMessage"]
    assert len(sent) == len({frame["clientMessageId"] for frame in sent}) == len(said) / 2, "sent once each"


# --- left for good ---


def wait_for_departure(person: UserPage, peer: Peer) -> None:
    """Wait until the server has seen the close and tells the others; after silence it would wait for minutes."""
    person.network.wait_until(lambda seen: seen.open_websockets == 0)
    peer.wait_for(Presence, lambda presence: person.name in presence.left)


def test_the_server_sees_that_the_page_went_to_another_site(somebody: UserPage, peer: Peer) -> None:
    somebody.go_away(ELSEWHERE)
    wait_for_departure(somebody, peer)
    somebody.watch.allow_network_trouble()  # Chromium tells again what it told in tests before
    somebody.go_back()


def test_the_server_sees_that_the_tab_was_closed(somebody: UserPage, peer: Peer) -> None:
    somebody.page.close()
    wait_for_departure(somebody, peer)
