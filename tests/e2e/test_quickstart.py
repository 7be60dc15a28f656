"""docs/library/quickstart.md, letter for letter: its files and its commands, in an empty folder.

Two things differ from what a reader does. The ports are others, since those of the document may be in use. And public
addresses are answered from here: PyScript and Pyodide by the files that npm brought, the repository by a copy of this
one, packages by those that are installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGCONT, SIGINT, SIGKILL, SIGSTOP
from subprocess import PIPE, STDOUT
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.checkout import bare_checkout
from tests.support.instructions import Instructions, words_of
from tests.support.process import ROOT, Process, free_port
from tests.support.waiting import PATIENCE
from tests.tools.wheels import pack_installed

DOCUMENT = ROOT / "docs" / "library" / "quickstart.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
PACKAGE = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
VERSIONS = PACKAGE["dependencies"]
#: Where the document's page finds PyScript, and PyScript its Pyodide; and the same files here.
PUBLIC = {
    f"https://cdn.jsdelivr.net/npm/@pyscript/core@{VERSIONS['@pyscript/core']}/dist/": "pyscript",
    f"https://cdn.jsdelivr.net/pyodide/v{VERSIONS['pyodide']}/full/": "pyodide",
}
#: What pip fetches for the document's commands.
PACKAGES = (
    "websockets",
    *("hatchling", "editables", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers"),
)


class Trial:
    """A reader's folder: the document's commands and files in it, and how long they took."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        ports = {"8000": str(free_port()), "8765": str(free_port())}
        self._folder = folder
        self._environment = environment
        self._told = Instructions.of(TEXT).replaced(ports)
        self._seconds: dict[str, float] = {}
        self._prepare, [self.serve_page], [self.serve] = self._told.commands
        (address,) = re.findall(r"Open <(\S+)>", TEXT)
        self.address = address.replace("8000", ports["8000"])

    def prepare(self) -> None:
        """Type the commands that end by themselves, and write the files."""
        with self.measured("packages"):
            for line in self._prepare:
                words = words_of(line)
                done = subprocess.run(
                    words,
                    cwd=self._folder,
                    env=self._environment,
                    stdout=PIPE,
                    stderr=STDOUT,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, f"{line}\n{done.stdout}"
        self._told.write(self._folder)

    @contextlib.contextmanager
    def processes(self) -> Iterator[Callable[[str], Process]]:
        """Give a function that types a command into a terminal of its own. At the end all of them are killed."""
        begun: list[Process] = []

        def start(command: str) -> Process:
            begun.append(Process(*words_of(command), env=self._environment, cwd=self._folder))
            return begun[-1]

        try:
            yield start
        finally:
            for process in begun:
                if process.is_running:
                    process.end(SIGKILL)

    @contextlib.contextmanager
    def measured(self, what: str) -> Iterator[None]:
        """Note how long the block takes."""
        began = time.monotonic()
        yield
        self._seconds[what] = time.monotonic() - began

    def __str__(self) -> str:
        lines = self._told.lines
        commands = sum(map(len, self._told.commands))
        seconds = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self._seconds.items())
        return f"quick start: {len(lines)} files, {sum(lines.values())} lines, {commands} commands; {seconds}"


class QuickStartPage:
    """The document's page. ``problems``: what the browser had against it. ``received``: its frames."""

    def __init__(self, page: Page) -> None:
        page.set_default_timeout(PATIENCE * 1000)
        page.on("requestfailed", lambda request: self.problems.append(f"not fetched: {request.url}"))
        page.on(
            "websocket", lambda socket: socket.on("framereceived", lambda frame: self.received.append(frame))
        )
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self._page = page
        self.problems: list[str] = []
        self.received: list[str | bytes] = []
        self.status = page.locator("#status")
        self.field = page.locator("#text")
        self.messages = page.locator("#messages")

    def open(self, address: str) -> None:
        """Go there, without waiting for Python."""
        self._page.goto(address, wait_until="commit")

    def doubt(self) -> None:
        """Let the page doubt its connection, as after a change of the network: it sends a ping."""
        self._page.evaluate("() => { dispatchEvent(new Event('online')); }")

    def wait_until_connected(self) -> None:
        """Wait until the page says so. An error names the problems."""
        try:
            expect(self.status).to_have_text("connected")
        except AssertionError as error:
            error.add_note("\n".join([self._page.locator("body").inner_text(), *self.problems]))
            raise

    def say(self, text: str) -> None:
        """Type a message, press Enter, and wait until it is shown."""
        self.field.fill(text)
        self.field.press("Enter")
        expect(self.messages).to_contain_text(f"{text}\n")
        expect(self.field).to_have_value("")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of commands that fetch nothing."""
    packages = tmp_path_factory.mktemp("packages")
    for name in PACKAGES:
        pack_installed(packages, name)
    (address,) = re.findall(r"git\+(https://\S+)", TEXT)
    repository = bare_checkout(tmp_path_factory.mktemp("repository"))
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
        "HOME": str(packages),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(packages),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CACHE_DIR": str(packages / "cache"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
    }


@pytest.fixture(scope="module")
def trial(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """A folder in which the document's packages and files are."""
    trial = Trial(tmp_path_factory.mktemp("hello"), environment)
    trial.prepare()
    return trial


@pytest.fixture
def page(chromium: Browser) -> Iterator[QuickStartPage]:
    """A page for which only the public addresses of PUBLIC exist, and this machine."""
    with chromium.new_context() as context:
        context.route(lambda url: urlsplit(url).hostname != "localhost", answer)
        yield QuickStartPage(context.new_page())


def answer(route: Route) -> None:
    """Answer a public address by the same file of static/vendor."""
    for address, folder in PUBLIC.items():
        file = ROOT / "static" / "vendor" / folder / route.request.url.removeprefix(address)
        if route.request.url.startswith(address) and file.is_file():
            route.fulfill(path=file, headers={"access-control-allow-origin": "*"})
            return
    route.abort()


def test_its_counts_of_lines_are_right():
    lines = Instructions.of(TEXT).lines
    assert f"A server in {lines['server.py']} lines" in TEXT
    python = Instructions.of(TEXT).files["index.html"].split("'>\n")[1].split("</script>")[0]
    written = sum(bool(line.strip()) for line in python.splitlines())
    assert f"A page in {lines['index.html']} lines, {written} of them Python" in TEXT


def test_its_public_addresses_are_the_versions_of_this_project():
    addresses = re.findall(r"https://cdn[^\"]+", TEXT)
    assert len(addresses) == len(PUBLIC)
    for address, known in zip(addresses, PUBLIC, strict=True):
        assert address.startswith(known)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("```python\nprint()\n```\n", "a block of python without a name"),
        ("```sh\nls\n```\n", "8000 is nowhere"),
    ],
)
def test_a_block_that_no_reader_could_follow_is_noticed(text: str, mistake: str):
    with pytest.raises(ValueError, match=mistake):
        Instructions.of(text).replaced({"8000": "1"})


def test_the_page_shows_a_message_and_survives_a_restart(trial: Trial, page: QuickStartPage):
    with trial.processes() as start:
        start(trial.serve_page).wait_for("Serving HTTP")
        server = start(trial.serve)
        with trial.measured("first message"):
            page.open(trial.address)
            page.wait_until_connected()
            page.say("<b>hello</b>")
        assert "pong" in page.received
        for stop in (SIGINT, SIGKILL):
            server.end(stop)
            expect(page.status).not_to_have_text("connected")
            expect(page.field).to_be_disabled()
            with trial.measured(f"back after {stop.name}"):
                server = start(trial.serve)
                page.wait_until_connected()
            page.say(f"after {stop.name}")
        server.signal(SIGSTOP)  # half-open: the socket stands, and nobody answers
        page.doubt()
        expect(page.status).to_have_text(re.compile("connecting|waiting"))
        server.signal(SIGCONT)
        page.wait_until_connected()
        page.say("after silence")
        shown = page.messages.inner_text().splitlines()
    assert shown == ["<b>hello</b>", "after SIGINT", "after SIGKILL", "after silence"]
    assert page.problems == []
    print(trial)
