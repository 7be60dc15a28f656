"""The built page: its two ways to start, on any host and path."""

from __future__ import annotations

import contextlib
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import present
from tests.support.fault_proxy import FaultProxy
from tests.support.peer import Peer
from tests.support.server import KizunaServer, free_port
from tests.support.shared_pages import SharedPages
from tests.support.site import Copy, StaticHost, run_python
from tests.support.user_page import UserPage
from tests.support.waiting import PATIENCE
from tests.support.watch import Watch
from tools.build.page import start_files_of

ROOM = "built"
SAVES_DATA = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } });"
REMEMBER_PROGRESS = """
window.progress = [];
addEventListener("python:bytes", ({ detail }) => queueMicrotask(() =>
    progress.push({ ...detail, shown: document.getElementById("splash-amount").textContent })));
"""
A_TRACEBACK = """
import traceback
from kizuna.wire import Numbers
try:
    Numbers(jitter="no number")
except Exception as error:
    told = "".join(traceback.format_exception(error))
told
"""

#: The page has its processor for a fifth of the time, as on a busy machine.
IS_HELD_UP = """
setInterval(() => { for (const end = performance.now() + 80; performance.now() < end;); }, 20);
"""

Visit = Callable[..., AbstractContextManager[tuple[UserPage, KizunaServer]]]


@pytest.fixture
def visit(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> Visit:
    """Opens a site, served by the real server, in a browser that was never there, over a line of so many Mbit/s. `asks`
    stands behind the address and says how to start; "": the page decides. `script` runs before the page's own. What the
    page complains about fails the test, unless it `expects` it."""

    @contextlib.contextmanager
    def visit(
        site: Path,
        *expects: str,
        asks: str = "?start=snapshot",
        script: str = "",
        megabits: float | None = None,
    ) -> Iterator[tuple[UserPage, KizunaServer]]:
        with KizunaServer(tmp_path / "kizuna.sqlite3", ROOT=str(site), RATE_LIMIT="0") as server:
            shared_pages = SharedPages(chromium, server)
            ada = shared_pages.new_person("Ada")
            ada.watch.allow(*expects)
            ada.page.add_init_script(script)
            slow = ada.network.link(megabits * 1e6 / 8, 0.02) if megabits else contextlib.nullcontext()
            try:
                with slow, present(request, [ada], server):
                    ada.open(ROOM, asks)
                    yield ada, server
            finally:
                shared_pages.close(ada)

    return visit


@pytest.fixture
def copy(site: Path, tmp_path: Path) -> Copy:
    """A copy of the site, which a test may change."""
    return Copy(site, tmp_path / "copy")


def started(person: UserPage) -> tuple[str | None, str | None]:
    """Return how Python was started, and why; the timeline agrees."""
    told = person.root.get_attribute("data-start"), person.root.get_attribute("data-start-reason")
    marks = person.page.evaluate("performance.getEntriesByName('python').map(({ detail }) => detail)")
    assert marks == [{"way": told[0], "reason": told[1]}]
    return told


def as_sent(path: Path) -> int:
    """Return the bytes that are sent: compressed, where that is smaller."""
    compressed = path.with_name(f"{path.name}.br")
    return (compressed if compressed.exists() else path).stat().st_size


def chats(person: UserPage, server: KizunaServer, room: str = ROOM) -> None:
    """Assert that the page can chat."""
    person.join()
    with Peer(server, room) as peer:
        person.say("from the built page")
        peer.wait_to_hear("from the built page")
        peer.say("to the built page")
        person.wait_for_texts("from the built page", "to the built page")
        person.wait_for_text("from the built page", state="sent")


@pytest.fixture(scope="module", params=["snapshot", "ordinary"])
def way(request: pytest.FixtureRequest) -> str:
    """Return the query that makes a page start this way."""
    return str(request.param)


@pytest.fixture(scope="module")
def page(chromium: Browser, server: KizunaServer, way: str) -> Iterator[UserPage]:
    """Yield a person whose page has started this way, whatever the browser would have chosen."""
    shared_pages = SharedPages(chromium, server)
    person = shared_pages.new_person("Paige")
    if way == "snapshot":
        person.page.add_init_script(SAVES_DATA)
    person.open(f"{ROOM}-{way}", f"?start={way}")
    yield person
    shared_pages.close(person)


def test_the_page_starts_the_way_its_address_says_and_chats(
    page: UserPage, server: KizunaServer, way: str
) -> None:
    assert started(page) == (way, "" if way == "snapshot" else "the address asks for it")
    chats(page, server, f"{ROOM}-{way}")
    other = {"snapshot": r"library|program|\.py|plugin|\.toml", "ordinary": r"\.snapshot"}[way]
    assert not [url for url in page.watch.requests if re.search(other, url)]
    assert page.watch.problems == []


def test_a_traceback_shows_the_lines_of_the_source(page: UserPage) -> None:
    told = run_python(page.page, A_TRACEBACK)
    assert re.search(r'File "/home/pyodide/kizuna/wire\.py", line \d+, in __init__\n    \S', told)


def test_pyscripts_own_modules_are_there_compiled(page: UserPage) -> None:
    flags = "import pyscript, pathlib; pathlib.Path(pyscript.__cached__).read_bytes()[4:8].hex()"
    assert run_python(page.page, flags) == "01000000"  # "unchecked": Python by itself writes other ones


@pytest.mark.parametrize("way", ["snapshot"], indirect=True)
def test_two_starts_from_one_snapshot_draw_different_numbers(page: UserPage, ada: UserPage) -> None:
    draw = "import json, random, secrets; json.dumps([random.random(), secrets.token_hex()])"
    assert started(ada) == started(page)
    first, second = (json.loads(run_python(person.page, draw)) for person in (page, ada))
    for before, after in zip(first, second, strict=True):
        assert before != after


@pytest.mark.parametrize("way", ["snapshot"], indirect=True)
def test_the_page_may_ask_nobody_that_its_config_does_not_name(page: UserPage) -> None:
    page.watch.allow(r"Content Security Policy|CSP violation|Failed to fetch")
    asked = page.page.evaluate(
        "fetch('http://127.0.0.1:1/').then(() => 'answered', (error) => String(error))"
    )
    assert "Failed to fetch" in asked
    assert any("connect-src" in line for line in page.watch.console)
    assert page.watch.problems == []


@pytest.mark.deep
def test_a_page_that_is_held_up_starts_from_the_snapshot(visit: Visit, site: Path) -> None:
    with visit(site, asks="", script=IS_HELD_UP, megabits=20) as (ada, server):
        assert started(ada) == ("snapshot", "")
        chats(ada, server)


@pytest.mark.parametrize(
    ("script", "told", "counted"),
    [
        pytest.param("", ("snapshot", ""), ("wasm", "snapshot", "nothing"), id="snapshot"),
        pytest.param(
            SAVES_DATA,
            ("ordinary", "the browser asks to save data"),
            ("wasm", "library", "program"),
            id="to a browser that saves data",
            marks=pytest.mark.deep,
        ),
    ],
)
def test_the_bytes_of_the_start_are_shown_as_they_arrive(
    visit: Visit, site: Path, script: str, told: tuple[str, str], counted: tuple[str, ...]
) -> None:
    files = start_files_of((site / "index.html").read_text(encoding="utf-8"))
    with visit(site, asks="", script=REMEMBER_PROGRESS + script, megabits=20) as (ada, server):
        assert started(ada) == told
        progress = ada.page.evaluate("progress")
        arrived = [event["arrived"] for event in progress]
        assert len(progress) > 3
        assert arrived == sorted(arrived)
        sent = sum(as_sent(site / files[name]) for name in counted)
        assert progress[-1]["arrived"] == progress[-1]["total"] == pytest.approx(sent, abs=2)
        assert progress[-1]["shown"] == f"{sent / 1e6:.1f} / {sent / 1e6:.1f} MB"
        assert not ada.page.locator("#splash").is_visible()
        asked_for_it = [url for url in ada.watch.requests if ".snapshot" in url]
        assert bool(asked_for_it) == ("snapshot" in counted)
        chats(ada, server)


@pytest.mark.deep
def test_without_the_snapshot_it_starts_the_ordinary_way(visit: Visit, copy: Copy) -> None:
    snapshot = copy.files["snapshot"]
    copy.remove(snapshot)
    with visit(copy.site, "Failed to load resource.*404") as (ada, server):
        assert started(ada) == ("ordinary", f"{snapshot}: HTTP 404")
        assert any(snapshot in line for line in ada.watch.console)
        chats(ada, server)


@pytest.mark.deep
def test_from_a_snapshot_that_is_cut_off_it_starts_the_ordinary_way(visit: Visit, copy: Copy) -> None:
    snapshot = copy.files["snapshot"]
    content = (copy.site / snapshot).read_bytes()
    copy.replace(snapshot, content[: len(content) // 2])
    with visit(copy.site) as (ada, server):
        way, reason = started(ada)
        assert (way, reason) == (
            "ordinary",
            f"{snapshot} has {len(content) // 2} bytes instead of {len(content)}",
        )
        chats(ada, server)


def test_from_a_snapshot_with_one_wrong_byte_it_starts_the_ordinary_way(visit: Visit, copy: Copy) -> None:
    snapshot = copy.files["snapshot"]
    content = bytearray((copy.site / snapshot).read_bytes())
    content[len(content) // 2] ^= 1
    copy.replace(snapshot, bytes(content))
    with visit(copy.site) as (ada, server):
        way, reason = started(ada)
        assert way == "ordinary"
        assert reason == f"{snapshot} is damaged: its Adler-32 is {zlib.adler32(content)}"
        chats(ada, server)


@pytest.mark.parametrize(
    ("position", "told"),
    [
        pytest.param(0, "magic number", id="no snapshot", marks=pytest.mark.deep),
        pytest.param(20, "build id mismatch", id="another runtime's", marks=pytest.mark.deep),
    ],
)
def test_from_a_snapshot_that_does_not_load_it_starts_the_ordinary_way(
    visit: Visit, copy: Copy, position: int, told: str
) -> None:
    files = copy.files
    content = bytearray((copy.site / files["snapshot"]).read_bytes())
    content[position] ^= 1
    copy.replace(files["snapshot"], bytes(content))
    copy.say(str(files["checksum"]), str(zlib.adler32(content)))
    with visit(copy.site) as (ada, server):
        way, reason = started(ada)
        assert way == "ordinary"
        assert told in (reason or "")
        chats(ada, server)


def test_where_neither_way_works_the_page_says_so(visit: Visit, copy: Copy) -> None:
    copy.remove(copy.files["snapshot"])
    copy.remove(copy.files["program"])
    with (
        pytest.raises(AssertionError, match="Part of the page couldn't be loaded"),
        visit(copy.site, "Failed to load resource", "uncaught error") as _,
    ):
        pass


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        pytest.param(
            lambda content: content[: len(content) // 2],
            r"has \d+ bytes instead of \d+",
            id="cut off",
            marks=pytest.mark.deep,
        ),
        pytest.param(lambda content: bytes([content[0] ^ 1]) + content[1:], "is damaged", id="damaged"),
    ],
)
def test_where_the_webassembly_is_not_what_was_built_the_page_says_so(
    visit: Visit, copy: Copy, spoil: Callable[[bytes], bytes], told: str
) -> None:
    wasm = copy.files["wasm"]
    copy.replace(wasm, spoil((copy.site / wasm).read_bytes()))
    with (
        pytest.raises(AssertionError, match=f"the page did not start(.|\n)*{told}"),
        visit(copy.site, "wasm", "uncaught error") as _,
    ):
        pass


@pytest.mark.deep
def test_where_the_host_sends_webassembly_as_something_else_the_page_says_so(
    visit: Visit, site: Path
) -> None:
    script = """
        const original = fetch;
        globalThis.fetch = async (resource, options) => {
            const response = await original(resource, options);
            if (!response.url.endsWith(".wasm")) return response;
            return new Response(response.body, { headers: { "Content-Type": "application/octet-stream" } });
        };"""
    with (
        pytest.raises(AssertionError, match="is sent as application/octet-stream, not as application/wasm"),
        visit(site, "wasm", "uncaught error", script=script) as _,
    ):
        pass


def test_the_site_works_under_any_path_of_a_static_host(
    chromium: Browser, copy: Copy, tmp_path: Path
) -> None:
    port = free_port()
    backend = f"127.0.0.1:{port}"
    copy.move_the_server(f"http://{backend}")
    with (
        StaticHost(copy.site) as host,
        KizunaServer(tmp_path / "kizuna.sqlite3", port, ALLOWED_ORIGINS=host.origin) as server,
        contextlib.closing(chromium.new_context(locale="en-US")) as context,
    ):
        page = context.new_page()
        watch = Watch(page, host.origin)
        page.goto(f"{host.url}?start=snapshot#/{ROOM}", wait_until="commit")
        expect(page.locator("html")).to_have_attribute("data-page", "live", timeout=PATIENCE * 2000)
        expect(page.locator("html")).to_have_attribute("data-start", "snapshot")
        page.get_by_role("textbox", name="Your name").fill("Ada")
        page.get_by_role("button", name="Join", exact=True).click()
        with Peer(server, ROOM) as peer:
            page.get_by_role("textbox", name="Message", exact=True).fill("from another host")
            page.get_by_role("textbox", name="Message", exact=True).press("Enter")
            peer.wait_to_hear("from another host")
        expect(
            page.get_by_text("from another host")
        ).to_be_visible()  # the browser has told of all that was before
        asked = (*watch.requests, *watch.sockets_opened)
        elsewhere = {url.partition("?")[0] for url in asked if host.url not in url}
        assert elsewhere == {f"ws://{backend}/ws", f"http://{backend}/token", f"http://{backend}/ticket"}
        assert [problem for problem in watch.problems if not problem.startswith("asked another origin")] == []


@pytest.mark.parametrize(
    ("way", "encodes_gz"),
    [
        pytest.param("snapshot", False, id="snapshot, as a type"),
        pytest.param("ordinary", True, id="ordinary, as an encoding", marks=pytest.mark.deep),
        pytest.param("snapshot", True, id="snapshot, as an encoding", marks=pytest.mark.deep),
        pytest.param("ordinary", False, id="ordinary, as a type", marks=pytest.mark.deep),
    ],
)
def test_from_a_host_that_compresses_nothing_it_fetches_compressed_files(
    chromium: Browser, site: Path, way: str, encodes_gz: bool
) -> None:
    with (
        StaticHost(site, encodes_gz=encodes_gz) as host,
        FaultProxy(host.port) as line,
        line.link(20e6 / 8, 0.01),  # slow enough for the browser to give up what it has begun to fetch
        contextlib.closing(chromium.new_context(locale="en-US")) as context,
    ):
        page = context.new_page()
        page.add_init_script(REMEMBER_PROGRESS)
        watch = Watch(page, line.url)
        page.goto(f"{line.url}{host.PATH}?start={way}", wait_until="commit")
        expect(page.locator("html")).to_have_attribute("data-page", "live", timeout=PATIENCE * 2000)
        expect(page.locator("html")).to_have_attribute("data-start", way)
        large = {"snapshot": ("wasm", "snapshot"), "ordinary": ("wasm", "library", "program")}[way]
        files = start_files_of((site / "index.html").read_text(encoding="utf-8"))
        packed = {f"{files[name]}.gz" for name in large}
        assert {f"{line.url}{host.PATH}{path}" for path in packed} <= set(watch.requests)
        weight = sum((site / path).stat().st_size for path in packed)
        assert page.evaluate("progress.at(-1).arrived") == pytest.approx(weight, rel=0.01)
        scripts = sum(path.stat().st_size for path in site.rglob("*.*js"))
        assert line.counts.bytes_down < weight + scripts + 3_000_000  # what was given up, and little else
        assert line.counts.bytes_down < sum(files["sizes"][files[name]] for name in large)


@pytest.mark.deep
def test_plain_files_are_fetched_from_a_host_with_one_answer(chromium: Browser, copy: Copy) -> None:
    for path in copy.site.rglob("*.gz"):
        path.unlink()
    with (
        StaticHost(copy.site, says_the_same=True) as host,
        contextlib.closing(chromium.new_context(locale="en-US")) as context,
    ):
        page = context.new_page()
        page.goto(f"{host.url}?start=snapshot", wait_until="commit")
        expect(page.locator("html")).to_have_attribute("data-page", "live", timeout=PATIENCE * 2000)
        expect(page.locator("html")).to_have_attribute("data-start", "snapshot")
