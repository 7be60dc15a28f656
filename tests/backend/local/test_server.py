"""The real process: its output, a chat over real sockets, and its end."""

import asyncio
import http.client
import json
import logging
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from backend.local import server as server_module
from backend.local.app import Options
from backend.local.server import allow_many_connections, bind, set_up_logging, warn_of_plain_http
from backend.local.settings import Unusable, read_options
from backend.local.web import create_app
from backend.store.base import StoreUnavailable
from tests.support.peer import SocketClient, knock
from tests.support.process import PATIENCE
from tests.support.server import LOOPBACK, ROOT, KizunaServer

#: What a supervisor gives it to end before it kills.
STOP_SECONDS = 5.0


@pytest.fixture
def running(server):
    """Return a server that one test may stop."""
    return server.start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return a server that tests use and leave running."""
    process = KizunaServer(tmp_path_factory.mktemp("shared") / "kizuna.sqlite3").start()
    yield process
    assert process.stop() == 0


# --- start ---


def test_it_says_exactly_where_it_is_and_answers_there(shared):
    assert shared.output.startswith(f"Kizuna is at http://127.0.0.1:{shared.port}\n")
    connection = http.client.HTTPConnection(LOOPBACK, shared.port, timeout=PATIENCE)
    connection.request("GET", "/health")
    assert json.load(connection.getresponse()) == {"status": "ok"}
    connection.close()


def refused(**environment: str) -> str:
    """Return the server's line of refusal, printed instead of starting, with exit code 1."""
    ended = subprocess.run(
        [sys.executable, "-m", "backend.server"],
        cwd=ROOT,
        env={**os.environ, "HOST": LOOPBACK, "PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


def test_a_taken_port_is_one_clear_line(shared):
    with pytest.raises(
        Unusable, match=f"port {shared.port} on 127.0.0.1 is taken; choose another one with PORT"
    ):
        bind(LOOPBACK, shared.port)


@pytest.mark.parametrize("port", ["http", "-1", "65536", "80.5"])
def test_a_port_that_is_none_is_one_clear_line(port):
    with pytest.raises(Unusable, match=f"PORT must be a number from 0 to 65535, not '{re.escape(port)}'"):
        read_options([], {"PORT": port})


def test_a_bad_setting_ends_the_process_with_one_line():
    assert refused(PORT="http") == "Kizuna cannot start: PORT must be a number from 0 to 65535, not 'http'\n"


def test_data_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    said = refused(DATA=str(tmp_path / "file" / "k.sqlite3"))
    assert said.startswith("Kizuna cannot start: cannot make the folder ")
    assert said.count("\n") == 1


def test_a_second_server_on_the_same_data_is_one_clear_line(shared):
    with pytest.raises(StoreUnavailable, match=f"^{shared.data} is in use by another running server$"):
        create_app(Options(data=shared.data))


def test_an_address_that_is_not_ours_is_one_clear_line():
    with pytest.raises(Unusable, match=r"cannot listen on 192\.0\.2\.1 port 0: "):
        bind("192.0.2.1", 0)
    with pytest.raises(Unusable, match="HOST 'no such host' is no address"):
        bind("no such host", 0)


def test_settings_come_from_flags_then_from_the_environment_then_from_defaults():
    options = read_options(["--port", "5"], {"PORT": "6", "HOST": "", "DATA": "x/y", "TOKEN_LIFETIME": "60"})
    assert (options.port, options.host, options.data, options.token_lifetime) == (
        5,
        LOOPBACK,
        Path("x/y"),
        60,
    )
    options = read_options([], {"ALLOWED_ORIGINS": "https://a.example, http://my_chat:8000"})
    assert options.allowed_origins == {"https://a.example", "http://my_chat:8000"}
    assert read_options([], {}).allowed_origins == frozenset()
    options = read_options(["--rate-burst", "5"], {"RATE_LIMIT": "0.5", "RATE_BURST": "7"})
    assert (options.rate_limit, options.rate_burst) == (0.5, 5)
    assert (read_options([], {}).rate_limit, read_options([], {}).rate_burst) == (10, 100)
    assert read_options([], {"RATE_LIMIT": "0"}).rate_limit == 0
    assert read_options([], {}).rate_burst_new == 20
    options = read_options([], {})
    assert (options.frame_limit, options.typing_seconds, options.hello_limit, options.ask_limit) == (
        100,
        2,
        2,
        20,
    )
    assert options.most_connections == 20
    assert (options.token_limit, options.ticket_limit, options.proxies) == (1, 5, ())
    assert [str(proxy) for proxy in read_options([], {"PROXIES": "10.0.0.5"}).proxies] == ["10.0.0.5/32"]
    assert read_options(["--most-connections", "0"], {"MOST_CONNECTIONS": "3"}).most_connections == 0
    assert read_options([], {"TYPING_SECONDS": "0.5", "ASK_LIMIT": "0"}).typing_seconds == 0.5
    assert read_options([], {"FRAME_LIMIT": "0"}).frame_limit == 0
    assert read_options([], {"RATE_BURST_NEW": "0"}).rate_burst_new == 0


def test_the_page_is_the_source_tree_or_what_was_built(tmp_path):
    assert (read_options([], {}).root / "index.html").exists()
    (tmp_path / "index.html").write_text("the page")
    assert read_options(["--root", str(tmp_path)], {"ROOT": "elsewhere"}).root == tmp_path
    assert read_options([], {"ROOT": str(tmp_path)}).root == tmp_path
    with pytest.raises(Unusable, match=r"ROOT 'dist/none' has no index\.html; `make build`"):
        read_options([], {"ROOT": "dist/none"})


@pytest.mark.parametrize(
    "environment",
    [
        {"TOKEN_LIFETIME": "0"},
        {"TOKEN_LIFETIME": "soon"},
        {"IDLE_SECONDS": "-5"},
        {"RATE_LIMIT": "-1"},
        {"RATE_LIMIT": "nan"},
        {"RATE_LIMIT": "inf"},
        {"RATE_LIMIT": "fast"},
        {"RATE_LIMIT": "0.0001"},
        {"RATE_BURST": "0"},
        {"RATE_BURST": "1.5"},
        {"RATE_BURST": "1000001"},
        {"RATE_BURST_NEW": "-1"},
        {"FRAME_LIMIT": "-1"},
        {"TYPING_SECONDS": "-1"},
        {"TYPING_SECONDS": "nan"},
        {"HELLO_LIMIT": "x"},
        {"ASK_LIMIT": "inf"},
        {"MOST_CONNECTIONS": "few"},
        {"TOKEN_LIMIT": "few"},
        {"TICKET_LIMIT": "-1"},
        {"PROXIES": "nginx"},
        {"ALLOWED_ORIGINS": "*"},
        {"ALLOWED_ORIGINS": "https://a.example/"},
        {"ALLOWED_ORIGINS": "a.example"},
    ],
)
def test_other_settings_that_make_no_sense_name_themselves(environment):
    (name,) = environment
    with pytest.raises(Unusable, match=f"^{name} must "):
        read_options([], environment)


def test_an_unknown_flag_is_named():
    with pytest.raises(Unusable, match="--prot"):
        read_options(["--prot", "5"], {})


def test_it_may_open_as_many_files_as_the_system_allows():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
        allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "chat.example.org"])
def test_who_listens_to_others_without_tls_is_warned_in_one_line(caplog, host):
    warn_of_plain_http(host)
    (line,) = caplog.messages
    assert line.startswith(f"HOST={host}: ")
    assert "sent unencrypted" in line
    assert line.endswith("docs/deploying.md")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.2"])
def test_on_loopback_there_is_nothing_to_warn_of(caplog, host):
    warn_of_plain_http(host)
    assert caplog.messages == []


# --- chat ---


def test_two_people_chat(shared):
    ann, bob = SocketClient.enter(shared.socket_url("Ann")), SocketClient.enter(shared.socket_url("Bob"))
    ack = ann.say("こんにちは", "c-1")
    own, others = ann.read("message"), bob.read("message")
    assert own == others
    assert (others["content"], others["senderName"], others["seq"]) == ("こんにちは", "Ann", ack["seq"])
    assert others["senderId"] == ann.ready["userId"] != bob.ready["userId"]
    bob.say("やあ", "c-1")
    assert (ann.read("message"))["seq"] == 2
    ann.send("ping", t=1)
    assert (ann.read("pong"))["heads"][0]["seq"] == 2
    ann.leave()
    bob.leave()


def test_a_frame_of_40_kib_closes_with_1009(shared):
    page = SocketClient.enter(shared.socket_url("Ann"))
    page.raw(json.dumps({"action": "ping", "x": "y" * 40_000}))
    assert (page.closed())[0] == 1009


def test_a_frame_of_just_32_kib_is_handled(shared):
    page = SocketClient.enter(shared.socket_url("Ann"))
    frame = json.dumps({"action": "ping", "t": 5, "x": ""})
    page.raw(frame[:-2] + "y" * (32 * 1024 - len(frame)) + '"}')
    assert (page.read())["t"] == 5
    page.leave()


def test_a_binary_frame_closes_with_1003(shared):
    page = SocketClient.enter(shared.socket_url("Ann"))
    page.raw(b"\x00")
    assert (page.closed())[0] == 1003


def test_bad_frames_are_answered_and_the_connection_lives(shared):
    page = SocketClient.enter(shared.socket_url("Ann"))
    for text, code in (("{", "malformed_frame"), ('{"action":"dance"}', "unknown_frame")):
        page.raw(text)
        assert (page.read())["code"] == code
    page.send("sendMessage", clientMessageId="c-1", roomId="general", content="")
    nack = page.read()
    assert (nack["type"], nack["clientMessageId"]) == ("nack", "c-1")
    assert nack["message"].startswith("content: ")
    page.leave()


def test_before_hello_only_hello_and_ping_count(shared):
    early = SocketClient(shared.socket_url("Ann"))
    early.send("sync", roomId="general")
    assert early.read("error")["code"] == "hello_first"
    early.send("ping", t=1)
    assert early.read("pong")["heads"] == []
    early.leave()


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 401), ("?token=", 401), ("?other=1", 401), ("?token=nonsense", 403), ("?token=a.b.c", 403)],
)
def test_without_a_good_ticket_or_token_there_is_no_handshake(shared, query, status):
    assert knock(f"ws://{LOOPBACK}:{shared.port}/ws{query}") == status


def test_a_page_of_another_origin_gets_no_handshake_unless_listed(server):
    server.start(ALLOWED_ORIGINS="https://page.example")
    url = server.socket_url("Ann")
    assert knock(url, "https://evil.example") == 403
    for origin in (f"http://127.0.0.1:{server.port}", "https://page.example"):
        assert knock(url, origin) == 101


def test_there_is_one_socket_path(shared):
    assert knock(shared.socket_url("Ann").replace("/ws?", "/other?")) == 403


def test_idle_and_old_connections_are_closed_with_1001(server):
    server.start(IDLE_SECONDS="1", DURATION_SECONDS="3600")
    page = SocketClient(server.socket_url("Ann"))
    assert page.closed() == (1001, "Going away")


def test_nothing_that_is_printed_holds_a_token_or_what_was_said(running):
    page = SocketClient.enter(running.socket_url("Ann"))
    page.say("a very private thought", "c-1")
    page.raw('{"action":"sendMessage","content":"another private thought"')
    page.read("error")
    token = running.token("Ann")
    for bad in (token + "x", token[:-2]):
        assert knock(f"ws://{LOOPBACK}:{running.port}/ws?token={bad}") == 403
    assert knock(f"ws://{LOOPBACK}:{running.port}/elsewhere?token={token}") == 403
    connection = http.client.HTTPConnection(LOOPBACK, running.port, timeout=PATIENCE)
    connection.request("GET", f"/?token={token}")
    connection.getresponse().read()
    connection.close()
    page.leave()
    assert running.stop() == 0
    assert "refused" in running.output
    assert "GET / " in running.output
    assert "token=" not in running.output
    assert token.split(".")[1][:30] not in running.output
    assert "private" not in running.output
    assert "the secret of Ann" not in running.output


def test_log_names_people_addresses_and_reasons_of_refusals(running):
    ann = SocketClient.enter(running.socket_url("Ann"))
    ann.say("a very private thought")
    who = f"connection {ann.connection_id} of 127.0.0.1, person {ann.ready['userId']}"
    ann._socket.close(4000, "my own words")
    ann.leave()
    assert knock(f"ws://{LOOPBACK}:{running.port}/ws?token=nonsense") == 403
    assert running.stop() == 0
    assert f"{who} opened" in running.output
    assert re.search(
        rf"{who} closed: 4000 by the other side, after [0-9.]+ s, frames: 2$", running.output, re.M
    )
    assert "connection refused: ticket refused: unknown, expired or used (127.0.0.1)" in running.output
    assert "private" not in running.output
    assert "my own words" not in running.output


def test_a_token_in_anybodys_log_line_is_struck_out(capsys):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    try:
        set_up_logging()
        logging.getLogger("uvicorn.error").warning('"WebSocket /ws?%s&x=1" [accepted]', "token=abc.def")
        logging.getLogger("uvicorn.error").error("ASGI callable returned without completing handshake.")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        try:
            raise asyncio.CancelledError
        except asyncio.CancelledError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('uvicorn.error: "WebSocket /ws?token=***&x=1" [accepted]')


# --- end ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_says_bye_closes_with_1001_and_ends_with_0(running, number):
    ann, bob = SocketClient.enter(running.socket_url("Ann")), SocketClient.enter(running.socket_url("Bob"))
    running.signal(number)
    for page in (ann, bob):
        assert page.read() == {
            "type": "bye",
            "reason": "restart",
            "reconnect": True,
            "retryAfter": None,
        }
        assert (page.closed())[0] == 1001
    assert running.wait() == 0
    assert "Traceback" not in running.output
    assert "ERROR" not in running.output
    assert running.output.count("Kizuna stops") == 1


def test_clients_that_never_answer_and_never_read_do_not_delay_the_end(server):
    running = server.start(RATE_LIMIT="0")
    with raw_socket(running, "Mute") as mute, raw_socket(running, "Deaf", receive_buffer=4096) as deaf:
        for joining, room in ((mute, "quiet"), (deaf, "general")):
            hello = json.dumps({"action": "hello", "v": 1, "rooms": [{"roomId": room}]}).encode()
            assert joining.recv(12) == b"HTTP/1.1 101"
            joining.sendall(bytes([0x81, 0x80 | len(hello), 0, 0, 0, 0]) + hello)
        ann = SocketClient.enter(running.socket_url("Ann"))
        # The system takes several MB for a deaf socket, the gateway 2 MiB, and then it gives up on this one.
        for number in range(3000):
            ann.say("x" * 16_000, f"c-{number}")
            if "1 failed" in running.output:
                break
        running.signal()
        assert running.wait() == 0
        assert (ann.closed())[0] == 1001
    assert "1 failed" in running.output
    assert "Traceback" not in running.output


def raw_socket(server, name, receive_buffer=None):
    """Return a connection whose handshake was sent; the test may read the answer."""
    made = socket.socket()
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.connect((LOOPBACK, server.port))
    path = server.socket_url(name).partition("/ws")[2]
    made.sendall(
        f"GET /ws{path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return made


def test_a_handler_that_hangs_does_not_delay_the_end(server, tmp_path):
    # A lock on the database that nobody releases: the handler waits for it inside SQLite.
    server.start()
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "c.execute('BEGIN IMMEDIATE'); print('locked', flush=True); sys.stdin.read()"
    )
    locker = subprocess.Popen(
        [sys.executable, "-c", script, str(server.data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert locker.stdout is not None
    assert locker.stdin is not None
    assert locker.stdout.readline() == b"locked\n"
    with raw_socket(server, "Ann"):
        page = http.client.HTTPConnection(LOOPBACK, server.port, timeout=PATIENCE)
        page.request("GET", "/")  # the handshake's $connect has begun by now
        assert page.getresponse().status == 200
        page.close()
        server.signal()
        assert server.wait() == 0
    assert "Traceback" not in server.output
    locker.stdin.close()
    locker.wait()
    locker.stdout.close()


def test_signal_ends_the_server_with_a_closed_stdout(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.server"],
        cwd=ROOT,
        env={**os.environ, "HOST": LOOPBACK, "PORT": "0", "DATA": str(tmp_path / "k.sqlite3")},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Kizuna is at ")
    process.stdout.close()
    try:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_a_second_signal_ends_it_at_once(server):
    server.start()
    server.signal()
    server.signal()
    assert server.wait() == 0


def test_a_restart_on_the_same_file_and_port_loses_nothing(running):
    ann = SocketClient.enter(running.socket_url("Ann"))
    token_before = running.token("Ann")
    acks = [ann.say(f"m{number}", f"c-{number}") for number in range(1, 4)]
    port = running.port
    assert running.stop() == 0
    running.start()
    assert running.port == port
    again = SocketClient.enter(running.socket_url("Ann"))
    assert [message["content"] for message in again.batch["messages"]] == ["m1", "m2", "m3"]
    assert again.batch["epoch"] == acks[0]["epoch"]
    assert again.ready["userId"] == ann.ready["userId"]
    duplicate = again.say("m3", "c-3")
    assert (duplicate["duplicate"], duplicate["seq"]) == (True, 3)
    assert (again.say("m4", "c-4"))["seq"] == 4
    assert knock(f"ws://{LOOPBACK}:{port}/ws?token={token_before}") == 101  # tokens survive as well
    again.leave()


def test_the_watchdog_leaves_room_within_the_five_seconds():
    assert server_module.WATCHDOG_SECONDS < STOP_SECONDS
