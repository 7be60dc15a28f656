"""The built page on a static host, with the deployed backend: template, functions, table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser

from tests.cloud.deployed import Deployed
from tests.support.fault_proxy import FaultProxy
from tests.support.site import Copy, StaticHost
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

#: Connection options for functions whose first start takes seconds, or a minute on a busy machine.
PATIENT = {
    "firstRetryDelay": 0.1,
    "idleRetryInterval": 1,
    "connectTimeout": 120,
    "pongTimeout": 60,
    "probeTimeout": 60,
}

Visit = Callable[[str], UserPage]


@pytest.fixture(scope="module")
def network(deployed: Deployed) -> Iterator[FaultProxy]:
    """The network between the pages and AWS."""
    with FaultProxy(deployed.ministack.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def host(
    deployed: Deployed, network: FaultProxy, site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StaticHost]:
    """The page as `make build` makes it for this backend, on a static host with an allowed origin."""

    def through(url: str) -> str:
        return url.replace(f":{deployed.ministack.port}/", f":{urlsplit(network.url).port}/")

    copy = Copy(site, tmp_path_factory.mktemp("site-on-aws") / "site")
    copy.configure(
        webSocketUrl=through(deployed.web_socket_url),
        tokenUrl=through(deployed.token_url),
        ticketUrl=through(deployed.ticket_url),
        connection=PATIENT,
    )
    with StaticHost(copy.site, deployed.page_port) as host:
        yield host


@pytest.fixture(scope="module")
def visit(host: StaticHost, network: FaultProxy, chromium: Browser) -> Iterator[Visit]:
    """A function that returns a person in a new browser context: ``visit("Ada")``."""
    with ExitStack() as leaving:

        def come(name: str) -> UserPage:
            context = leaving.enter_context(chromium.new_context())
            return UserPage(context.new_page(), network, name, home=host.url.removesuffix("/"))

        yield come


@pytest.fixture(scope="module")
def visitors(visit: Visit) -> list[UserPage]:
    """Two people with the page open, in the same room."""
    people = [visit(name) for name in ("Ada", "Ben")]
    for person in people:
        person.begin_to_open("on-aws")
    for person in people:
        person.wait_until_started()
        person.join()
    return people


@pytest.fixture
def ada(visitors: list[UserPage]) -> UserPage:
    return visitors[0]


@pytest.fixture
def ben(visitors: list[UserPage]) -> UserPage:
    return visitors[1]


@pytest.fixture(autouse=True)
def nothing_went_wrong(visitors: list[UserPage]) -> Iterator[None]:
    """Fail a test in which a page logs errors or breaks its policy."""
    yield
    assert [problem for person in visitors for problem in person.watch.problems] == []


@pytest.fixture
def say(ada: UserPage, ben: UserPage) -> Callable[..., None]:
    """A function that sends texts and waits until both screens show them once."""

    def say_and_see(speaker: UserPage, *texts: str) -> None:
        before = ada.texts
        speaker.say(*texts)
        for person in (ada, ben):
            person.wait_for_texts(*before, *texts)

    return say_and_see


def test_people_talk_and_their_urls_hold_nothing_but_used_tickets(ada, ben, say, deployed):
    say(ada, "Hello, Ben")
    say(ben, "Hello, Ada", "絆 holds")
    eventually(
        lambda: (
            {message.state for person in (ada, ben) for message in person.messages} == {"sent", "received"}
        )
    )
    assert [m.message_id for m in ada.messages] == [m.message_id for m in ben.messages]
    (ticket,) = parse_qs(urlsplit(ada.watch.sockets_opened[-1]).query)["token"]
    assert "." not in ticket
    assert deployed.ask_for_ticket(ticket)[0] == 401


@pytest.mark.deep
def test_who_dropped_comes_back_and_misses_nothing(ada, ben, network):
    before = ada.texts
    for person in (ada, ben):
        person.watch.allow_network_trouble()
    with network.down():
        ada.wait_for_status("waiting", "connecting")
        ada.say("said while nothing worked")
    for person in (ada, ben):
        person.wait_until_in()
        person.wait_for_texts(*before, "said while nothing worked")


@pytest.mark.deep
def test_a_page_that_vanished_is_cleaned_up_and_everybody_else_is_not(ada, ben, say, visit, deployed):
    def the_one_that_works(name: str) -> str | None:
        theirs = [member.connection_id for member in deployed.present("on-aws") if member.name == name]
        working = [connection_id for connection_id in theirs if deployed.knows(connection_id)]
        return working[0] if len(working) == 1 else None

    carol = visit("Carol")
    carol.open("on-aws")
    carol.join()
    with deployed.without_disconnects():
        # On a busy machine a page may just have changed its connection: meant is the only one that works.
        vanishing = eventually(lambda: the_one_that_works("Carol"))
        carol.page.context.close()
        eventually(lambda: not deployed.knows(vanishing))
        assert deployed.raw(f"CONNECTION#{vanishing}", "METADATA") is not None
        say(ada, "Is Carol still there?")
        eventually(lambda: deployed.raw("ROOM#on-aws", f"CONNECTION#{vanishing}") is None)
        assert deployed.raw(f"CONNECTION#{vanishing}", "METADATA") is None
        assert {member.name for member in deployed.present("on-aws")} == {"Ada", "Ben"}
    for person in (ada, ben):
        person.wait_until_in()


def test_a_record_that_expired_is_as_if_it_were_not_there(ada, say, deployed):
    deployed.record("ghost=", "on-aws", "active", 1)
    assert deployed.raw("ROOM#on-aws", "CONNECTION#ghost=") is not None
    say(ada, "Nobody haunts this room")
    assert "ghost=" not in {member.connection_id for member in deployed.present("on-aws")}


def test_a_right_that_a_function_lacks_is_missed(deployed):
    token = deployed.token("Ann")
    with deployed.without_rights("TicketFunction", "dynamodb:PutItem"):
        assert deployed.ask_for_ticket(token)[0] >= 500
    with deployed.without_rights("ConnectFunction", "dynamodb:PutItem"):
        assert deployed.knock(token) == 403
    assert deployed.knock(token) == 101
