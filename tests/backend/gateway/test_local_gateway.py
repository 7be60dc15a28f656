"""The local gateway behaves as API Gateway does, row by row."""

import asyncio
import json
import logging
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.gateway.base import Delivery
from backend.gateway.events import FrameText
from backend.gateway.local import (
    DURATION_SECONDS,
    IDLE_SECONDS,
    LocalGateway,
    new_aws_id,
    select_route,
)
from backend.gateway.people import THREADS_EACH
from backend.gateway.sockets import BUFFER_FRAMES
from tests.backend.client import AsgiClient
from tests.backend.fakes import START, FakeClock
from tests.support.process import PATIENCE

AWS_ID = re.compile(r"[A-Za-z0-9_-]{15}=")
ROUTES = frozenset({"$connect", "$disconnect", "$default", "echo", "silent", "fail", "wait"})


class Handler:
    """A handler of events that remembers them, echoes, fails, or waits."""

    def __init__(self):
        self.events = []
        self.connect_status = 200
        self.during_connect = lambda connection_id: None
        self.go_on = threading.Event()
        self.waiting = threading.Semaphore(0)

    def __call__(self, event):
        self.events.append(event)
        context = event["requestContext"]
        if context["routeKey"] == "$connect":
            self.during_connect(context["connectionId"])
            return {"statusCode": self.connect_status, "body": "words"}
        if context["routeKey"] == "fail":
            raise RuntimeError("a bug")
        if context["routeKey"] == "wait":
            self.waiting.release()
            assert self.go_on.wait(PATIENCE)
        if context["routeKey"] in ("silent", "$disconnect"):
            return {"statusCode": 200}
        return {"statusCode": 200, "body": json.dumps({"echo": event["body"]})}

    def of(self, kind):
        return [event for event in self.events if event["requestContext"]["eventType"] == kind]


@pytest.fixture
def handler():
    made = Handler()
    yield made
    made.go_on.set()


@pytest.fixture
def workers():
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def monotonic():
    return FakeClock(0)


@pytest.fixture
def gateway(handler, workers, monotonic):
    made = LocalGateway(workers, monotonic=monotonic, wall=FakeClock())
    made.attach(handler, ROUTES)
    return made


@pytest.fixture
async def client(gateway):
    made = AsgiClient(gateway)
    await made.connect()
    yield made
    made.reading.set()
    if not made.task.done():
        made.leave()
        await made.ended()


# --- identifiers and events ---


def test_identifiers_have_the_shape_of_aws():
    assert all(AWS_ID.fullmatch(new_aws_id()) for _ in range(50))
    assert len({new_aws_id() for _ in range(50)}) == 50


async def test_connect_has_the_keys_of_api_gateway(client, handler):
    (event,) = handler.of("CONNECT")
    context = event.pop("requestContext")
    assert event == {
        "headers": {
            "Host": "chat.example:8000",
            "User-Agent": "test/1",
            "Sec-WebSocket-Key": "x",
            "Cookie": "b=2",
        },
        "multiValueHeaders": {
            "Host": ["chat.example:8000"],
            "User-Agent": ["test/1"],
            "Sec-WebSocket-Key": ["x"],
            "Cookie": ["a=1", "b=2"],
        },
        "queryStringParameters": {"token": "t"},
        "multiValueQueryStringParameters": {"token": ["t"]},
        "isBase64Encoded": False,
    }
    request_id = context.pop("requestId")
    assert AWS_ID.fullmatch(request_id)
    assert context == {
        "routeKey": "$connect",
        "eventType": "CONNECT",
        "messageDirection": "IN",
        "connectionId": client.id,
        "connectedAt": START * 1000,
        "extendedRequestId": request_id,
        "requestTime": "14/Nov/2023:22:13:20 +0000",
        "requestTimeEpoch": START * 1000,
        "identity": {"sourceIp": "192.0.2.7", "userAgent": "test/1"},
        "stage": "local",
        "apiId": "local",
        "domainName": "chat.example:8000",
    }


async def test_a_connect_without_a_query_has_no_query_keys(gateway, handler):
    client = AsgiClient(gateway, query="")
    await client.connect()
    (event,) = handler.of("CONNECT")
    assert not {"queryStringParameters", "multiValueQueryStringParameters", "body"} & set(event)
    client.leave()
    await client.ended()


async def test_a_message_event_has_a_body_and_no_headers_and_no_query(client, handler):
    client.send('{"action":"echo"}')
    assert await client.frame() == {"echo": '{"action":"echo"}'}
    (event,) = handler.of("MESSAGE")
    assert set(event) == {"requestContext", "body", "isBase64Encoded"}
    context = event["requestContext"]
    assert (context["routeKey"], context["connectionId"]) == ("echo", client.id)
    assert context["messageId"] == context["requestId"]
    assert "disconnectStatusCode" not in context


async def test_a_disconnect_event_has_the_code_and_the_reason(client, handler):
    client.leave(4001, "bye")
    await client.ended()
    (event,) = handler.of("DISCONNECT")
    assert set(event) == {"requestContext", "headers", "multiValueHeaders", "isBase64Encoded"}
    assert set(event["headers"]) == {"Host", "x-api-key", "X-Forwarded-For", "x-restapi"}
    context = event["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (4001, "bye")
    assert (context["routeKey"], context["connectionId"]) == ("$disconnect", client.id)
    assert "messageId" not in context


# --- $connect and $disconnect ---


async def test_while_connect_runs_the_socket_does_not_exist_and_posting_answers_gone(gateway, handler):
    results = []
    handler.during_connect = lambda connection_id: results.append(gateway.post_many([connection_id], "{}"))
    client = AsgiClient(gateway)
    connection_id = await client.connect()
    assert results == [{connection_id: Delivery.GONE}]
    assert gateway.post_many([connection_id], '{"now":1}') == {connection_id: Delivery.DELIVERED}
    assert await client.frame() == {"now": 1}
    client.leave()
    await client.ended()


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_connect_that_is_refused_ends_the_handshake_with_its_status(gateway, handler, status):
    handler.connect_status = status
    client = AsgiClient(gateway)
    client.begin()
    started = await client.next()
    assert (started["type"], started["status"]) == ("websocket.http.response.start", status)
    assert (await client.next())["body"] == b"words"
    await client.ended()
    assert handler.of("DISCONNECT") == []


async def test_a_connect_that_fails_ends_the_handshake_with_500(gateway, handler, caplog):
    def fail(connection_id):
        raise RuntimeError("a bug")

    handler.during_connect = fail
    client = AsgiClient(gateway)
    client.begin()
    assert (await client.next())["status"] == 500
    await client.ended()
    assert "a bug" in caplog.text


# --- the authorizer ---


@pytest.fixture
def asked(gateway, handler):
    """Return the events that the authorizer got. It admits the token "t", and knows the person as Ann."""
    events = []

    def authorize(event):
        events.append(event)
        effect = "Allow" if event["queryStringParameters"]["token"] == "t" else "Deny"
        return {
            "principalId": "user-1",
            "policyDocument": {"Statement": [{"Effect": effect, "Resource": event["methodArn"]}]},
            "context": {"name": "Ann", "tokenExpiresAt": 5},
        }

    gateway.attach(handler, ROUTES, authorize)
    return events


async def test_an_authorizer_is_asked_about_the_handshake_before_connect(gateway, handler, asked):
    client = AsgiClient(gateway)
    await client.connect()
    (question,), (event,) = asked, handler.of("CONNECT")
    assert question["type"] == "REQUEST"
    assert question["methodArn"].endswith("/$connect")
    for key in ("headers", "multiValueHeaders", "queryStringParameters", "multiValueQueryStringParameters"):
        assert question[key] == event[key]
    assert question["requestContext"]["connectionId"] == event["requestContext"]["connectionId"] == client.id
    assert "authorizer" not in question["requestContext"]
    client.leave()
    await client.ended()


async def test_authorizer_context_comes_with_every_later_event_as_text(gateway, handler, asked):
    client = AsgiClient(gateway)
    await client.connect()
    client.send('{"action":"echo","requestContext":{"authorizer":{"principalId":"somebody-else"}}}')
    await client.frame()
    client.leave()
    await client.ended()
    (connect,), (message,), (disconnect,) = map(handler.of, ("CONNECT", "MESSAGE", "DISCONNECT"))
    for event in (connect, message, disconnect):
        assert event["requestContext"]["authorizer"] == {
            "principalId": "user-1",
            "name": "Ann",
            "tokenExpiresAt": "5",
        }
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("query", "status", "questions"),
    [("", 401, 0), ("token=", 401, 0), ("other=t", 401, 0), ("token=x", 403, 1)],
)
async def test_whom_it_denies_never_reaches_connect(gateway, handler, asked, query, status, questions):
    client = AsgiClient(gateway, query=query)
    client.begin()
    assert (await client.next())["status"] == status
    await client.ended()
    assert (len(asked), handler.of("CONNECT"), handler.of("DISCONNECT")) == (questions, [], [])


async def test_failing_authorizer_is_500_and_logs_no_token(gateway, handler, caplog):
    def fail(event):
        raise RuntimeError("the keys cannot be had")

    gateway.attach(handler, ROUTES, fail)
    client = AsgiClient(gateway, query="token=a-secret-token")
    client.begin()
    assert (await client.next())["status"] == 500
    await client.ended()
    assert "the keys cannot be had" in caplog.text
    assert "a-secret-token" not in caplog.text
    assert handler.of("CONNECT") == []


async def test_disconnect_is_called_once_however_it_ends(gateway, handler, client):
    gateway.close(client.id)
    assert (await client.closed())[0] == 1000
    client.leave()
    await client.ended()
    (event,) = handler.of("DISCONNECT")
    assert event["requestContext"]["disconnectStatusCode"] == 1000
    assert gateway.connection_ids() == []


async def test_disconnect_is_called_for_who_vanishes_during_the_handshake(gateway, handler):
    client = AsgiClient(gateway)
    client.breaks = True
    client.begin()
    await client.ended()
    assert len(handler.of("CONNECT")) == len(handler.of("DISCONNECT")) == 1
    assert gateway.connection_ids() == []


# --- routing and answers ---


@pytest.mark.parametrize(
    ("body", "route"),
    [
        ('{"action":"echo"}', "echo"),
        ('{"action":"unknown"}', "$default"),
        ('{"action":5}', "$default"),
        ('{"action":["echo"]}', "$default"),
        ("{}", "$default"),
        ("[]", "$default"),
        ("not json", "$default"),
        ("", "$default"),
        ("[" * 100_000, "$default"),
        ('{"action":"$connect"}', "$default"),
        ('{"action":"$disconnect"}', "$default"),
        ('{"action":"$default"}', "$default"),
    ],
)
def test_the_action_selects_the_route_and_none_of_api_gateways_own(body, route):
    text = FrameText.read(body)
    assert text == body
    assert select_route(text, ROUTES) == route
    if route == "$default":
        assert select_route(text, ROUTES - {"$default"}) is None


async def test_without_a_route_the_frame_is_forbidden_and_the_connection_lives(gateway, handler, client):
    gateway.attach(handler, ROUTES - {"$default"})
    client.send("not json")
    answer = await client.frame()
    assert (answer["message"], answer["connectionId"]) == ("Forbidden", client.id)
    assert AWS_ID.fullmatch(answer["requestId"])
    client.send('{"action":"echo"}')
    assert "echo" in await client.frame()


async def test_failing_handler_is_an_internal_server_error_and_keeps_the_connection(client, handler, caplog):
    client.send('{"action":"fail","content":"private"}')
    answer = await client.frame()
    request_id = handler.of("MESSAGE")[0]["requestContext"]["requestId"]
    assert answer == {"message": "Internal server error", "connectionId": client.id, "requestId": request_id}
    assert "a bug" in caplog.text
    assert "private" not in caplog.text
    client.send('{"action":"echo"}')
    assert "echo" in await client.frame()


async def test_a_handler_that_takes_too_long_is_an_internal_server_error(handler, workers, caplog):
    gateway = LocalGateway(workers, integration_timeout=0.02)
    gateway.attach(handler, ROUTES)
    client = AsgiClient(gateway)
    await client.connect()
    client.send('{"action":"wait"}')
    assert (await client.frame())["message"] == "Internal server error"
    assert "wait of" in caplog.text
    assert "took more than 0.02 s" in caplog.text
    handler.go_on.set()
    client.leave()
    await client.ended()


async def test_a_handler_without_a_body_answers_nothing(client):
    client.send('{"action":"silent"}')
    client.send('{"action":"echo"}')
    assert "echo" in await client.frame()
    assert client.sent.empty()


async def test_frames_of_one_client_are_handled_at_the_same_time(client, handler):
    client.send('{"action":"wait"}')
    await asyncio.to_thread(handler.waiting.acquire)
    client.send('{"action":"echo"}')
    assert await client.frame() == {"echo": '{"action":"echo"}'}
    handler.go_on.set()
    assert await client.frame() == {"echo": '{"action":"wait"}'}


async def test_one_client_cannot_take_every_thread(gateway, client, handler):
    for _ in range(THREADS_EACH + 3):
        client.send('{"action":"wait"}')
    for _ in range(THREADS_EACH):
        await asyncio.to_thread(handler.waiting.acquire)
    other = AsgiClient(gateway)
    await other.connect()
    other.send('{"action":"echo"}')
    assert "echo" in await other.frame()
    assert len(handler.of("MESSAGE")) == THREADS_EACH + 1
    handler.go_on.set()
    for _ in range(THREADS_EACH + 3):
        await client.frame()
    other.leave()
    await other.ended()


async def test_a_binary_frame_closes_with_1003(client, handler):
    client.send(b"\x00")
    assert (await client.closed())[0] == 1003
    await client.ended()
    assert handler.of("MESSAGE") == []
    assert handler.of("DISCONNECT")[0]["requestContext"]["disconnectStatusCode"] == 1003


# --- what the operator reads ---


async def test_each_connection_is_two_lines_with_address_person_end_and_frames(
    gateway, handler, asked, monotonic, caplog
):
    caplog.set_level(logging.INFO)
    client = AsgiClient(gateway)
    await client.connect()
    for _ in range(3):
        client.send('{"action":"echo"}')
        await client.frame()
    monotonic.advance(7)
    client.leave(1000, "words of somebody")
    await client.ended()
    who = f"connection {client.id} of 192.0.2.7, person user-1"
    assert caplog.messages == [
        f"{who} opened",
        f"{who} closed: 1000 by the other side, after 7.0 s, frames: 3",
    ]


async def test_whom_the_server_closes_is_told_with_the_servers_reason(gateway, client, monotonic, caplog):
    caplog.set_level(logging.INFO)
    monotonic.advance(IDLE_SECONDS)
    gateway.sweep()
    await client.closed()
    await client.ended()
    assert caplog.messages[-1].endswith("closed: 1001 Going away, after 600.0 s, frames: 0")


async def test_a_connection_that_vanishes_is_lost(gateway, client, caplog):
    caplog.set_level(logging.INFO)
    client.leave(1006)
    await client.ended()
    assert "closed: 1006 lost, after" in caplog.messages[-1]


async def test_a_handshake_without_a_ticket_is_a_line(gateway, handler, asked, caplog):
    caplog.set_level(logging.INFO)
    client = AsgiClient(gateway, query="")
    client.begin()
    await client.ended()
    assert caplog.messages == ["connection refused: neither a ticket nor a token (192.0.2.7)"]


# --- limits of time and space ---


async def test_ten_idle_minutes_close_with_1001(gateway, client, monotonic):
    monotonic.advance(IDLE_SECONDS - 1)
    gateway.sweep()
    assert gateway.post_many([client.id], "{}") == {client.id: Delivery.DELIVERED}
    await client.frame()
    monotonic.advance(IDLE_SECONDS - 1)  # the frame that was sent counts as life
    gateway.sweep()
    client.send('{"action":"echo"}')
    await client.frame()
    monotonic.advance(IDLE_SECONDS - 1)  # and so does one that was received
    gateway.sweep()
    assert client.sent.empty()
    monotonic.advance(1)
    gateway.sweep()
    assert await client.closed() == (1001, "Going away")


async def test_two_hours_close_with_1001_however_busy(gateway, client, monotonic):
    for _ in range(DURATION_SECONDS // IDLE_SECONDS * 2 - 1):
        monotonic.advance(IDLE_SECONDS / 2)
        client.send('{"action":"echo"}')
        await client.frame()
        gateway.sweep()
    assert client.sent.empty()
    monotonic.advance(IDLE_SECONDS / 2)
    gateway.sweep()
    assert await client.closed() == (1001, "Going away")


async def test_a_stalled_reader_does_not_count_as_alive(gateway, client, monotonic):
    client.reading.clear()
    gateway.post_many([client.id], "{}")
    await asyncio.sleep(0)
    monotonic.advance(IDLE_SECONDS)
    gateway.sweep()
    assert gateway.post_many([client.id], "{}") == {client.id: Delivery.GONE}


async def test_the_buffer_of_a_stalled_reader_is_bounded_by_frames_too(gateway, client):
    client.reading.clear()
    results = [gateway.post_many([client.id], "{}")[client.id] for _ in range(BUFFER_FRAMES + 1)]
    assert results == [Delivery.DELIVERED] * BUFFER_FRAMES + [Delivery.FAILED]
    client.reading.set()
    for _ in range(BUFFER_FRAMES):
        await client.frame()
    assert gateway.post_many([client.id], '{"again":1}')[client.id] is Delivery.DELIVERED
    assert await client.frame() == {"again": 1}


async def test_closing_a_stalled_reader_times_out(gateway, client, handler, monkeypatch):
    monkeypatch.setattr("backend.gateway.sockets.CLOSE_SECONDS", 0.02)
    client.reading.clear()
    gateway.post_many([client.id], "{}")
    gateway.close(client.id)
    await client.ended()
    assert len(handler.of("DISCONNECT")) == 1
    assert gateway.connection_ids() == []


# --- the end ---


async def test_shutting_down_says_farewell_closes_with_1001_and_refuses_newcomers(gateway, client, handler):
    gateway.post_many([client.id], '{"before":1}')
    ending = asyncio.create_task(gateway.shut_down('{"type":"bye"}', PATIENCE))
    assert await client.frame() == {"before": 1}
    assert await client.frame() == {"type": "bye"}
    assert (await client.closed())[0] == 1001
    await ending
    await client.ended()
    newcomer = AsgiClient(gateway)
    newcomer.begin()
    assert (await newcomer.next())["status"] == 503
    await newcomer.ended()
    assert len(handler.of("CONNECT")) == 1


async def test_shutting_down_waits_only_so_long_for_who_does_not_read(gateway, client):
    client.reading.clear()
    for _ in range(BUFFER_FRAMES + 1):
        gateway.post_many([client.id], "{}")
    await gateway.shut_down('{"type":"bye"}', 0.02)
    client.reading.set()
    frames = [await client.frame() for _ in range(BUFFER_FRAMES + 1)]
    assert frames[-1] == {"type": "bye"}  # however full the buffer was


async def test_shutting_down_with_nobody_there_returns_at_once(gateway):
    await gateway.shut_down("{}", PATIENCE)


async def test_who_was_in_the_handshake_when_it_ended_is_closed_too(gateway, handler):
    entered = threading.Event()
    go_on = threading.Event()

    def wait(connection_id):
        entered.set()
        go_on.wait(PATIENCE)

    handler.during_connect = wait
    client = AsgiClient(gateway)
    client.begin()
    await asyncio.to_thread(entered.wait)
    await gateway.shut_down("{}", PATIENCE)
    go_on.set()
    assert (await client.next())["type"] == "websocket.accept"
    assert (await client.closed())[0] == 1001
    await client.ended()


async def test_a_handler_that_fails_because_everything_ends_leaves_no_traceback(gateway, client, caplog):
    caplog.set_level(logging.INFO)
    ending = asyncio.create_task(gateway.shut_down("{}", PATIENCE))
    await asyncio.sleep(0)
    client.send('{"action":"fail"}')
    await client.frame()
    await client.closed()
    await ending
    await client.ended()
    assert "Traceback" not in caplog.text


async def test_without_handlers_every_handshake_fails(workers, caplog):
    client = AsgiClient(LocalGateway(workers))
    client.begin()
    assert (await client.next())["status"] == 500
    await client.ended()
    assert "attach was not called" in caplog.text
