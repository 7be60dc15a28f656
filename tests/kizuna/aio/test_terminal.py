"""`python -m kizuna URL`: states and frames are shown, lines are sent, and Ctrl-C ends it cleanly."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from kizuna import FrameStream, __main__ as command
from kizuna.aio.terminal import main
from tests.support.process import LOOPBACK, Process, free_port
from tests.support.socket_server import SIZE, SocketServer
from tests.support.waiting import eventually


@pytest.fixture
def server() -> Iterator[SocketServer]:
    with SocketServer() as server:
        yield server


class Terminal:
    """The command in this process; what is done at it runs in a thread. ``said``: its lines so far."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._read, self._write = os.pipe()

    def run(self, act: Callable[[], None], *arguments: str) -> int:
        """Run the command while ``act()`` runs, and return its exit code."""
        actor = threading.Thread(target=act)
        actor.start()
        try:
            return main(arguments, input_file=self._read, say=self.said.append)
        finally:
            actor.join()

    def types(self, text: bytes) -> None:
        os.write(self._write, text)

    def ends_the_input(self) -> None:
        os.close(self._write)

    def waits_for(self, line: str) -> None:
        eventually(lambda: any(line in said for said in self.said), what=f"{line} in {self.said}")

    def interrupts(self) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_lines_are_sent_as_they_are_and_frames_shown(server: SocketServer, terminal: Terminal) -> None:
    def act() -> None:
        terminal.waits_for("-- connected")
        terminal.types('{"action": "say"}\r\n絆\nunfini'.encode())
        terminal.waits_for("<- 絆")
        terminal.types(b"shed")
        terminal.ends_the_input()
        terminal.waits_for("<- unfinished")
        terminal.interrupts()

    assert terminal.run(act, f"http://{LOOPBACK}:{server.port}/echo") == 130
    assert terminal.said[:2] == ["-- connecting", "-- connected"]
    assert [line for line in terminal.said if line.startswith("<-")] == [
        '<- {"action": "say"}',
        "<- 絆",
        "<- unfinished",
    ]
    eventually(lambda: [end["code"] for end in server.ends] == [1000])


def test_a_restart_is_survived_and_lines_typed_meanwhile_are_not_sent(
    server: SocketServer, terminal: Terminal
) -> None:
    def act() -> None:
        terminal.waits_for("-- connected")
        server.stop()
        terminal.waits_for("could not open the socket: ConnectionRefusedError")
        terminal.types(b"too early\n")
        terminal.waits_for("-- not sent, as there is no connection: too early")
        server.start()
        eventually(lambda: terminal.said.count("-- connected") == 2)
        terminal.types(b"here\n")
        terminal.waits_for("<- here")
        terminal.interrupts()

    assert terminal.run(act, f"{server.url}/echo") == 130
    terminal.ends_the_input()


def test_control_frames_of_a_wire_are_sent_shown_and_understood(
    server: SocketServer, terminal: Terminal
) -> None:
    def act() -> None:
        def is_connected() -> bool:
            terminal.types(b'{"type":"ready"}\n')  # what the server sends back is its word
            return "-- connected" in terminal.said

        eventually(is_connected)
        terminal.waits_for('<- {"type":"ready"}')
        terminal.waits_for('<- {"action":"ping","t":')
        terminal.types(b"x" * 40_000 + b"\n")
        terminal.waits_for("-- not sent: the frame has 40,000 bytes")
        terminal.interrupts()

    assert terminal.run(act, f"{server.url}/echo", "--wire", "kizuna") == 130
    terminal.ends_the_input()


def test_a_flood_is_shown_to_its_end(
    server: SocketServer, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[FrameStream.__module__], "PAUSE_AT", 20)

    def act() -> None:
        terminal.waits_for(f"<- {'99'.rjust(SIZE)}")
        terminal.interrupts()

    assert terminal.run(act, f"{server.url}/flood?100") == 130
    terminal.ends_the_input()


def test_bytes_are_shown_as_numbers(server: SocketServer, terminal: Terminal) -> None:
    def act() -> None:
        terminal.waits_for("<- 2 bytes: 00 ff")
        terminal.waits_for("<- 40 bytes: " + "61 " * 32 + "...")
        terminal.interrupts()

    assert terminal.run(act, f"{server.url}/bytes") == 130
    terminal.ends_the_input()


def test_a_server_that_wants_us_no_more_ends_the_command(server: SocketServer, terminal: Terminal) -> None:
    assert terminal.run(lambda: None, f"{server.url}/close?1008&go") == 1
    assert [line.partition(":")[0] for line in terminal.said[-2:]] == ["-- rejected", "-- closed"]
    terminal.types(b"to nobody\n")  # the thread that reads ends without a word
    terminal.ends_the_input()


def test_a_url_that_can_never_work_is_named(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.run(lambda: None, "ftp://example.org") == 2
    assert capsys.readouterr().err.startswith("python -m kizuna: url: must begin with ws://")
    terminal.ends_the_input()


def test_an_unknown_wire_is_refused_by_name(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        terminal.run(lambda: None, "ws://example.org", "--wire", "mqtt")
    assert "choose from" in capsys.readouterr().err


def test_the_command_is_the_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kizuna.aio.terminal.main", lambda: 130)
    assert command.main() == 130


def test_without_websockets_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith(("kizuna.aio", "websockets"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "websockets", None)
    monkeypatch.delattr("kizuna.aio", raising=False)
    assert command.main() == 2
    assert "pip install 'kizuna[aio]'" in capsys.readouterr().err


def test_ctrl_c_ends_a_real_process_without_a_traceback(server: SocketServer) -> None:
    command = (sys.executable, "-m", "kizuna", f"{server.url}/echo")
    process = Process(*command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    process.wait_for("^-- connected$")
    process.type("hello\n")
    process.wait_for("^<- hello$")
    assert process.end(signal.SIGINT) == 130
    assert "Traceback" not in process.output
    eventually(lambda: [end["code"] for end in server.ends] == [1000])


def test_ctrl_c_ends_a_process_that_never_connected() -> None:
    command = (sys.executable, "-m", "kizuna", f"ws://{LOOPBACK}:{free_port()}")
    process = Process(*command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    process.wait_for("^-- could not open the socket: ConnectionRefusedError")
    process.wait_for("^-- waiting: ")
    assert process.end(signal.SIGINT) == 130
    assert "Traceback" not in process.output
