"""What a user of the library installs."""

import json
import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import kizuna
from tests.support.wheel import build_wheel
from tests.test_docs import programs

ROOT = Path(__file__).resolve().parents[2]

#: What the wheel may weigh in bytes; without `kizuna.delivery` and `kizuna.testing`, which a connection never loads.
MAX_BYTES, MAX_BYTES_OF_CONNECTION = 170_000, 100_000
#: The most modules that a connection may load.
MAX_MODULES = 20

#: Prints the library's modules once connect() has returned.
LOADED = """
import sys
from kizuna import connect

connect("ws://127.0.0.1:1")
print(*sorted(name for name in sys.modules if name.startswith("kizuna")))
"""
#: A user's program that is right.
PROGRAM = """
import asyncio
from collections.abc import Mapping
from typing import Any, assert_type

from kizuna import KIZUNA, TEXT, ConnectionState, Frame, Options, Status, WebSocketService, Wire, connect
from kizuna.browser import BrowserPlatform, get_websocket_service
from kizuna.testing import FakeClient, FakePlatform, FakeServer


class Shouter(WebSocketService[str]):
    def shout(self, text: str) -> None:
        self.send(text.upper())


def show(frame: Mapping[str, Any]) -> None:
    print(frame["type"])


async def main() -> None:
    options = Options(heartbeat_interval=20.0)
    wire = Wire(name="mine", ping="ping", pong="pong")
    async with connect("wss://example.org/ws", wire=wire, options=options, platform=FakePlatform()) as connection:
        assert_type(connection, WebSocketService[Any])
        assert_type(connection.state, ConnectionState)
        unsubscribe = connection.on_message(show)
        connection.subscribe(lambda state: state.status, lambda status: print(assert_type(status, Status)))
        connection.send_message("say", {"text": "hello"})
        unsubscribe()
    texts = await connect("wss://example.org/ws", codec=TEXT, protocols=["chat"], platform=FakePlatform())
    assert_type(texts, WebSocketService[str])
    texts.send("hello")
    async for text in texts:
        print(assert_type(text, str))
    async with Shouter("wss://example.org/ws", codec=TEXT) as shouter:
        assert_type(shouter, Shouter).shout("hello")
    assert_type(await shouter, Shouter)


def echo(client: FakeClient, frame: Frame) -> Frame:
    return frame


async def test_it(kizuna_server: FakeServer, kizuna_platform: FakePlatform) -> None:
    kizuna_server.answer = echo
    assert_type(FakePlatform(FakeServer(echo, wire=KIZUNA)).socket.url, str)
    await kizuna_platform.connected(get_websocket_service("wss://example.org/ws", platform=kizuna_platform))


def main_of_a_page() -> None:
    page = get_websocket_service("wss://example.org/ws", codec=TEXT, platform=BrowserPlatform())
    assert_type(page, WebSocketService[str])


asyncio.run(main())
"""
#: Mistakes, each with what mypy and pyright say of it.
MISTAKES = {
    'connect("ws://example.org", heartbeat=30)': (
        'Unexpected keyword argument "heartbeat"',
        'No parameter named "heartbeat"',
    ),
    'connect("ws://example.org", options=Options(max_retry=3))': (
        'Extra key "max_retry" for TypedDict "Options"',
        'No overloads for "__init__" match',
    ),
    'connect("ws://example.org", wire="article")': (
        'incompatible type "str"; expected "Wire"',
        '"Literal[\'article\']" is not assignable to "Wire"',
    ),
    'connect(b"ws://example.org")': (
        'incompatible type "bytes"; expected "str',
        'is not assignable to type "str | GetAddress"',
    ),
    'connect("ws://example.org", codec=TEXT).send(b"bytes")': (
        'incompatible type "bytes"; expected "str"',
        '"Literal[b"bytes"]" is not assignable to "str"',
    ),
    'connect("ws://example.org", codec="text")': (
        'incompatible type "str"; expected "Codec[',
        "\"Literal['text']\" is incompatible with protocol",
    ),
    'connect("ws://example.org").send_message("say", "hello")': (
        'expected "Mapping[str, Any] | None"',
        'is not assignable to type "Frame | None"',
    ),
    'print(connect("ws://example.org").state.status == Status.OPEN)': (
        '"type[Status]" has no attribute "OPEN"',
        'Cannot access attribute "OPEN" for class "type[Status]"',
    ),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return folder / "bin" / "python"


def said_by(*command: str | Path, cwd: Path, **settings: str) -> tuple[int, str]:
    """Return a command's exit code and output. It sees nothing of this checkout."""
    env = {"PATH": "/usr/bin:/bin", **settings}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def mypy(installed: Path, program: Path) -> str:
    """Return the errors that mypy finds in a user's program, one after another."""
    options = ("--strict", "--no-error-summary", "--no-pretty", "--config-file=")
    command = (sys.executable, "-m", "mypy", *options, f"--python-executable={installed}", program.name)
    return said_by(*command, cwd=program.parent)[1]


def pyright(installed: Path, program: Path) -> str:
    """Return the errors that pyright finds in a user's program, as mypy() does; warnings count."""
    settings = program.with_name("pyrightconfig.json")
    settings.write_text('{"typeCheckingMode": "strict"}', encoding="utf-8")
    options = (f"--pythonpath={installed}", "--outputjson", program.name)
    code, said = said_by(sys.executable, "-m", "basedpyright", *options, cwd=program.parent)
    found = json.loads(said)["generalDiagnostics"]
    assert bool(found) == bool(code)
    return "\n".join(
        f"{program.name}:{complaint['range']['start']['line'] + 1}: {' '.join(complaint['message'].split())}"
        for complaint in found
    )


#: How a type checker is run, and where its words are in MISTAKES.
CHECKERS = [pytest.param(mypy, 0, id="mypy"), pytest.param(pyright, 1, id="pyright")]
Checker = Callable[[Path, Path], str]


def test_the_wheel_holds_the_library_alone(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"kizuna-{kizuna.__version__}.dist-info/METADATA").decode()

    version = f"kizuna-{kizuna.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {"kizuna", version}
    assert f"{version}/licenses/LICENSE" in names
    assert {name for name in names if name.endswith((".py", ".typed"))} == {
        path.relative_to(ROOT / "app").as_posix()
        for path in (ROOT / "app" / "kizuna").rglob("*")
        if path.suffix in (".py", ".typed")
    }
    assert "Requires-Dist: websockets>=15; extra == 'aio'" in metadata.splitlines()


def test_the_wheel_is_small(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        infos = archive.infolist()
    others = ("kizuna/delivery/", "kizuna/testing/")
    rest = sum(info.compress_size for info in infos if info.filename.startswith(others))
    assert wheel.stat().st_size <= MAX_BYTES
    assert wheel.stat().st_size - rest <= MAX_BYTES_OF_CONNECTION


def test_a_connection_on_cpython_loads_few_modules():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert {"kizuna.service", "kizuna.aio.websocket"} <= {*loaded}
    assert len(loaded) <= MAX_MODULES, loaded


@pytest.mark.parametrize(("check", "column"), CHECKERS)
def test_a_right_program_of_a_user_passes_strict_type_checks(
    check: Checker, column: int, installed: Path, tmp_path: Path
):
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    assert check(installed, tmp_path / "program.py") == ""


@pytest.mark.parametrize(("check", "column"), CHECKERS)
def test_the_type_checker_finds_a_users_mistakes(
    check: Checker, column: int, installed: Path, tmp_path: Path
):
    lines = ["from kizuna import TEXT, Options, Status, connect", *MISTAKES]
    (tmp_path / "mistakes.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = check(installed, tmp_path / "mistakes.py")
    for line, (mistake, words) in enumerate(MISTAKES.items(), 2):
        found = [complaint for complaint in said.splitlines() if f"mistakes.py:{line}:" in complaint]
        assert any(words[column] in complaint for complaint in found), (mistake, said)


def test_the_installed_library_runs_without_any_other_package(installed: Path, tmp_path: Path):
    ask = "import kizuna, kizuna.testing; print(kizuna.__version__)"
    assert said_by(installed, "-c", ask, cwd=tmp_path) == (0, f"{kizuna.__version__}\n")
    code, said = said_by(installed, "-m", "kizuna", "ws://example.org", cwd=tmp_path)
    assert (code, "pip install 'kizuna[aio]'" in said) == (2, True)


def test_the_guide_to_testing_runs_letter_for_letter(installed: Path, tmp_path: Path):
    guide = ROOT / "docs" / "library" / "testing.md"
    shown = programs(guide)
    for number, program in enumerate(shown):
        (tmp_path / f"test_{number}.py").write_text(program, encoding="utf-8")
    (settings,) = re.findall(r"```ini\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "pytest.ini").write_text(settings, encoding="utf-8")
    (packages,) = installed.parent.parent.glob("lib/python*/site-packages")
    run = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    code, said = said_by(*run, cwd=tmp_path, PYTHONPATH=str(packages))
    tests = sum(program.count("async def test_") for program in shown)
    assert (code, f"{tests} passed" in said) == (0, True), said


def test_the_checkout_offers_the_names_that_the_browser_knows():
    find = "import chat.protocol, backend, kizuna, tools.build.vendor; print(chat.protocol.__file__)"
    found = subprocess.run([sys.executable, "-P", "-c", find], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(ROOT / "app" / "chat" / "protocol.py")
