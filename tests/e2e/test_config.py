"""static/config.json decides where the page connects; nothing in the page's address does."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from playwright.sync_api import Route, expect

from tests.e2e.person import Person
from tests.e2e.server import KizunaServer
from tests.faults.proxy import FaultProxy

BROKEN = {
    "static/config.json": lambda route: route.fulfill(status=404, body="Not Found"),
    "config.json": lambda route: route.fulfill(body="{ this is not JSON", content_type="application/json"),
    "webSocketUrl": lambda route: route.fulfill(json={"webSocketUrl": "http://not-a-websocket.example/"}),
    "tokenUrl": lambda route: route.fulfill(json={"tokenUrl": "javascript:alert(1)"}),
    "firstRetryDelay": lambda route: route.fulfill(json={"connection": {"firstRetryDelay": -1}}),
    "firstRetryDeley": lambda route: route.fulfill(json={"connection": {"firstRetryDeley": 1}}),
}


def test_a_broken_configuration_is_named_in_words_and_nothing_connects(hire: Callable[..., Person]) -> None:
    people: dict[str, Person] = {}
    for named, answer in BROKEN.items():
        person = people[named] = hire(f"config {named}")
        person.watch.allow(r"status of 404", named)
        person.page.route("**/static/config.json", answer_with(answer))
        person.begin_to_open("general")
    for named, person in people.items():
        expect(person.page.get_by_text(named).filter(visible=True).first).to_be_visible()
        expect(person.name_box).to_be_hidden()
        assert person.network.counts.websockets == 0
        assert [url for url in person.watch.requests if url.endswith("/token")] == []


def answer_with(answer: Callable[[Route], None]) -> Callable[[Route], None]:
    return lambda route: answer(route)


def test_the_address_of_the_page_cannot_send_a_token_elsewhere(
    hire: Callable[..., Person], server: KizunaServer, room: str
) -> None:
    with FaultProxy(server.port) as elsewhere:  # answers like the real one: the page would not even notice
        ws, token = f"ws://127.0.0.1:{elsewhere.port}/ws", f"{elsewhere.url}/token"
        wishes = "&".join(f"{name}={quote(value, safe='')}" for name, value in wishes_for(ws, token).items())
        newcomer = hire("Mallory's victim")
        newcomer.open(f"{room}?{wishes}", query=f"?{wishes}&lang=en")
        newcomer.page.goto(f"{newcomer.network.url}/?{wishes}&lang=en#/{room}")
        newcomer.join()
        newcomer.say("only to my own server")
        newcomer.wait_for_text("only to my own server", state="sent")
        assert elsewhere.counts.accepted == 0
        newcomer.network.wait_until(lambda seen: seen.open_websockets == 1)


def wishes_for(ws: str, token: str) -> dict[str, str]:
    """Names under which pages take such things from their address."""
    return {
        "webSocketUrl": ws,
        "websocketUrl": ws,
        "ws": ws,
        "url": ws,
        "server": ws,
        "tokenUrl": token,
        "token_url": token,
        "token": token,
        "config": token.replace("/token", "/static/config.json"),
    }
