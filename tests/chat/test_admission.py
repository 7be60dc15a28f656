"""A token that is kept while it is young, and a ticket for every attempt: what stands in a URL is good only once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from chat.admission import (
    Admission,
    Answer,
    Banned,
    Endpoints,
    Intercepted,
    NameRefused,
    OriginForbidden,
    Token,
    TokenUnavailable,
)
from kizuna.core.timing import rollover_due_in
from kizuna.errors import KizunaError, TryLater, Unauthorized
from kizuna.platform import Instant
from kizuna.testing import VirtualClock
from kizuna.wire import Numbers

TOKEN_URL, TICKET_URL = "https://id.example/token", "https://chat.example/ticket"
LIFETIME = 3600

#: How a server of this project refuses, since its first version.
NOT_GOOD = {"code": "unauthorized", "field": None, "message": "token refused: expired"}
NOT_HERE = {
    "code": "forbidden_origin",
    "field": None,
    "message": "pages of this origin may not use this server",
}

BANNED = {"code": "forbidden", "field": None, "message": "you were banned", "reason": "banned"}


class FakeEndpoints:
    """Both endpoints: tokens and tickets are numbered, unless the test sets the next answers."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.tokens_asked: list[Mapping[str, Any]] = []
        self.shown: list[str] = []  #: the tokens for which a ticket was asked
        self.authorizations: list[str | None] = []  #: the header, each time
        self.lifetime: Any = LIFETIME
        self.next_tokens: list[Answer | Exception] = []
        self.next_tickets: list[Answer | Exception] = []
        self.before_answering: Callable[[str], Awaitable[None]] | None = None

    async def __call__(self, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        if url == TOKEN_URL:
            assert headers == {}
            self.tokens_asked.append(body)
            number = len(self.tokens_asked)
            answer: Answer = (200, {"token": f"t.{number}", "userId": "u", "expiresIn": self.lifetime}, None)
            return await self._answer(url, answer, self.next_tokens)
        assert url == TICKET_URL
        assert body.keys() == {"token"}
        self.shown.append(body["token"])
        self.authorizations.append(headers.get("Authorization"))
        answer = (200, {"ticket": f"ticket-{len(self.shown)}", "expiresIn": 30}, None)
        return await self._answer(url, answer, self.next_tickets)

    async def _answer(self, url: str, usual: Answer, planned: list[Answer | Exception]) -> Answer:
        answer = planned.pop(0) if planned else usual
        if self.before_answering is not None:
            await self.before_answering(url)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def endpoints() -> FakeEndpoints:
    return FakeEndpoints()


@pytest.fixture
def ann(endpoints: FakeEndpoints) -> Admission:
    return Admission(Endpoints(endpoints, TOKEN_URL, TICKET_URL, endpoints.clock.now), "Ann", "the secret")


async def test_a_ticket_is_got_for_the_token_which_goes_to_nobody_else(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    assert await ann.fetch_credential() == ("ticket-1", "u")
    assert endpoints.tokens_asked == [{"name": "Ann", "clientSecret": "the secret"}]
    assert endpoints.shown == ["t.1"]


@pytest.mark.parametrize(
    ("page_url", "authorization"),
    [
        ("https://chat.example/", None),
        ("https://chat.example/a/page?x#/room", None),
        ("https://pages.example/", "Bearer t.1"),
        ("http://chat.example/", "Bearer t.1"),
    ],
)
async def test_the_authorization_header_is_left_to_a_gate_of_the_own_origin(
    endpoints: FakeEndpoints, page_url: str, authorization: str | None
) -> None:
    """HTTP Basic before everything needs that header for itself; ticket servers elsewhere expect the token there."""
    ann = Admission(
        Endpoints(endpoints, TOKEN_URL, TICKET_URL, endpoints.clock.now, page_url), "Ann", "the secret"
    )
    await ann.fetch_credential()
    assert (endpoints.shown, endpoints.authorizations) == (["t.1"], [authorization])


async def test_an_earlier_server_gets_the_token_in_the_header_too(endpoints: FakeEndpoints) -> None:
    page_url = TICKET_URL.removesuffix("ticket")
    ann = Admission(
        Endpoints(endpoints, TOKEN_URL, TICKET_URL, endpoints.clock.now, page_url), "Ann", "the secret"
    )
    endpoints.next_tickets = [(401, {"code": "unauthorized", "message": "no token"}, None)]
    assert await ann.fetch_credential() == ("ticket-2", "u")
    assert endpoints.authorizations == [None, "Bearer t.1"]


async def test_each_attempt_gets_a_new_ticket_and_reuses_a_young_token(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    assert [await ann.fetch_credential() for _ in range(3)] == [
        ("ticket-1", "u"),
        ("ticket-2", "u"),
        ("ticket-3", "u"),
    ]
    assert endpoints.shown == ["t.1"] * 3


async def test_without_tickets_the_token_itself_is_given_and_never_twice(endpoints: FakeEndpoints) -> None:
    ann = Admission(Endpoints(endpoints, TOKEN_URL, None, endpoints.clock.now), "Ann", "the secret")
    assert [await ann.fetch_credential(), await ann.fetch_credential()] == [("t.1", "u"), ("t.2", "u")]
    assert endpoints.shown == []


# --- how long a token is used ---


async def test_a_token_is_used_until_half_of_its_life_is_left(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.clock.move_to(endpoints.clock.now().monotonic + LIFETIME / 2 - 1)
    await ann.fetch_credential()
    endpoints.clock.move_to(endpoints.clock.now().monotonic + 1)
    await ann.fetch_credential()
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.1", "t.2", "t.2"]


async def test_a_lifetime_begins_at_the_request_for_the_token(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    async def slowly(url: str) -> None:
        if url == TOKEN_URL:
            endpoints.clock.move_to(endpoints.clock.now().monotonic + LIFETIME / 2)

    endpoints.before_answering = slowly
    await ann.fetch_credential()
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.2"]


async def test_what_the_machine_slept_counts_though_the_monotonic_clock_stood_still(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.clock.sleep(LIFETIME / 2)
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.2"]


async def test_a_wall_clock_that_is_set_back_makes_no_token_younger(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.clock.sleep(-LIFETIME)
    endpoints.clock.move_to(endpoints.clock.now().monotonic + LIFETIME / 2)
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.2"]


@pytest.mark.parametrize("lifetime", [None, 0, -5, True, "3600", [3600], float("nan"), float("inf")])
async def test_a_token_whose_life_nobody_knows_is_used_once(
    endpoints: FakeEndpoints, ann: Admission, lifetime: Any
) -> None:
    endpoints.lifetime = lifetime
    await ann.fetch_credential()
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.2"]


async def test_a_life_of_any_number_of_seconds_is_understood(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    endpoints.lifetime = 2**53 - 1
    await ann.fetch_credential()
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1"] * 2


@pytest.mark.parametrize("lifetime", [1, 12, 60, 600, 3600, 86_400])
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_a_renewal_by_rollover_always_gets_a_new_token(lifetime: int, chance: float) -> None:
    token = Token("t", "u", Instant(0, 0), lifetime)
    for used_at in (0.0, lifetime * 0.25, lifetime * 0.499):
        assert token.is_reusable(Instant(used_at, used_at))
        due = rollover_due_in(Numbers(), lifetime - used_at, lambda: chance)
        assert due is not None
        assert not token.is_reusable(Instant(used_at + due, used_at + due))


# --- a token that is refused ---


async def test_a_refused_token_is_dropped_and_a_new_one_tried_once(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.next_tickets = [(401, NOT_GOOD, None)]
    assert await ann.fetch_credential() == ("ticket-3", "u")
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.1", "t.2", "t.2"]


async def test_a_refused_new_token_is_dropped_and_the_next_may_succeed(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    """Servers learn of a new signing key one after the other."""
    endpoints.next_tickets = [(401, NOT_GOOD, None)]
    with pytest.raises(TokenUnavailable):
        await ann.fetch_credential()
    assert endpoints.shown == ["t.1"]
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.2"]


async def test_a_page_that_may_not_come_in_does_not_try_again(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    endpoints.next_tickets = [(403, NOT_HERE, None)]
    with pytest.raises(OriginForbidden):
        await ann.fetch_credential()
    assert endpoints.shown == ["t.1"]


async def test_who_was_banned_while_the_token_was_kept_does_not_try_again(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.next_tickets = [(403, BANNED, None)]
    with pytest.raises(Banned):
        await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.1"]


async def test_the_kept_and_the_new_token_refused_is_enough_for_one_attempt(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.next_tickets = [(401, NOT_GOOD, None), (401, NOT_GOOD, None)]
    with pytest.raises(TokenUnavailable):
        await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.1", "t.2"]


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (401, NOT_GOOD, Unauthorized),
        (403, {"code": "forbidden"}, Unauthorized),
        (403, NOT_HERE, OriginForbidden),
        (403, BANNED, Banned),
    ],
)
async def test_a_person_whom_the_token_endpoint_refuses_is_unauthorized(
    endpoints: FakeEndpoints, ann: Admission, status: int, answer: Any, error: type[Unauthorized]
) -> None:
    endpoints.next_tokens = [(status, answer, None)]
    with pytest.raises(error) as caught:
        await ann.fetch_credential()
    assert type(caught.value) is error
    assert endpoints.shown == []


# --- what answers in the server's place ---


#: A firewall's page, a gateway's JSON, other people's codes.
WORDS: list[Any] = [
    None,
    [],
    {},
    {"message": "Forbidden"},
    {"error": "access_denied"},
    {"code": 1020},
    {"code": ["unauthorized"]},
    {"code": "BLOCKED", "message": "no"},
]
#: And a redirect to a sign-in page, or that page itself.
OF_OTHERS: list[Answer] = [
    *((status, words, None) for status in (401, 403) for words in WORDS),
    (0, None, None),
    (511, None, None),
    (200, None, None),
    (203, None, None),
]


@pytest.mark.parametrize("answer", OF_OTHERS)
async def test_what_answers_in_the_servers_place_costs_one_attempt(
    endpoints: FakeEndpoints, ann: Admission, answer: Answer
) -> None:
    endpoints.next_tokens = [answer]
    with pytest.raises(Intercepted):
        await ann.fetch_credential()
    endpoints.next_tickets = [answer]
    with pytest.raises(Intercepted):
        await ann.fetch_credential()
    assert (await ann.fetch_credential())[1] == "u"


async def test_a_foreign_ticket_servers_refusal_forgets_the_token(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.next_tickets = [(401, {"message": "The incoming token has expired"}, None)]
    with pytest.raises(Intercepted):
        await ann.fetch_credential()
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1", "t.1", "t.2"]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_endpoint_that_names_a_time_is_left_alone_so_long(
    endpoints: FakeEndpoints, ann: Admission, status: int
) -> None:
    for planned in (endpoints.next_tokens, endpoints.next_tickets):
        planned.append((status, {"code": "busy"}, 20.0))
        with pytest.raises(TryLater) as caught:
            await ann.fetch_credential()
        assert caught.value.retry_after == 20.0
    endpoints.next_tickets = [(500, None, 20.0)]
    with pytest.raises(TokenUnavailable):
        await ann.fetch_credential()


async def test_a_name_the_token_endpoint_does_not_take_is_refused_for_good(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    endpoints.next_tokens = [
        (400, {"code": "invalid_field", "field": "name", "message": "name: must …"}, None)
    ]
    with pytest.raises(NameRefused) as refused:
        await ann.fetch_credential()
    assert isinstance(refused.value, Unauthorized)  # which ends the attempts


# --- endpoints in trouble ---


NO_TICKETS: list[Answer] = [
    (500, {"ticket": "ticket"}, None),
    (503, None, None),
    (429, {"message": "Too Many Requests"}, None),
    (404, None, None),
    (200, ["ticket"], None),
    (200, {"ticket": 5}, None),
    (200, {"ticket": ""}, None),
]
NO_TOKENS: list[Answer] = [
    (500, {"error": "broken"}, None),
    (200, ["token"], None),
    (200, {"no": "token"}, None),
    (200, {"token": "", "userId": "u"}, None),
    (200, {"token": "t.1", "userId": 5}, None),
    (200, {"token": "t.1"}, None),
    (400, None, None),
    (400, ["name"], None),
    (400, {"code": "invalid_field", "field": "clientSecret"}, None),
    (400, {"code": "malformed_body", "field": None}, None),
    (502, {"code": "invalid_field", "field": "name"}, None),
]


@pytest.mark.parametrize("answer", NO_TICKETS)
async def test_no_ticket_for_now_costs_the_attempt_and_not_the_token(
    endpoints: FakeEndpoints, ann: Admission, answer: Answer
) -> None:
    endpoints.next_tickets = [answer]
    with pytest.raises(TokenUnavailable, match=f"ticket endpoint answered {answer[0]}"):
        await ann.fetch_credential()
    await ann.fetch_credential()
    assert endpoints.shown == ["t.1"] * 2


@pytest.mark.parametrize("answer", NO_TOKENS)
async def test_no_token_for_now_costs_the_attempt(
    endpoints: FakeEndpoints, ann: Admission, answer: Answer
) -> None:
    endpoints.next_tokens = [answer]
    with pytest.raises(TokenUnavailable, match="token endpoint"):
        await ann.fetch_credential()
    assert endpoints.shown == []
    await ann.fetch_credential()


async def test_an_endpoint_that_cannot_be_reached_says_so_in_its_own_words(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    endpoints.next_tokens = [OSError("refused")]
    with pytest.raises(OSError, match="refused"):
        await ann.fetch_credential()
    endpoints.next_tickets = [OSError("unreachable")]
    with pytest.raises(OSError, match="unreachable"):
        await ann.fetch_credential()
    await ann.fetch_credential()
    assert endpoints.shown == ["t.2"] * 2


@pytest.mark.parametrize("token", ["a\r\nb", "a\x00", "schlüssel", "\ud800"])
async def test_a_token_that_is_invalid_in_a_header_is_not_sent(
    endpoints: FakeEndpoints, ann: Admission, token: str
) -> None:
    """The browser's own error would contain the token."""
    endpoints.next_tokens = [(200, {"token": token, "userId": "u", "expiresIn": LIFETIME}, None)]
    with pytest.raises(TokenUnavailable, match="invalid in a header") as caught:
        await ann.fetch_credential()
    assert token not in str(caught.value)
    assert endpoints.shown == []


async def test_errors_and_logs_contain_no_secret_token_or_ticket(
    endpoints: FakeEndpoints, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []

    async def fail() -> None:
        newcomer = Admission(
            Endpoints(endpoints, TOKEN_URL, TICKET_URL, endpoints.clock.now), "Ann", "the secret"
        )
        with pytest.raises(KizunaError) as caught:
            await newcomer.fetch_credential()
        said.append(repr(caught.value) + str(caught.value))

    mirror = {"token": "t.secret", "ticket": "ticket-secret", "clientSecret": "the secret"}
    for endpoint in (endpoints.next_tokens, endpoints.next_tickets):
        for status in (400, 401, 403, 500):
            endpoint.append((status, mirror, None))
            await fail()
    endpoints.next_tokens = [(200, {**mirror, "userId": "t.secret" * 100}, None)]
    await fail()
    said += [caplog.text, repr(Token("t.secret", "u", endpoints.clock.now(), None))]
    assert len(said) == 11
    for secret in ("secret", "t.1", "t.2", "Bearer"):
        assert secret not in "".join(said)


# --- several at once ---


class Rendezvous:
    """Holds two requests to one endpoint until both are there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting = 0
        self._met = asyncio.Event()

    async def __call__(self, url: str) -> None:
        """Wait for the other request."""
        if url != self._url:
            return
        self._waiting += 1
        if self._waiting == 2:
            self._met.set()
        await self._met.wait()


async def test_a_link_and_its_candidate_each_get_a_ticket(endpoints: FakeEndpoints, ann: Admission) -> None:
    endpoints.before_answering = Rendezvous(TOKEN_URL)
    first, second = await asyncio.gather(ann.fetch_credential(), ann.fetch_credential())
    assert {first[0], second[0]} == {"ticket-1", "ticket-2"}
    assert len(endpoints.tokens_asked) == 2
    await ann.fetch_credential()
    assert endpoints.shown[2] in endpoints.shown[:2]


async def test_two_attempts_refused_with_one_token_both_get_new_ones(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    endpoints.before_answering = Rendezvous(TICKET_URL)
    endpoints.next_tickets = [(401, NOT_GOOD, None), (401, NOT_GOOD, None)]
    first, second = await asyncio.gather(ann.fetch_credential(), ann.fetch_credential())
    assert first[0] != second[0]
    assert endpoints.shown[:3] == ["t.1"] * 3
    assert sorted(endpoints.shown[3:]) == ["t.2", "t.3"]


async def test_a_late_refusal_of_an_old_token_keeps_the_newer_one(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    await ann.fetch_credential()
    arrived, answered = asyncio.Event(), asyncio.Event()

    async def hold_the_first(url: str) -> None:
        if not arrived.is_set():
            arrived.set()
            await answered.wait()

    endpoints.before_answering = hold_the_first
    endpoints.next_tickets = [(401, NOT_GOOD, None), (401, NOT_GOOD, None)]
    late = asyncio.create_task(ann.fetch_credential())
    await arrived.wait()
    await ann.fetch_credential()  # is refused as well, and keeps t.2
    endpoints.next_tokens = [OSError("refused")]
    answered.set()
    with pytest.raises(OSError, match="refused"):  # for itself it may ask for a new token, and fail
        await late
    await ann.fetch_credential()
    assert endpoints.shown[-1] == "t.2"


async def test_who_gives_up_in_the_middle_leaves_nothing_behind_that_stops_others(
    endpoints: FakeEndpoints, ann: Admission
) -> None:
    never = asyncio.Event()
    endpoints.before_answering = lambda url: never.wait()  # type: ignore[assignment, return-value]
    for _ in range(2):
        asking = asyncio.create_task(ann.fetch_credential())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    endpoints.before_answering = None
    assert (await ann.fetch_credential())[1] == "u"
