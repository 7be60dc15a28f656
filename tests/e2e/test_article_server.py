"""The page with the article's server, which broadcasts and sends nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.article_server import ArticleServer
from tests.e2e.conftest import has_failed, will_keep
from tests.e2e.test_exhausted import attempts_of
from tests.support.artifacts import begin_trace, keep
from tests.support.fault_proxy import FaultProxy, Way
from tests.support.user_page import UserPage
from tests.support.waiting import eventually, throughout

#: Enough of everything to see it happen. This server says nothing that gives a client its retries back but by
#: uptime, and tests drop the link sooner than people lose it: it counts as stable at once.
QUICK = {
    "firstRetryDelay": 0.2,
    "heartbeatInterval": 1,
    "connectTimeout": 4,
    "stableAfter": 0.01,
    "idleRetryInterval": 0,
}
ROOM = "general"


@pytest.fixture(scope="module")
def article(site: Path) -> Iterator[ArticleServer]:
    with ArticleServer(site, QUICK) as article:
        yield article


@pytest.fixture(scope="module")
def couple(chromium: Browser, article: ArticleServer) -> Iterator[list[UserPage]]:
    """Two people whose pages stay open for all tests of this file."""
    people = []
    for name in ("Ada", "Ben"):
        page = chromium.new_context(locale="en-US").new_page()
        people.append(UserPage(page, FaultProxy(article.port).start(), name))
        people[-1].begin_to_open(ROOM)
    for person in people:
        person.wait_until_started()
        person.join()
    yield people
    for person in people:
        person.page.context.close()
        person.network.stop()


@pytest.fixture(autouse=True)
def watched(request: pytest.FixtureRequest, couple: list[UserPage], article: ArticleServer) -> Iterator[None]:
    """Everybody is connected at the beginning, and without problems at the end."""
    article.typed = True
    for person in couple:
        person.come_back()
        person.watch.forget()
        begin_trace(person.page.context)
    article.heard.clear()
    will_keep(request, lambda name: keep(name, couple, {}))
    yield
    if not has_failed(request):
        assert [problem for person in couple for problem in person.watch.problems] == []


@pytest.fixture
def ada(couple: list[UserPage]) -> UserPage:
    return couple[0]


@pytest.fixture
def ben(couple: list[UserPage]) -> UserPage:
    return couple[1]


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
def test_two_people_talk_and_own_words_stand_once(
    ada: UserPage, ben: UserPage, article: ArticleServer, typed: bool
) -> None:
    article.typed = typed
    hello, answer = f"hello, {typed=}", f"hello to you, {typed=}"
    ada.say(hello)
    ada.wait_for_text(hello, state="sent")
    ben.wait_for_text(hello, state="received")
    ben.say(answer)
    ben.wait_for_text(answer, state="sent")
    ada.wait_for_text(answer, state="received")
    assert article.words == [hello, answer]
    for person in (ada, ben):
        assert person.texts[-2:] == [hello, answer]


def test_the_same_words_typed_twice_are_two_messages_of_ones_own(
    ada: UserPage, article: ArticleServer
) -> None:
    ada.say("ok", "ok")
    expect(ada.article("ok")).to_have_count(2)
    eventually(lambda: [shown.state for shown in ada.messages if shown.text == "ok"] == ["sent", "sent"])
    assert article.words == ["ok", "ok"]


def test_a_broadcast_that_comes_twice_is_shown_once(
    ada: UserPage, ben: UserPage, article: ArticleServer
) -> None:
    ada.say("once")
    ben.wait_for_text("once")
    article.repeat()
    ada.say("the next one")  # whatever the repetition did is done when this is here
    for person in (ada, ben):
        person.wait_for_text("the next one")
        expect(person.article("once")).to_have_count(1)


def test_a_drop_is_got_over_with_backoff(ada: UserPage, ben: UserPage, article: ArticleServer) -> None:
    ada.watch.allow_network_trouble()
    with ada.network.down():
        ada.wait_for_status("waiting")
        eventually(lambda: attempts_of(ada) >= 2, what="attempts while it is down")
    ada.wait_until_in()
    assert ada.sockets_alive() == 1
    ben.say("can you hear me?")
    ada.wait_for_text("can you hear me?")
    ada.say("yes")
    ben.wait_for_text("yes")


def test_what_is_typed_while_down_is_sent_once_connected(
    ada: UserPage, ben: UserPage, article: ArticleServer
) -> None:
    ada.watch.allow_network_trouble()
    with ada.network.down():
        ada.wait_for_status("waiting")
        ada.say("first, while down", "second, while down")
        ada.wait_for_text("first, while down", state="queued")
    for text in ("first, while down", "second, while down"):
        ada.wait_for_text(text, state="sent")
        ben.wait_for_text(text)
    assert article.words == ["first, while down", "second, while down"]
    assert ben.texts[-2:] == article.words


def test_a_message_without_broadcast_is_resent_by_hand_only(
    ada: UserPage, ben: UserPage, article: ArticleServer
) -> None:
    ada.watch.allow_network_trouble()
    article.next_is = "swallowed"
    ada.say("did it arrive?")
    eventually(lambda: article.words == ["did it arrive?"])
    ada.wait_for_text("did it arrive?", state="sending")
    ada.network.reset()
    ada.wait_for_text("did it arrive?", state="failed")
    expect(ada.article("did it arrive?")).to_contain_text("Not confirmed")
    ada.wait_until_in()
    ada.say("something else")
    ben.wait_for_text("something else")
    assert article.words == ["did it arrive?", "something else"]

    ada.article("did it arrive?").get_by_role("button", name="Retry").click()
    ada.wait_for_text("did it arrive?", state="sent")
    ben.wait_for_text("did it arrive?")
    assert article.words == ["did it arrive?", "something else", "did it arrive?"]


def test_a_late_or_lost_broadcast_fails_no_message_that_arrives(
    ada: UserPage, ben: UserPage, article: ArticleServer
) -> None:
    """The sender's link dies between its frame and the broadcast: the others have the message."""
    ada.watch.allow_network_trouble()
    with ada.network.black_hole(Way.DOWN):
        ada.say("heard by others")
        ben.wait_for_text("heard by others")
        ada.network.reset()
    ada.wait_for_text("heard by others", state="failed")
    ada.wait_until_in()
    article.repeat()  # such as by the retry of a Lambda
    ada.wait_for_text("heard by others", state="sent")
    ada.say("after that")
    ben.wait_for_text("after that")
    assert article.words == ["heard by others", "after that"]
    expect(ben.article("heard by others")).to_have_count(1)


@pytest.mark.deep
def test_an_error_of_the_gateway_is_told_and_ends_nothing(ada: UserPage, article: ArticleServer) -> None:
    statuses = ada.watch_status()
    article.next_is = "failed"
    ada.say("to a broken Lambda")
    expect(ada.page.get_by_text("The server couldn't complete a request.")).to_be_visible()
    ada.say("to one that works")
    ada.wait_for_text("to one that works", state="sent")
    assert set(statuses()) <= {
        "connected",
        "suspect",
    }  # doubted, where what failed stayed without an echo for long
    assert article.words == ["to a broken Lambda", "to one that works"]


@pytest.mark.deep
def test_words_that_never_come_back_count_as_unconfirmed(ada: UserPage, article: ArticleServer) -> None:
    before = article.handshakes
    article.next_is = "failed"
    ada.say("nowhere to be heard")
    ada.wait_for_text("nowhere to be heard", state="failed")  # after ECHO_TIMEOUT
    expect(ada.article("nowhere to be heard")).to_contain_text("Not confirmed")
    eventually(lambda: article.handshakes > before, what="a link beside the doubted one")


def test_pings_keep_an_idle_link_and_their_silence_means_nothing(
    couple: list[UserPage], article: ArticleServer
) -> None:
    before = article.handshakes
    throughout(
        lambda: all(person.status == "connected" for person in couple), 3.5, what="both stay connected"
    )
    assert len(article.heard) >= 3 * len(couple)
    assert article.handshakes == before
    assert {frame["action"] for frame in article.heard} == {"ping"}


def test_a_server_that_closes_every_connection_gets_them_back(
    couple: list[UserPage], article: ArticleServer
) -> None:
    before = article.handshakes
    article.close_all()
    eventually(lambda: article.handshakes == before + 2)
    for person in couple:
        person.wait_until_in()
    assert len(article.connections) == 2


def test_who_leaves_stays_away_until_they_join(ada: UserPage, article: ArticleServer) -> None:
    ada.leave()
    eventually(lambda: len(article.connections) == 1)
    before = article.handshakes
    ada.stays_as("closed", seconds=2)  # the first retry would come after 0.2 s
    assert article.handshakes == before
    ada.join()
    assert len(article.connections) == 2
