"""A name, a secret, and tokens that nobody else gets to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chat.identity import Identity, TokenUnavailable
from chat.protocol import InvalidField
from kizuna.errors import Unauthorized
from tests.chat.stage import MemorySettings


class Endpoint:
    """Responsible for answering as the test wishes, and for remembering what was asked."""

    def __init__(self, status: int = 200, answer: Any = None) -> None:
        self.status = status
        self.answer = answer if answer is not None else {"token": "t", "userId": "u", "expiresIn": 60}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def __call__(self, url: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        self.asked.append((url, body))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.status, self.answer


def identity(endpoint: Endpoint, settings: MemorySettings | None = None) -> Identity:
    secrets = iter(f"secret-{number}" for number in range(100))
    return Identity(
        settings if settings is not None else MemorySettings(), endpoint, "/token", lambda: next(secrets)
    )


async def test_a_token_is_asked_for_with_the_name_and_its_secret() -> None:
    endpoint = Endpoint()
    person = identity(endpoint)
    person.enter("Mika")
    assert await person.get_token() == "t"
    assert endpoint.asked == [("/token", {"name": "Mika", "clientSecret": "secret-0"})]
    assert person.user_id == "u"


async def test_every_renewal_is_the_same_person_also_after_a_reload() -> None:
    endpoint, settings = Endpoint(), MemorySettings()
    first = identity(endpoint, settings)
    first.enter("Mika")
    await first.get_token()
    await first.get_token()
    again = identity(endpoint, settings)
    assert again.remembered_name == "Mika"
    again.enter("Mika")
    await again.get_token()
    assert len({body["clientSecret"] for _, body in endpoint.asked}) == 1


def test_each_name_has_its_own_secret_and_gets_it_back() -> None:
    settings = MemorySettings()
    person = identity(Endpoint(), settings)
    person.enter("Mika")
    person.enter("Ren")
    person.enter("Mika")
    assert settings["kizuna.secret.Mika"] == "secret-0"
    assert settings["kizuna.secret.Ren"] == "secret-1"


def test_leaving_is_remembered_until_entering_again() -> None:
    person = identity(Endpoint())
    person.enter("Mika")
    assert not person.has_left
    person.leave()
    assert person.has_left
    person.enter("Mika")
    assert not person.has_left


def test_a_name_that_cannot_be_shown_is_refused() -> None:
    with pytest.raises(InvalidField, match="name"):
        identity(Endpoint()).enter("\u202e")


def test_a_remembered_name_that_was_tampered_with_is_none() -> None:
    settings = MemorySettings({"kizuna.name": "x" * 500})
    assert identity(Endpoint(), settings).remembered_name is None


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_person_is_unauthorized(status: int) -> None:
    person = identity(Endpoint(status, {"error": "no"}))
    person.enter("Mika")
    with pytest.raises(Unauthorized):
        await person.get_token()


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint(500, {"error": "broken"}),
        Endpoint(200, {"no": "token"}),
        Endpoint(200, ["token"]),
    ],
)
async def test_an_endpoint_that_gives_none_may_be_asked_again(endpoint: Endpoint) -> None:
    person = identity(endpoint)
    person.enter("Mika")
    with pytest.raises(TokenUnavailable) as caught:
        await person.get_token()
    assert "secret-" not in str(caught.value)


async def test_an_endpoint_that_cannot_be_reached_says_so_in_its_own_words() -> None:
    person = identity(Endpoint(answer=OSError("refused")))
    person.enter("Mika")
    with pytest.raises(OSError, match="refused"):
        await person.get_token()


def test_each_tab_remembers_its_own_person_and_a_new_one_the_last() -> None:
    settings, tab = MemorySettings(), MemorySettings()

    def page(tab: MemorySettings) -> Identity:
        return Identity(settings, Endpoint(), "/token", lambda: "secret", tab)

    page(tab).enter("Mika")
    page(MemorySettings()).enter("Ren")
    assert page(tab).remembered_name == "Mika"
    assert page(MemorySettings()).remembered_name == "Ren"


def test_who_left_is_known_in_storage_and_others_have_not_left() -> None:
    settings = MemorySettings()
    person = identity(Endpoint(), settings)
    assert person.person_who_left is None
    person.enter("Mika")
    name_in_storage = person.person
    person.leave()
    assert identity(Endpoint(), settings).person_who_left == name_in_storage
    person.enter("Ren")
    assert not person.has_left
    assert person.person_who_left is None


def test_the_name_in_storage_tells_neither_name_nor_secret() -> None:
    person = identity(Endpoint())
    person.enter("Mika")
    assert "Mika" not in person.person
    assert "secret" not in person.person
