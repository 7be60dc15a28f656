"""Tabs that are really hidden, and come to the front again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.conftest import present
from tests.e2e.person import Person, give_config
from tests.e2e.server import KizunaServer
from tests.e2e.waiting import eventually
from tests.faults.proxy import FaultProxy

#: The next attempt is due after 30 to 90 s: a connection in two can only come from the page becoming visible.
SLOW_RETRIES = {"firstRetryDelay": 60}


@pytest.fixture
def tabs(
    request: pytest.FixtureRequest, chromium_that_hides: BrowserContext, server: KizunaServer, room: str
) -> Iterator[tuple[Person, Person]]:
    """Two tabs of one window, each with its own network and identity; the second is in front."""
    pages = [chromium_that_hides.new_page() for _ in range(2)]
    networks = [FaultProxy(server.port).start() for _ in pages]
    first, second = (Person(page, network, "Hidden") for page, network in zip(pages, networks, strict=True))
    with present(request, [first, second], server):
        for person in (first, second):
            give_config(person.page, **SLOW_RETRIES)
            person.page.bring_to_front()
            person.open(room)
        yield first, second
    for network in networks:
        network.stop()


def show(person: Person) -> float:
    """Bring a tab to the front; the moment at which it is visible."""
    person.page.bring_to_front()
    eventually(lambda: visibility(person) == "visible")
    return time.monotonic()


def hide(person: Person, behind: Person) -> None:
    """Cover a tab by another one."""
    behind.page.bring_to_front()
    eventually(lambda: visibility(person) == "hidden", what="a tab that is really hidden")


def visibility(person: Person) -> str:
    return str(person.page.evaluate("document.visibilityState"))


def test_becoming_visible_connects_at_once_what_was_lost_and_nothing_else(
    tabs: tuple[Person, Person],
) -> None:
    person, never_joined = tabs
    person.watch.allow_network_trouble()
    show(person)
    person.join()
    assert visibility(never_joined) == "hidden"

    # Dropped while hidden: back in under two seconds.
    hide(person, behind=never_joined)
    with person.network.down():
        person.network.wait_until(lambda seen: seen.open == 0)
        eventually(lambda: person.status == "waiting", what="the drop noticed in a hidden tab")
    before = person.network.counts.websockets
    visible_at = show(person)
    person.wait_for_status("connected", within=2)
    print(f"connected {time.monotonic() - visible_at:.2f} s after becoming visible")
    assert person.network.counts.websockets == before + 1
    assert person.sockets_alive() == 1

    # Left on purpose: being looked at again changes nothing.
    person.leave()
    hide(person, behind=never_joined)
    before = person.network.counts.websockets
    show(person)
    person.stays_as("closed", seconds=2)
    assert person.network.counts.websockets == before

    # Never joined: it has been hidden and visible all the time.
    show(never_joined)
    assert never_joined.status == "idle"
    assert never_joined.network.counts.websockets == 0
    assert never_joined.sockets_alive() == 0
