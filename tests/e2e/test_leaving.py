"""After leaving, and before joining, a page has no socket, no request and no heartbeat."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.test_exhausted import attempts_of
from tests.support.peer import Peer
from tests.support.user_page import UserPage

WAKE_UP_CALLS = """() => {
    for (const [target, name] of [[document, "visibilitychange"], [window, "online"], [window, "focus"],
                                  [document, "resume"]])
        target.dispatchEvent(new Event(name));
    window.dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}));
}"""


def test_leaving_closes_the_connection_for_good_until_join(quinn: UserPage, peer: Peer) -> None:
    quinn.say("so long")
    peer.wait_to_hear("so long")
    quinn.leave()
    quinn.network.wait_until(lambda seen: seen.open_websockets == 0)  # the server has closed its side too
    assert quinn.sockets_alive() == 0
    assert_stays_away(quinn)

    quinn.reload()
    expect(quinn.name_box).to_be_visible()
    quinn.wait_for_status("closed")
    assert_stays_away(quinn)

    peer.say("while Quinn was away")
    quinn.join()
    quinn.wait_for_texts("so long", "while Quinn was away")
    assert quinn.sockets_alive() == 1
    quinn.network.wait_until(lambda seen: seen.open_websockets == 1)


def assert_stays_away(person: UserPage) -> None:
    """Neither time nor browser events make the page reconnect."""
    asleep = person.status
    assert asleep in ("closed", "idle")
    seen, asked, sent = person.network.counts.websockets, attempts_of(person), len(person.watch.frames_sent)
    person.page.evaluate(WAKE_UP_CALLS)
    person.page.context.set_offline(True)
    person.page.context.set_offline(False)
    # Quinn's retries would come after 0.1 s, the heartbeat after 1 s.
    person.stays_as(asleep, seconds=2)
    assert person.network.counts.websockets == seen
    assert attempts_of(person) == asked
    assert len(person.watch.frames_sent) == sent


def test_leaving_while_the_page_waits_for_its_next_attempt_cancels_the_attempt(
    quinn: UserPage,
) -> None:
    quinn.watch.allow_network_trouble()
    with quinn.network.down():
        quinn.wait_for_status("waiting")
        quinn.leave()
    assert_stays_away(quinn)


def test_no_socket_before_joining_and_one_after_joining_twice(
    new_person: Callable[..., UserPage],
) -> None:
    newcomer = new_person("Nora")
    newcomer.page.goto(newcomer.network.url, wait_until="commit")  # no room in the address
    newcomer.wait_until_started()
    assert newcomer.status == "idle"
    assert_stays_away(newcomer)
    assert newcomer.sockets_alive() == 0
    assert attempts_of(newcomer) == 0

    newcomer.name_box.fill("Nora")
    with newcomer.network.slow(0.2):
        newcomer.join_button.dblclick()
        newcomer.page.evaluate(WAKE_UP_CALLS)
        newcomer.page.evaluate(WAKE_UP_CALLS)
        newcomer.wait_until_in()
    expect(newcomer.page.locator("#room-name")).to_have_text("general")
    assert newcomer.sockets_alive() == 1
    newcomer.network.wait_until(lambda seen: seen.open_websockets == 1)


def test_leaving_in_one_tab_leaves_in_the_other_one(new_person: Callable[..., UserPage], room: str) -> None:
    first = new_person("Lena")
    first.open(room)
    first.join()
    second = first.another_tab()
    second.open(room)
    second.wait_until_in()
    first.leave()
    second.wait_for_status("closed")
    expect(second.name_box).to_be_visible()
    assert "You left in another tab" in second.screen.notice
    assert second.sockets_alive() == 0
