"""Servers in docs/library/, started for real, and clients that connect to them."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
import uvicorn
from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]
from websockets.asyncio.server import ServerConnection, serve

import kizuna
from kizuna import ConnectionState, Options, Rejected, WebSocketService
from kizuna.core.links import Policy, close_policy
from tests.docs.conftest import FakePage
from tests.docs.examples import run
from tests.support.process import LOOPBACK, Process, free_port
from tools.reports.library import ACTIONS, CODES

QUICK = Options(first_retry_delay=0.01)


async def until(connection: WebSocketService[Any], holds: Callable[[ConnectionState], bool]) -> None:
    """Wait for a state."""
    changed = asyncio.Event()
    unsubscribe = connection.subscribe(lambda state: state, lambda _: changed.set())
    while not holds(connection.state):
        await changed.wait()
        changed.clear()
    unsubscribe()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start_program(port: int) -> Iterator[Callable[[str], Process]]:
    """Start a server of the documents, which listens at 8765 there, in a process of its own."""
    processes: list[Process] = []

    def start(code: str) -> Process:
        program = code.replace("8765", str(port))
        processes.append(Process(sys.executable, "-u", "-c", program, env=dict(os.environ)))
        return processes[-1]

    yield start
    for process in processes:
        if process.is_running:
            process.end()


async def test_one_line_on_the_server_shows_a_half_open_connection(
    codes: list[str], port: int, start_program: Callable[[str], Process]
):
    server, client = codes
    start_program(server)
    connection = (await run(client.replace("8765", str(port))))["connection"]
    async with connection:
        await until(connection, lambda state: state.rtt is not None)
        connection.send({"n": 1})
        assert {"n": 1} in await read(connection, 2)


async def read(connection: WebSocketService[Any], count: int) -> list[Any]:
    frames = connection.frames()
    return [await anext(frames) for _ in range(count)]


@pytest.fixture
async def serve_app() -> AsyncIterator[Callable[[Any], str]]:
    """Serve an ASGI application; the address of its host."""
    servers: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    def serve_it(app: Any) -> str:
        listening = socket.create_server((LOOPBACK, 0))
        server = uvicorn.Server(uvicorn.Config(app, ws="websockets-sansio", log_level="warning"))
        servers.append((server, asyncio.create_task(server.serve(sockets=[listening]))))
        return f"ws://{LOOPBACK}:{listening.getsockname()[1]}"

    yield serve_it
    for server, task in servers:
        server.should_exit = True
        await task


@pytest.mark.parametrize("framework", ["Starlette", "FastAPI"])
async def test_a_starlette_server_answers_pings_and_closes_with_codes(
    codes: list[str], serve_app: Callable[[Any], str], framework: str
):
    server, with_fastapi, client = codes
    app = (await run(server if framework == "Starlette" else server + with_fastapi))["app"]
    assert type(app).__name__ == framework
    host = serve_app(app)
    connection = (await run(client.replace('"/ws"', f'"{host}/ws"')))["connection"]
    async with connection:
        await until(connection, lambda state: state.rtt is not None)
        connection.send({"text": "hello"})
        assert {"text": "hello"} in await read(connection, 2)
    stranger = kizuna.connect(f"{host}/ws", get_access_token=lambda: "bad", options=QUICK)
    connecting = asyncio.create_task(stranger.connect())
    await until(stranger, lambda state: state.status == "rejected")
    assert stranger.state.reason is not None
    assert stranger.state.reason.code == 4401
    await asyncio.gather(connecting, return_exceptions=True)
    stranger.disconnect()


async def test_a_websockets_server_broadcasts_and_says_when_to_come_back(
    code: str, port: int, start_program: Callable[[str], Process]
):
    server = start_program(code)
    wire = kizuna.Wire(ping={"op": "ping"}, pong={"op": "pong"})
    one, two = (
        kizuna.connect(
            f"ws://{LOOPBACK}:{port}", wire=wire, options={"first_retry_delay": 0.1, "max_retries": 50}
        )
        for _ in range(2)
    )
    async with one, two:
        await until(two, lambda state: state.rtt is not None)
        one.send({"text": "to all"})
        assert {"text": "to all"} in await read(two, 2)
        server.signal(15)
        await until(one, lambda state: state.status == "waiting")
        assert one.state.reason is not None
        assert (one.state.reason.code, one.state.reason.words) == (1012, "a new version")
        assert one.state.retry_at is not None
        assert one.state.retry_at - time.monotonic() > 3
    await asyncio.to_thread(server.wait)


async def test_a_json_close_reason_says_when_to_come_back(code: str):
    """Each line closes a connection of its own."""
    lines = [ast.unparse(line) for line in ast.parse(code).body]
    waiting = iter(lines)

    async def close(websocket: ServerConnection) -> None:
        await run(next(waiting), {"websocket": websocket})

    async with serve(close, LOOPBACK, 0) as server:
        url = f"ws://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
        states = [await state_after_close(url) for _ in lines]
    assert [(state.status, state.reason and state.reason.words) for state in states] == [
        ("waiting", "too many visitors"),
        ("rejected", "the game is over"),
    ]
    assert states[0].retry_at is not None
    assert states[0].retry_at - time.monotonic() > 15


async def state_after_close(url: str) -> ConnectionState:
    connection = await kizuna.connect(url)
    await until(connection, lambda state: state.reason is not None)
    state = connection.state
    connection.disconnect()
    return state


async def test_a_lambda_function_answers_ready_and_pong(
    codes: list[str], page: FakePage, monkeypatch: pytest.MonkeyPatch
):
    server, client = codes
    posted: list[str] = []

    def post(request: Any, **_: Any) -> AWSResponse:
        assert request.url.startswith("https://abc123.example.org/prod/@connections/one")
        posted.append(request.body.decode() if isinstance(request.body, bytes) else request.body)
        return AWSResponse(request.url, 200, {}, SimpleNamespace(stream=lambda: iter(())))

    make_client = boto3.client

    def client_here(name: str, **settings: Any) -> Any:
        keys = {"aws_access_key_id": "id", "aws_secret_access_key": "key", "region_name": "eu-central-1"}
        made = make_client(name, **settings, **keys)
        made.meta.events.register("before-send.apigatewaymanagementapi.*", post)
        return made

    monkeypatch.setattr(boto3, "client", client_here)
    handler = (await run(server))["handler"]

    def invoke(route: str, body: str = "") -> None:
        context = {
            "domainName": "abc123.example.org",
            "stage": "prod",
            "connectionId": "one",
            "routeKey": route,
        }
        assert handler({"requestContext": context, "body": body}, None) == {"statusCode": 200}

    def answer(frame: Any) -> Any:
        invoke(frame["action"], json.dumps(frame))
        return json.loads(posted.pop())

    connection = (await run(client))["connection"]
    await page.connect(connection)
    invoke("$connect")
    page.socket.accept()
    await page.settle()
    assert posted == []
    assert page.socket.actions == ["hello"]
    page.socket.receive(answer(page.socket.sent[0]))
    await page.settle()
    assert connection.state.status == "connected"
    await page.advance(2)
    assert page.socket.actions == ["hello", "ping"]
    page.socket.receive(answer(page.socket.sent[1]))
    await page.settle()
    assert connection.state.rtt == pytest.approx(2, abs=0.01)
    connection.send_message("chat", {"text": "hi"})
    assert answer(page.socket.sent[2]) == {"type": "chat", "text": "hi"}


@pytest.mark.parametrize(
    "code_", [code for code in CODES if close_policy(code) is not Policy.RETRY] + [1012, 4000]
)
async def test_a_close_code_does_what_the_table_says(code_: int, page: FakePage):
    connection = kizuna.connect("/ws", get_access_token=lambda: "t")
    await page.connect(connection)
    await page.serve()
    page.socket.drop(code_)
    action = ACTIONS[close_policy(code_)]
    if action.startswith("stop"):
        assert connection.state.status == "rejected"
        with pytest.raises(Rejected):
            await anext(connection.frames())
    else:
        assert connection.state.status == "waiting"
        assert connection.state.retry_at is not None
        wait = connection.state.retry_at - page.now().monotonic
        assert (wait >= 5) is ("5 s at least" in action)
