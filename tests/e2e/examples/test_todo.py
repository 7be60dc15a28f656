"""The shared list of examples/todo: two pages and a bot, through the ends of their server and of themselves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom
from signal import SIGKILL, SIGTERM

import pytest
from playwright.sync_api import Browser

from tests.e2e.chaos.plan import FaultKind
from tests.e2e.conftest import will_keep
from tests.e2e.examples.todo import Bot, TodoPage, TodoServer
from tests.e2e.examples.todo_run import TodoRun, todo_plan
from tests.support.fault_proxy import FaultProxy
from tests.support.pyodide_page import PyodidePage, make_site
from tests.support.site import StaticHost
from tests.support.waiting import eventually
from tools.examples import EXAMPLES

#: Any seed would do; a fixed one repeats a failure.
SEED = 4711
#: Faults of the long plan: ten minutes.
FAULTS = 250


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TodoServer]:
    server = TodoServer(tmp_path)
    server.start()
    yield server
    if server.is_running:
        server.stop(SIGTERM)


@pytest.fixture
def make_run(
    request: pytest.FixtureRequest, chromium: Browser, server: TodoServer, tmp_path: Path
) -> Iterator[Callable[[int], TodoRun]]:
    """A function that makes a run, whose events are saved when the test fails."""
    made: list[TodoRun] = []

    def make(seed: int) -> TodoRun:
        made.append(TodoRun(chromium, server, seed, tmp_path))
        will_keep(request, made[-1].keep)
        return made[-1]

    yield make
    for run in made:
        run.close()


def test_a_list_is_the_same_for_all_through_three_ends(
    chromium: Browser, server: TodoServer, tmp_path: Path
) -> None:
    bot = Bot(server.url, tmp_path / "bot")
    with (
        FaultProxy(server.port) as network,
        chromium.new_context() as ada_context,
        chromium.new_context() as ben_context,
    ):
        ada, ben = (TodoPage(context.new_page()) for context in (ada_context, ben_context))
        ada.page.goto(network.url, wait_until="commit")
        ben.page.goto(server.url, wait_until="commit")
        for page in (ada, ben):
            page.wait_until("connected")
        ada.add("<b>milk</b>")
        bot.say("bread")
        eventually(lambda: sorted(ben.items) == [("<b>milk</b>", False), ("bread", False)])
        ben.tick("<b>milk</b>")
        eventually(lambda: ("<b>milk</b>", True) in ada.items)
        server.stop(SIGTERM)
        ada.add("eggs")
        assert ada.waiting == ["eggs: queued"]
        bot.say("x bread")
        eventually(lambda: "x bread" in bot.kept)
        bot.kill()
        server.start()
        with network.accept_then_close(after_handshake=True):
            ada.page.reload(wait_until="commit")
            eventually(lambda: ada.waiting == ["eggs: queued"], what="the next page shows what waits")
        bot.start()
        everything = [("<b>milk</b>", True), ("bread", True), ("eggs", False)]
        eventually(lambda: sorted(ada.items) == everything and ben.items == ada.items)
        eventually(lambda: len(bot.changes) == len(server.log()) == 5)
        assert ada.waiting == []
    bot.kill()


def test_the_notebook_reads_and_sends(chromium: Browser, server: TodoServer, tmp_path: Path) -> None:
    """Its kernel is Pyodide in a worker."""
    notebook = json.loads((EXAMPLES / "jupyterlite" / "list.ipynb").read_text(encoding="utf-8"))
    install, *cells, end = [
        "".join(each["source"]) for each in notebook["cells"] if each["cell_type"] == "code"
    ]
    assert install == "%pip install kizuna"
    (tmp_path / "site").mkdir()
    with StaticHost(make_site(tmp_path / "site")) as host, chromium.new_context() as context:
        kernel = PyodidePage(context.new_page(), host.url, "worker")
        kernel.run("printed = []\ndef print(*values):\n    printed.append(repr(values))\nNone")
        for cell in cells:
            kernel.run(f"{cell.replace('ws://127.0.0.1:8000', server.url.replace('http', 'ws'))}\nNone")
        eventually(lambda: kernel.run("printed") == ["(1, {'add': 'milk'})"])
        kernel.run(f"{end}\nawait tasks.pop()\nNone")
    assert [change.data["add"] for change in server.log()] == ["milk"]


def test_what_the_server_refuses_is_shown(chromium: Browser, server: TodoServer, tmp_path: Path) -> None:
    bot = Bot(server.url, tmp_path / "bot")
    bot.say("x" * 20_000)
    bot.process.wait_for("failed invalid: .*at most 16384 characters")
    with chromium.new_context() as context:
        ada = TodoPage(context.new_page())
        ada.page.goto(server.url, wait_until="commit")
        ada.wait_until("connected")
        ada.page.evaluate("() => { document.getElementById('text').value = 'y'.repeat(20000) }")
        ada.page.locator("#add").click()
        eventually(lambda: any("yyy: invalid: ValueError" in line for line in ada.waiting))
        assert ada.items == []
    bot.kill()


def test_plan_of_every_fault_is_survived(make_run: Callable[..., TodoRun], server: TodoServer) -> None:
    run = make_run(SEED)
    result = run.run(todo_plan(SEED, len(FaultKind), shorter=2))
    print(run.report())
    assert result.ok, run.report()
    assert set(run.event_log.counts) == {*FaultKind, "bot killed"}, run.report()
    assert set(server.stopped_by) == {SIGTERM, SIGKILL}


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_long_plan_is_survived(make_run: Callable[..., TodoRun]) -> None:
    seed = int(os.environ.get("SEED") or SystemRandom().randrange(1_000_000))
    print(f"repeat with SEED={seed}", flush=True)
    run = make_run(seed)
    result = run.run(todo_plan(seed, int(os.environ.get("FAULTS") or FAULTS)))
    print(run.report())
    assert result.ok, run.report()


@pytest.mark.deep
def test_a_page_without_its_storage_is_found(make_run: Callable[..., TodoRun], server: TodoServer) -> None:
    main = server.folder / "page" / "main.py"
    source = main.read_text(encoding="utf-8")
    storage = 'Channels(connection, IndexedDb("todo"), WebLocks())'
    assert storage in source
    main.write_text(source.replace(storage, "Channels(connection)"), encoding="utf-8")
    run = make_run(SEED)
    result = run.run(todo_plan(SEED, 4 * len(FaultKind)))
    assert result.lost, run.report()


def test_the_parts_are_as_small_as_the_readme_says() -> None:
    def lines(name: str) -> list[str]:
        return (EXAMPLES / name).read_text(encoding="utf-8").splitlines()

    page = lines("todo/page/main.py")
    end_of_channel = next(number for number, line in enumerate(page) if line.startswith("def show("))
    begin_of_channel = page.index('connection = connect("ws", wire=KIZUNA)')
    assert len(lines("todo/server.py")) <= 150
    assert len(page) <= 60
    assert end_of_channel - begin_of_channel <= 20
