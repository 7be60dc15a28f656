"""Five retries, then one visible error until somebody presses "Try now"."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.support.artifacts import keep_picture
from tests.support.peer import Peer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually, throughout


def test_after_five_failures_one_error_shows_and_try_now_delivers_what_waited(
    quinn: UserPage, peer: Peer
) -> None:
    quinn.watch.allow_network_trouble()
    with quinn.network.down():
        quinn.say("waiting for better times")
        quinn.wait_for_status("exhausted")
        attempts = attempts_of(quinn)
        assert attempts == 5
        expect(error_on(quinn)).to_have_count(1)
        expect(quinn.try_now_button).to_be_visible()
        quinn.wait_for_text("waiting for better times", state="queued")
        keep_picture(quinn, "exhausted")
        throughout(lambda: attempts_of(quinn) == attempts, 1.0, what="no attempt of its own")
    throughout(lambda: quinn.status == "exhausted", 0.5, what="nothing happens until somebody asks")
    quinn.try_now_button.click()
    quinn.wait_until_in()
    quinn.wait_for_text("waiting for better times", state="sent")
    peer.wait_to_hear("waiting for better times")
    expect(error_on(quinn)).to_have_count(0)
    assert quinn.sockets_alive() == 1


def test_a_server_that_comes_back_gives_five_new_retries(quinn: UserPage) -> None:
    quinn.watch.allow_network_trouble()
    with quinn.network.down():
        eventually(lambda: attempts_of(quinn) >= 3, what="three failures")
    quinn.wait_until_in()
    quinn.watch.requests.clear()
    with quinn.network.down():
        quinn.wait_for_status("exhausted")
        assert attempts_of(quinn) == 5
    quinn.try_now_button.click()
    quinn.wait_until_in()


def attempts_of(person: UserPage) -> int:
    """How often the page has tried, while nobody answers: each attempt begins by asking for a ticket, or for a token
    where it has none to show."""
    person.page.title()  # lets events arrive
    return sum(url.endswith(("/token", "/ticket")) for url in person.watch.requests)


def error_on(person: UserPage) -> Locator:
    """Return the visible message about exhaustion."""
    return person.page.get_by_text("Can't reach the server", exact=True).filter(visible=True)
