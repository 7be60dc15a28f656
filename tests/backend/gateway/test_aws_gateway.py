"""The gateway on AWS against a management API on loopback: URLs, errors, retries."""

import logging
import socket
import threading
from collections import Counter

import pytest
from botocore.exceptions import ConnectTimeoutError  # type: ignore[import-untyped]

from backend.auth.tokens import Identity
from backend.gateway.aws import ATTEMPTS, BROADCAST_SECONDS, AwsGateway, management_client
from backend.gateway.base import Delivery
from backend.messaging.connections import Connections
from backend.messaging.handlers import Backend
from backend.store.base import Store
from backend.store.retry import Retry
from backend.store.sqlite import SqliteStore
from tests.backend.aws.aws_account import nobodys_account
from tests.backend.aws.management import Answer, Management, Request
from tests.backend.fakes import START, FakeClock, Ids, event
from tests.support.process import PATIENCE

DELIVERED, GONE, FAILED = Delivery.DELIVERED, Delivery.GONE, Delivery.FAILED
ID = "BFaT_fALIAMCKug="


class ManagementStage:
    """A management API with chosen answers, and a gateway in front of it."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer | None]] = {}
        self.api = Management(self._answer)
        self.slept: list[float] = []
        self.gateway = AwsGateway(self.api.client, sleep=self.slept.append, random=lambda: 0.5)

    def answering(self, *answers: Answer | None, to: str = ID) -> None:
        """Let requests about one connection get these answers, the last of them for ever."""
        self.answers[to] = list(answers)

    def post(self, connection_id: str = ID) -> Delivery:
        """Post to one connection."""
        return self.gateway.post_many([connection_id], "{}")[connection_id]

    def asked(self, connection_id: str = ID) -> int:
        """Return the number of requests about a connection."""
        return sum(request.connection_id == connection_id for request in self.api.requests)

    def close(self) -> None:
        """End it."""
        self.gateway.shut_down()

    def _answer(self, request: Request) -> Answer | None:
        answers = self.answers.get(request.connection_id, [Answer(200)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def management():
    with nobodys_account():
        made = ManagementStage()
    yield made
    made.close()


def test_a_post_is_signed_and_names_the_connection_percent_encoded(management):
    assert management.gateway.post_many([ID], '{"text":"絆"}') == {ID: DELIVERED}
    (request,) = management.api.requests
    assert request.method == "POST"
    assert request.path == "/prod/@connections/BFaT_fALIAMCKug%3D"
    assert request.data == '{"text":"絆"}'.encode()
    assert request.signed


@pytest.mark.parametrize(
    ("answer", "delivery"),
    [
        (Answer(200), DELIVERED),
        (Answer(410, "GoneException"), GONE),
        (Answer(410), GONE),  # from what does not name its errors
        (Answer(400, "GoneException"), GONE),
        (Answer(413, "PayloadTooLargeException"), FAILED),
        (Answer(400, "BadRequestException"), FAILED),
        (Answer(403, "ForbiddenException"), FAILED),
    ],
)
def test_an_answer_that_settles_it_is_not_asked_for_again(management, answer, delivery):
    management.answering(answer)
    assert management.post() is delivery
    assert management.asked() == 1
    assert management.slept == []


@pytest.mark.parametrize(
    "answer", [Answer(429, "LimitExceededException"), Answer(500), Answer(503), Answer(504), None]
)
def test_trouble_that_may_pass_is_tried_again(management, answer):
    management.answering(answer, Answer(200))
    assert management.post() is DELIVERED
    assert management.asked() == 2


@pytest.mark.parametrize("answer", [Answer(429, "LimitExceededException"), Answer(500), None])
def test_lasting_trouble_fails_after_attempts_with_growing_pauses(management, answer):
    management.answering(answer)
    assert management.post() is FAILED
    assert management.asked() == ATTEMPTS == 3
    assert management.slept == [0.025, 0.05]


def test_who_goes_while_it_is_tried_again_is_gone(management):
    management.answering(Answer(500), Answer(410, "GoneException"))
    assert management.post() is GONE


@nobodys_account()
def test_an_endpoint_where_nobody_listens_has_failed():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = management_client(f"http://127.0.0.1:{unused.getsockname()[1]}/prod")
        gateway = AwsGateway(client, sleep=lambda seconds: None)
        assert gateway.post_many([ID], "{}") == {ID: FAILED}
        gateway.shut_down()


def test_unexpected_error_stops_no_other_post_and_logs_no_frame(caplog):
    class Broken:
        def post_to_connection(self, **request):
            if request["ConnectionId"] == "broken=":
                raise ValueError("broken")

        def delete_connection(self, **request):
            raise AssertionError("not asked for")

    gateway = AwsGateway(Broken())
    assert gateway.post_many(["a=", "broken=", "b="], "a secret") == {
        "a=": DELIVERED,
        "broken=": FAILED,
        "b=": DELIVERED,
    }
    gateway.shut_down()
    assert "broken=" in caplog.text
    assert "a secret" not in caplog.text


def test_a_missing_right_says_what_to_look_at(management, caplog):
    management.answering(Answer(403, "ForbiddenException"))
    management.post()
    management.gateway.close(ID)
    assert len(caplog.messages) == 2
    for line in caplog.messages:
        assert "check MANAGEMENT_ENDPOINT and the right execute-api:ManageConnections" in line


def test_a_connection_that_is_named_twice_is_posted_to_once(management):
    assert management.gateway.post_many([ID, ID], "{}") == {ID: DELIVERED}
    assert management.asked() == 1


def test_a_broadcast_into_silence_ends_before_lambda_ends_it():
    clock = FakeClock(0)

    class Silent:
        def __init__(self) -> None:
            self.asked = 0

        def post_to_connection(self, **request):
            self.asked += 1
            clock.advance(2)
            raise ConnectTimeoutError(endpoint_url="x")

        def delete_connection(self, **request):
            raise AssertionError("not asked for")

    api = Silent()
    gateway = AwsGateway(api, threads=1, sleep=lambda seconds: None, monotonic=clock)
    ids = [f"{number}=" for number in range(160)]
    assert gateway.post_many(ids, "{}") == dict.fromkeys(ids, FAILED)
    assert clock() == BROADCAST_SECONDS == 2 * api.asked
    gateway.shut_down()


def test_post_many_returns_each_result_after_all_posts(management):
    management.answering(Answer(410), to="gone=")
    management.answering(Answer(429), to="slow=")
    management.answering(Answer(403), to="strange=")
    management.answering(Answer(500), Answer(200), to="shaken=")
    fine = [f"fine-{number}=" for number in range(50)]
    results = management.gateway.post_many(["gone=", "slow=", *fine, "strange=", "shaken="], "{}")
    assert results == {
        "gone=": GONE,
        "slow=": FAILED,
        "strange=": FAILED,
        "shaken=": DELIVERED,
        **dict.fromkeys(fine, DELIVERED),
    }
    assert len(management.api.requests) == 1 + 3 + 50 + 1 + 2


def test_posts_wait_side_by_side_on_a_bounded_number_of_threads():
    together = threading.Barrier(4)
    inside, most, lock = 0, 0, threading.Lock()

    class Slow:
        def post_to_connection(self, **request):
            nonlocal inside, most
            with lock:
                inside += 1
                most = max(most, inside)
            together.wait(PATIENCE)  # breaks, and so fails the post, unless four are here at the same time
            with lock:
                inside -= 1

        def delete_connection(self, **request):
            raise AssertionError("not asked for")

    gateway = AwsGateway(Slow(), threads=4)
    ids = [f"{number}=" for number in range(12)]
    assert gateway.post_many(ids, "{}") == dict.fromkeys(ids, DELIVERED)
    assert most == 4
    gateway.shut_down()


def test_closing_deletes_the_connection(management):
    management.answering(Answer(204))
    management.gateway.close(ID)
    (request,) = management.api.requests
    assert (request.method, request.path) == ("DELETE", "/prod/@connections/BFaT_fALIAMCKug%3D")


@pytest.mark.parametrize("answer", [Answer(410, "GoneException"), Answer(410)])
def test_closing_what_is_gone_is_no_error(management, caplog, answer):
    management.answering(answer)
    management.gateway.close(ID)
    assert management.asked() == 1
    assert caplog.records == []


def test_failed_close_is_logged_and_raises_nothing(management, caplog):
    management.answering(Answer(500))
    management.gateway.close(ID)
    assert management.asked() == ATTEMPTS
    assert caplog.messages == [f"could not close connection {ID}: status 500"]


# --- a broadcast, end to end ---


def fill(store: Store, clock: FakeClock, ids: list[str]) -> None:
    """Let everybody be in room general."""
    connections = Connections(store, clock=clock)
    for connection_id in ids:
        connections.open(connection_id, Identity(f"user-{connection_id}", "Somebody", START + 3600))
        connection = connections.get(connection_id)
        assert connection is not None
        connections.activate(connection, ["general"])


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.deep)])
def test_broadcast_reaches_all_others_and_removes_gone_connections(
    management, tmp_path, clock, caplog, count
):
    caplog.set_level(logging.INFO)
    ids = [f"C{number:03}_fALIAMCKug=" for number in range(count)]
    gone, there = set(ids[1::10] + ids[4::10] + ids[7::10]), set(ids)
    there -= gone
    for connection_id in gone:
        management.answering(Answer(410, "GoneException"), to=connection_id)
    store = SqliteStore(tmp_path / "store.sqlite3", clock=clock)
    fill(store, clock, ids)
    backend = Backend(
        store,
        management.gateway,
        clock=clock,
        new_id=Ids(),
        retry=Retry(sleep=lambda seconds: None),
    )
    frame = {"action": "sendMessage", "clientMessageId": "c-1", "roomId": "general", "content": "a secret"}
    ann = {"principalId": f"user-{ids[0]}", "name": "Somebody", "tokenExpiresAt": str(START + 3600)}
    assert backend.handle(event("MESSAGE", ids[0], frame, authorizer=ann)) == {"statusCode": 200}
    reached = Counter(
        request.connection_id for request in management.api.requests if b'"message"' in request.data
    )
    assert {connection_id: reached[connection_id] for connection_id in there} == dict.fromkeys(there, 1)
    assert len(gone) == count * 3 // 10
    assert set(backend.connections.members("general")) == there
    assert [backend.connections.get(connection_id) for connection_id in gone] == [None] * len(gone)
    assert all(backend.connections.get(connection_id) for connection_id in there)
    assert "a secret" not in caplog.text
    backend.close()
    store.close()
