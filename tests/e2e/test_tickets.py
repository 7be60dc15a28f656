"""The ticket in a WebSocket's URL is used up, and tokens are renewed unnoticed."""

from __future__ import annotations

import itertools
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from chat.protocol import Batch
from tests.e2e.conftest import present
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

#: Seconds. A renewal begins with a quarter to an eighth of it left, and `ready` may be up to a second late.
SHORT_LIFETIME = 16
#: Seconds within which two renewals of such a token have begun, and a busy machine is done with them.
TWO_RENEWALS = 2 * SHORT_LIFETIME + 30.0

#: The frames of a server without errors: no `nack`, `error` or `bye`.
GOOD_NEWS = {"ready", "batch", "message", "ack", "pong", "presence", "typing"}

WATCH_STATUS = """() => {
    const seen = window.changesOfStatus = [], root = document.documentElement;
    const note = () => seen.push(root.dataset.status + " " + root.dataset.caughtUp + " "
        + document.querySelector('[role="status"]').innerText);
    new MutationObserver(note).observe(root, {attributeFilter: ["data-status", "data-caught-up"]});
    new MutationObserver(note).observe(document.querySelector('[role="status"]'),
        {childList: true, subtree: true, characterData: true});
}"""


def admission_in(url: str) -> str:
    """Return the query of a WebSocket's URL."""
    (token,) = parse_qs(urlsplit(url).query)["token"]
    return token


def asked_for(person: UserPage, path: str) -> int:
    """Return how many requests the page has sent to a path."""
    person.page.title()  # lets events arrive
    return sum(urlsplit(url).path == path for url in person.watch.requests)


def use_again(url: str, person: UserPage) -> int:
    """Return the status of a handshake with a URL that was used already."""
    try:
        with connect(url, origin=Origin(person.network.url), proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_a_ticket_admits_once_and_each_link_has_another(ada: UserPage, peer: Peer) -> None:
    ada.watch.allow_network_trouble()
    ada.leave()
    ada.join()
    (first,) = ada.watch.sockets_opened
    assert "." not in admission_in(first), "a token, which is good for an hour"
    assert use_again(first, ada) == 403
    assert ada.status == "connected"

    tokens, before = asked_for(ada, "/token"), ada.network.counts.websockets
    ada.network.reset(only_websockets=True)
    ada.network.wait_until(lambda seen: seen.websockets > before)
    ada.wait_until_in()
    second = ada.watch.sockets_opened[-1]
    assert admission_in(second) != admission_in(first)
    assert use_again(second, ada) == 403
    assert asked_for(ada, "/token") == tokens, "the token is young: it is used again"
    assert asked_for(ada, "/ticket") >= 2
    ada.say("it is me")
    peer.wait_to_hear("it is me")


def test_a_page_without_tickets_puts_the_token_in_the_url(
    new_person: Callable[..., UserPage], room: str
) -> None:
    newcomer = new_person("Newcomer")
    config = {"tokenUrl": f"{newcomer.network.url}/token"}
    newcomer.page.route("**/static/config.json", lambda route: route.fulfill(json=config))
    newcomer.open(room)
    newcomer.join()
    newcomer.say("as the article has it")
    newcomer.wait_for_text("as the article has it", state="sent")
    (url,) = newcomer.watch.sockets_opened
    assert admission_in(url).count(".") == 2
    assert use_again(url, newcomer) == 101
    assert asked_for(newcomer, "/ticket") == 0


# --- renewal ---


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[KizunaServer]:
    """A server whose tokens are valid for seconds."""
    data = tmp_path / "kizuna.sqlite3"
    with KizunaServer(data, TOKEN_LIFETIME=str(SHORT_LIFETIME), RATE_LIMIT="0") as server:
        yield server


@pytest.fixture
def talker(
    request: pytest.FixtureRequest, chromium: Browser, short_lived: KizunaServer
) -> Iterator[UserPage]:
    """A person on that server."""
    shared_pages = SharedPages(chromium, short_lived)
    talker = shared_pages.new_person("Talker")
    try:
        with present(request, [talker], short_lived):
            yield talker
    finally:
        shared_pages.close(talker)


@pytest.mark.deep
def test_a_token_is_renewed_while_somebody_talks_and_nobody_notices(
    talker: UserPage, short_lived: KizunaServer
) -> None:
    room = f"room-{uuid.uuid4().hex[:12]}"
    said = talk_over_two_renewals(talker, room, short_lived)
    assert talker.page.evaluate("() => window.changesOfStatus") == []
    assert asked_for(talker, "/token") == len(talker.watch.sockets_opened), "each renewal has a new token"
    assert asked_for(talker, "/ticket") == len(talker.watch.sockets_opened)

    sent, received = frames(talker.watch.frames_sent), frames(talker.watch.frames_received)
    ids = [frame["clientMessageId"] for frame in sent if frame["action"] == "sendMessage"]
    assert len(ids) == len(set(ids)) == len(said), "each was sent once"
    assert Counter(frame["clientMessageId"] for frame in received if frame["type"] == "ack") == Counter(ids)
    assert {frame["type"] for frame in received} <= GOOD_NEWS

    log = short_lived.output
    assert log.count("POST /ticket 200") == len(talker.watch.sockets_opened)
    assert room not in log  # and with it every word
    assert talker.watch.tokens_in(log) == 0


def talk_over_two_renewals(talker: UserPage, room: str, server: KizunaServer) -> list[str]:
    """Return what the person sent meanwhile, all stored once and in order."""
    talker.open(room)
    talker.join()
    talker.page.evaluate(WATCH_STATUS)
    numbers, said = itertools.count(1), []

    def say_one_more() -> bool:
        said.append(f"{room}, word {next(numbers)}")
        talker.say(said[-1])
        return len(talker.watch.sockets_opened) >= 3

    eventually(say_one_more, TWO_RENEWALS, what="two renewals")
    talker.wait_until_in()
    talker.network.wait_until(lambda seen: (seen.websockets, seen.open_websockets) == (3, 1))
    say_one_more()
    talker.wait_for_text(said[-1], state="sent")
    with Peer(server, room) as peer:  # only now: it renews no token, and would hear nothing after 16 s
        assert peer.wait_for(Batch).head == len(said)
        assert peer.heard == said[-len(peer.heard) :]
    return said


def frames(texts: list[str]) -> list[dict[str, Any]]:
    """Return the frames of the page's links."""
    return [json.loads(text) for text in texts]
