"""static/config.json alone decides where the page connects, and nothing in its address."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from playwright.sync_api import Route, expect

from tests.support.fault_proxy import FaultProxy
from tests.support.server import KizunaServer
from tests.support.user_page import UserPage

#: What the page must name -> what its host serves. More errors: tests/chat/test_config.py.
BROKEN: dict[str, Callable[[Route], None]] = {
    "404": lambda route: route.fulfill(status=404, body="Not Found"),
    "JSON": lambda route: route.fulfill(body="{ this is not JSON", content_type="application/json"),
    "connection.firstRetryDeley": lambda route: route.fulfill(json={"connection": {"firstRetryDeley": 1}}),
}


def test_a_broken_configuration_is_named_in_words_and_nothing_connects(
    new_person: Callable[..., UserPage],
) -> None:
    newcomer = new_person("Newcomer")
    newcomer.watch.allow(r"status of 404")
    for named, answer in BROKEN.items():
        newcomer.page.route("**/static/config.json", answer)
        if named == "404":
            newcomer.begin_to_open("general")
        else:
            newcomer.page.reload(wait_until="commit")
        alert = newcomer.page.get_by_role("alert").filter(visible=True)
        expect(alert).to_contain_text("static/config.json")
        expect(alert).to_contain_text(named)
        expect(newcomer.root).to_have_attribute("data-page", "failed")
        expect(newcomer.name_box).to_be_hidden()
    assert newcomer.network.counts.websockets == 0
    assert [url for url in newcomer.watch.requests if url.endswith(("/token", "/ticket"))] == []


def test_the_address_of_the_page_cannot_send_a_token_elsewhere(
    new_person: Callable[..., UserPage], server: KizunaServer, room: str
) -> None:
    with FaultProxy(server.port) as elsewhere:  # answers like the real one: the page would not even notice
        ws, token = f"ws://127.0.0.1:{elsewhere.port}/ws", f"{elsewhere.url}/token"
        wishes = "&".join(f"{name}={quote(value, safe='')}" for name, value in wishes_for(ws, token).items())
        newcomer = new_person("Mallory's victim")
        newcomer.open(f"{room}?{wishes}", query=f"?{wishes}&lang=en")
        newcomer.page.goto(f"{newcomer.network.url}/?{wishes}&lang=en#/{room}")
        newcomer.join()
        newcomer.say("only to my own server")
        newcomer.wait_for_text("only to my own server", state="sent")
        assert elsewhere.counts.accepted == 0
        newcomer.network.wait_until(lambda seen: seen.open_websockets == 1)


def wishes_for(ws: str, token: str) -> dict[str, str]:
    """Names of parameters that other pages read from their address."""
    return {
        "webSocketUrl": ws,
        "websocketUrl": ws,
        "ws": ws,
        "url": ws,
        "server": ws,
        "tokenUrl": token,
        "token_url": token,
        "ticketUrl": token.replace("/token", "/ticket"),
        "token": token,
        "config": token.replace("/token", "/static/config.json"),
    }
