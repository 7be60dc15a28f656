"""Before Python runs, a page that was open before shows the room and its last messages from the cache."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.support.peer import Peer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

KEPT = "localStorage.getItem('kizuna.glimpse')"
HALF = """{"name": null, "address": "#/general", "messages": [{"texts": {"content": "half"}}, {}]}"""
MARKUP = "<img src=x onerror=\"document.title='hacked'\"><b>bold</b>"


@pytest.fixture
def newcomer(new_person: Callable[..., UserPage], room: str) -> UserPage:
    """A person who has sent and received a message in the room."""
    newcomer = new_person("Newcomer")
    newcomer.open(room)
    newcomer.join()
    newcomer.say("what I said")
    newcomer.wait_for_text("what I said", state="sent")
    return newcomer


def cached_view(person: UserPage) -> Locator:
    return person.page.locator("#cached-view .message")


def hold_python_back(person: UserPage) -> Callable[[], None]:
    """Hold back Python until the returned function is called."""
    waiting: list[Route] = []
    person.page.route("**/pyodide.asm.wasm", lambda route: waiting.append(route))

    def let_go() -> None:
        for route in waiting:
            route.continue_()
        person.page.unroute("**/pyodide.asm.wasm")
        person.wait_until_started()

    return let_go


def test_the_room_is_seen_before_python_and_each_message_once_afterwards(
    newcomer: UserPage, peer: Peer, room: str
) -> None:
    peer.say(MARKUP)
    newcomer.wait_for_text(MARKUP)
    title = newcomer.page.title()
    let_python_come = hold_python_back(newcomer)
    newcomer.page.reload(wait_until="commit")
    expect(cached_view(newcomer)).to_have_count(2)
    expect(cached_view(newcomer).nth(0)).to_contain_text("what I said")
    expect(cached_view(newcomer).nth(1)).to_contain_text(MARKUP)  # as text
    expect(newcomer.page.locator("#cached-view img")).to_have_count(0)
    expect(newcomer.page.locator("#room-name")).to_have_text(room)
    expect(newcomer.page.locator(".splash-words")).to_be_visible()
    expect(newcomer.root).to_have_attribute("data-page", "loading")
    let_python_come()
    newcomer.wait_for_texts("what I said", MARKUP)
    expect(cached_view(newcomer)).to_have_count(0)
    newcomer.wait_until_in()
    assert newcomer.page.title() == title


@pytest.mark.deep
def test_of_another_room_nothing_is_shown(newcomer: UserPage) -> None:
    hold_python_back(newcomer)
    newcomer.begin_to_open("another-room", "?elsewhere")
    expect(newcomer.page.locator(".splash-words")).to_be_visible()
    expect(cached_view(newcomer)).to_have_count(0)


def test_who_leaves_leaves_nothing_behind(newcomer: UserPage) -> None:
    newcomer.page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert "what I said" in newcomer.page.evaluate(KEPT)
    eventually(lambda: "what I said" in str(newcomer.kept()["rooms"]), what="the room is kept")
    newcomer.open_menu()
    newcomer.page.get_by_role("button", name="Leave", exact=True).click()
    expect(newcomer.name_box).to_be_visible()
    eventually(lambda: "what I said" not in str(newcomer.kept()), what="the room is forgotten")
    assert newcomer.messages == []
    assert newcomer.page.evaluate(KEPT) is None
    hold_python_back(newcomer)
    newcomer.page.reload(wait_until="domcontentloaded")
    expect(newcomer.page.locator(".splash-words")).to_be_visible()
    expect(cached_view(newcomer)).to_have_count(0)


@pytest.mark.deep
def test_leaving_in_one_tab_deletes_the_cached_view_for_all(newcomer: UserPage, room: str) -> None:
    other = newcomer.another_tab()
    other.open(room)
    other.wait_for_texts("what I said")
    newcomer.leave()
    expect(newcomer.name_box).to_be_visible()
    left = "localStorage.getItem('kizuna.left.Newcomer')"
    eventually(lambda: other.page.evaluate(left), what="the other tab's process knows of it")
    other.page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert other.page.evaluate(KEPT) is None
    hold_python_back(newcomer)
    newcomer.page.reload(wait_until="domcontentloaded")
    expect(newcomer.page.locator(".splash-words")).to_be_visible()
    expect(cached_view(newcomer)).to_have_count(0)


def test_somebody_elses_room_is_not_shown(newcomer: UserPage) -> None:
    newcomer.page.evaluate("sessionStorage.setItem('kizuna.name', 'Somebody else')")
    hold_python_back(newcomer)
    newcomer.page.reload(wait_until="domcontentloaded")
    expect(newcomer.page.locator(".splash-words")).to_be_visible()
    expect(cached_view(newcomer)).to_have_count(0)


@pytest.mark.parametrize(
    "kept", [HALF, *(pytest.param(other, marks=pytest.mark.deep) for other in ("no JSON", "null", "[1]"))]
)
def test_what_is_kept_may_be_anything(new_person: Callable[..., UserPage], kept: str) -> None:
    newcomer = new_person("Newcomer")
    newcomer.page.add_init_script(f"localStorage.setItem('kizuna.glimpse', {kept!r})")
    newcomer.open("general")
    expect(cached_view(newcomer)).to_have_count(0)
    newcomer.join()
