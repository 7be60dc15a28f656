"""A name, a secret, and tokens that nobody else gets to see."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from chat.admission import Answer, Endpoints, Intercepted, TokenUnavailable
from chat.identity import FORGOTTEN_KEY, Identity
from chat.protocol import InvalidField
from kizuna.errors import TryLater
from kizuna.testing import VirtualClock
from tests.chat.session_harness import MemorySettings


class Server:
    """Responsible for giving everybody a token and a ticket, and for remembering who asked. The endpoint that is
    ``held_up`` tells that somebody came, and answers when it may go on."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []  #: for tokens
        self.shown: list[str] = []  #: for tickets
        self.held_up = ""
        self.status = 200
        self.retry_after: float | None = None
        self.has_come = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        if url.endswith("/token"):
            self.asked.append(body)
            token = {"token": f"t.{len(self.asked)}", "userId": f"id-of-{body['name']}", "expiresIn": 60}
            return await self._answer(url, token)
        self.shown.append(body["token"])
        return await self._answer(url, {"ticket": f"ticket-{len(self.shown)}", "expiresIn": 30})

    async def _answer(self, url: str, answer: Mapping[str, Any]) -> Answer:
        if url == self.held_up:
            self.has_come.set()
            await self.go_on.wait()
        return self.status, answer if self.status == 200 else None, self.retry_after


def identity(
    server: Server,
    settings: MemorySettings | None = None,
    tab: MemorySettings | None = None,
    token_url: str = "/token",
) -> Identity:
    secrets = iter(f"secret-{number}" for number in range(100))
    return Identity(
        settings if settings is not None else MemorySettings(),
        Endpoints(server, token_url, "/ticket", VirtualClock().now),
        lambda: next(secrets),
        tab,
    )


async def test_a_token_is_asked_for_with_the_name_and_its_secret() -> None:
    server = Server()
    person = identity(server)
    person.join("Mika")
    assert await person.get_token() == "ticket-1"
    assert server.asked == [{"name": "Mika", "clientSecret": "secret-0"}]
    assert person.user_id == "id-of-Mika"


async def test_every_renewal_is_the_same_person_also_after_a_reload() -> None:
    server, settings = Server(), MemorySettings()
    first = identity(server, settings)
    first.join("Mika")
    await first.get_token()
    await first.get_token()
    again = identity(server, settings)
    assert again.remembered_name == "Mika"
    assert again.user_id is None
    again.join("Mika")
    assert again.user_id == "id-of-Mika"
    await again.get_token()
    assert [body["clientSecret"] for body in server.asked] == ["secret-0"] * 2


async def test_another_name_gets_a_token_of_its_own() -> None:
    server = Server()
    person = identity(server)
    for name in ("Mika", "Ren", "Mika"):
        person.join(name)
        await person.get_token()
        await person.get_token()
        assert person.user_id == f"id-of-{name}"
    assert [body["name"] for body in server.asked] == ["Mika", "Ren", "Mika"]
    assert server.shown == [f"t.{number}" for number in (1, 1, 2, 2, 3, 3)]


async def test_who_leaves_forgets_the_token() -> None:
    server = Server()
    person = identity(server)
    person.join("Mika")
    await person.get_token()
    person.leave()
    await person.get_token()
    assert server.shown == ["t.1", "t.2"]


async def test_the_problem_of_a_token_is_known_until_one_comes() -> None:
    server = Server()
    person = identity(server)
    person.join("Mika")
    server.status = 403
    with pytest.raises(Intercepted):
        await person.get_token()
    assert person.problem == "intercepted"
    server.status = 500
    with pytest.raises(TokenUnavailable):
        await person.get_token()
    assert person.problem is None
    server.status, server.retry_after = 503, 20.0
    with pytest.raises(TryLater):
        await person.get_token()
    assert person.problem == "busy"
    server.status = 200
    await person.get_token()
    assert person.problem is None


@pytest.mark.parametrize("endpoint", ["/token", "/ticket"])
async def test_a_token_requested_before_another_person_joined_is_rejected(endpoint: str) -> None:
    server = Server()
    server.held_up = endpoint
    person = identity(server)
    person.join("Mika")
    late = asyncio.create_task(person.get_token())
    await server.has_come.wait()
    person.leave()
    person.join("Ren")
    server.held_up = ""
    server.go_on.set()
    with pytest.raises(TokenUnavailable, match="left meanwhile"):  # else Ren's link would be Mika's
        await late
    assert person.user_id is None
    await person.get_token()
    assert person.user_id == "id-of-Ren"
    assert server.shown == ["t.1", "t.2"]
    assert [body["name"] for body in server.asked] == ["Mika", "Ren"]


def test_each_name_has_its_own_secret_and_gets_it_back() -> None:
    settings = MemorySettings()
    person = identity(Server(), settings)
    person.join("Mika")
    person.join("Ren")
    person.join("Mika")
    secrets = {key.rpartition(".")[2]: value for key, value in settings.items() if "secret" in key}
    assert secrets == {"Mika": "secret-0", "Ren": "secret-1"}


async def test_no_server_is_shown_a_secret_that_was_made_for_another() -> None:
    here, there, settings = Server(), Server(), MemorySettings()
    people = [identity(here, settings), identity(there, settings, token_url="https://there.example/token")]
    for person in people:
        person.join("Mika")
        await person.get_token()
    assert people[0].person_key != people[1].person_key
    assert len([key for key in settings if "secret" in key]) == 2


def test_leaving_is_remembered_until_entering_again() -> None:
    person = identity(Server())
    person.join("Mika")
    assert not person.has_left
    person.leave()
    assert person.has_left
    person.join("Mika")
    assert not person.has_left


def test_a_name_that_cannot_be_shown_is_refused() -> None:
    with pytest.raises(InvalidField, match="name"):
        identity(Server()).join("\u202e")


def test_a_remembered_name_that_no_rule_accepts_is_told_but_not_entered() -> None:
    person = identity(Server(), MemorySettings({"kizuna.name": "x" * 500}))
    assert person.remembered_name == "x" * 500
    with pytest.raises(InvalidField):
        person.join(person.remembered_name)
    assert person.name is None


def test_an_empty_remembered_name_is_none() -> None:
    assert identity(Server(), MemorySettings({"kizuna.name": ""})).remembered_name is None


def test_each_tab_remembers_its_own_person_and_a_new_one_the_last() -> None:
    settings, tab = MemorySettings(), MemorySettings()

    identity(Server(), settings, tab).join("Mika")
    identity(Server(), settings, MemorySettings()).join("Ren")
    assert identity(Server(), settings, tab).remembered_name == "Mika"
    assert identity(Server(), settings, MemorySettings()).remembered_name == "Ren"


def test_who_left_is_known_in_storage_and_others_have_not_left() -> None:
    settings = MemorySettings()
    person = identity(Server(), settings)
    assert person.left_person_key is None
    person.join("Mika")
    name_in_storage = person.person_key
    person.leave()
    assert identity(Server(), settings).left_person_key == name_in_storage
    person.join("Ren")
    assert not person.has_left
    assert person.left_person_key is None


def test_the_name_in_storage_tells_neither_name_nor_secret() -> None:
    person = identity(Server())
    person.join("Mika")
    assert "Mika" not in person.person_key
    assert "secret" not in person.person_key


async def test_a_renamed_person_is_the_same_user_with_the_new_name() -> None:
    server, settings = Server(), MemorySettings()
    person = identity(server, settings)
    person.join("Mika")
    key = person.person_key
    await person.get_token()
    assert person.rename(" Mika-2 ") == "Mika-2"
    await person.get_token()
    assert [asked["name"] for asked in server.asked] == ["Mika", "Mika-2"]
    assert len({asked["clientSecret"] for asked in server.asked}) == 1
    assert person.person_key == key
    again = identity(server, settings)
    assert again.remembered_name == "Mika-2"
    again.join("Mika-2")
    assert again.person_key == key
    assert again.rename("Mika") == "Mika", "the name that one had before is one's own"


def test_nobody_gets_the_name_of_another_person_of_this_browser() -> None:
    settings = MemorySettings()
    person = identity(Server(), settings)
    person.join("Ren")
    person.join("Mika")
    with pytest.raises(InvalidField) as refused:
        person.rename("Ren")
    assert refused.value.reason == "taken"
    with pytest.raises(InvalidField):
        person.rename("\u202e")
    assert (person.name, person.remembered_name) == ("Mika", "Mika")


async def test_of_who_is_forgotten_nothing_is_stored_but_a_mark() -> None:
    settings, tab = MemorySettings(), MemorySettings()
    person = identity(Server(), settings, tab)
    person.join("Mika")
    await person.get_token()
    key = person.person_key
    assert not person.is_forgotten
    person.forget()
    assert person.is_forgotten
    assert person.has_left
    assert settings == {FORGOTTEN_KEY: key}
    assert tab == {}
    assert identity(Server(), settings, tab).remembered_name is None
    again = Identity(
        settings, Endpoints(Server(), "/token", "/ticket", VirtualClock().now), lambda: "another secret"
    )
    again.join("Mika")
    assert not again.is_forgotten
    assert again.person_key != key


def test_forgetting_one_person_leaves_the_others_of_the_browser() -> None:
    settings = MemorySettings()
    person = identity(Server(), settings)
    person.join("Ren")
    key = person.person_key
    person.join("Mika")
    person.forget()
    other = identity(Server(), settings)
    other.join("Ren")
    assert other.person_key == key
    assert not other.has_left
