"""The built page's service worker: starts without a network, new versions, and what it never caches."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.e2e.conftest import present, skip_without
from tests.support import browsers
from tests.support.peer import Peer
from tests.support.server import LOOPBACK, ROOT, KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.site import Copy, StaticHost
from tests.support.user_page import UserPage
from tests.support.waiting import PATIENCE, eventually, throughout
from tools.setup.browsers import Browsers

ROOM = "kept"
CACHES = """async () => {
    const found = {};
    for (const name of await caches.keys())
        found[name] = (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname);
    return found;
}"""
#: Counts texts in everything that is cached: addresses, headers, contents.
COUNT_IN_CACHES = """async (words) => {
    let count = 0;
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
            const response = await cache.match(request);
            const headers = [...request.headers, ...response.headers].flat();
            const text = [request.url, ...headers, await response.text()].join();
            count += words.filter((word) => text.includes(word)).length;
        }
    }
    return count;
}"""
#: Returns whether a newer worker waits, after an update check. Chromium also checks by itself.
LOOK_FOR_UPDATE = """async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    await registration.update();
    const worker = registration.installing;
    if (worker) await new Promise((resolve) => { worker.onstatechange = resolve; });
    return Boolean(registration.waiting);
}"""
IS_KEPT = "async () => Boolean(await navigator.serviceWorker.getRegistration())"
#: Moves the worker's notes of failed updates two days into the past; returns their number.
TWO_DAYS_PASS = """async () => {
    let count = 0;
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        const noted = await cache.match("?refused");
        if (!noted) continue;
        const { since, count: times } = await noted.json();
        await cache.put("?refused", Response.json({ since: since - 2 * 86_400_000, count: times }));
        count += times;
    }
    return count;
}"""
SPOIL_THE_RUNTIME = """async () => {
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const { url } of await cache.keys())
            if (url.endsWith("/pyodide.mjs"))
                await cache.put(url, new Response("spoilt", { headers: { "Content-Type": "text/javascript" } }));
    }
}"""
SLOW = "Object.defineProperty(navigator, 'connection', { value: { effectiveType: '3g' } });"
SAVES_DATA = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } });"

Visit = Callable[..., AbstractContextManager[tuple[UserPage, KizunaServer]]]


class Host:
    """A host whose site gets new versions while pages are open."""

    def __init__(self, site: Path, folder: Path) -> None:
        self._copy = Copy(site, folder)
        self.site = self._copy.site
        self.styles = self._styles()

    @property
    def version(self) -> str:
        """The version that the page names."""
        return str(self._copy.files["version"])

    def publish(self, styles: str) -> None:
        """Publish a version with another stylesheet, and remove the old one."""
        old, self.styles = self.styles, re.sub(r"\.\w{10}\.", f".{'f' * 10}.", self.styles)
        version, digest = self.version, hashlib.sha256((self.site / old).read_bytes()).hexdigest()
        self._copy.remove(old)
        (self.site / self.styles).write_text(styles)
        changes = {
            old: self.styles,
            digest: hashlib.sha256(styles.encode()).hexdigest(),
            version: hashlib.sha256(version.encode()).hexdigest()[:10],
        }
        self._change(changes, "index.html", "service-worker.js")

    def move_the_server(self, url: str) -> None:
        """Name the server's new address in config.json and in the page's policy."""
        self._copy.move_the_server(url)

    def _change(self, changes: Mapping[str, str], *names: str) -> None:
        for name in names:
            text = (self.site / name).read_text(encoding="utf-8")
            for before, after in changes.items():
                text = text.replace(before, after)
            self._copy.replace(name, text.encode())

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file."""
        self._copy.replace(path, content)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._copy.remove(path)

    def _styles(self) -> str:
        (path,) = (self.site / "assets").glob("page.*.css")
        return path.relative_to(self.site).as_posix()


@pytest.fixture
def host(site: Path, tmp_path: Path) -> Host:
    return Host(site, tmp_path / "hosted")


@pytest.fixture
def visit(request: pytest.FixtureRequest, chromium: Browser, host: Host, tmp_path: Path) -> Visit:
    """A person who opens the page in a new browser, and waits until it is cached."""

    @contextlib.contextmanager
    def visit(way: str = "snapshot", script: str = "") -> Iterator[tuple[UserPage, KizunaServer]]:
        with KizunaServer(tmp_path / "kizuna.sqlite3", ROOT=str(host.site), RATE_LIMIT="0") as server:
            shared_pages = SharedPages(chromium, server)
            ada = shared_pages.new_person("Ada", keeps=True)
            ada.page.add_init_script(script)
            try:
                with present(request, [ada], server):
                    ada.open(ROOM)
                    wait_until_kept(ada.page, host, way)
                    yield ada, server
            finally:
                shared_pages.close(ada)

    return visit


def versions_kept(page: Page) -> dict[str, set[str]]:
    """Return version -> the paths in its cache."""
    return {name.split(" ")[-1]: set(paths) for name, paths in page.evaluate(CACHES).items()}


def wait_until_kept(page: Page, host: Host, way: str = "snapshot") -> None:
    """Return whether the worker has all files of one way to start."""
    last = {"snapshot": "nothing", "ordinary": "program"}[way]
    wanted = start_file(page, last)
    eventually(
        lambda: any(path.endswith(wanted) for path in versions_kept(page).get(host.version, ())),
        what=f"{wanted} is kept",
    )


def start_file(page: Page, name: str) -> str:
    """Return the page's data about its start files."""
    read = "name => JSON.parse(document.getElementById('start-files').textContent)[name]"
    return str(page.evaluate(read, name))


def asked(server: KizunaServer, since: int = 0) -> list[str]:
    """Return the paths that were requested since this position of the server's output."""
    return re.findall(r"(?:GET|POST) (\S+) \d+ \d+ ms", server.output[since:])


def forget_http_cache(person: UserPage) -> None:
    """Let the browser cache nothing outside of the worker's caches."""
    person.cdp.send("Network.clearBrowserCache")


def way_of(person: UserPage) -> str | None:
    return person.root.get_attribute("data-start")


def test_the_next_start_fetches_the_configuration_alone(
    visit: Visit,
) -> None:
    with visit() as (ada, server):
        ada.join()
        forget_http_cache(ada)
        before = len(server.output)
        ada.reload()
        assert way_of(ada) == "snapshot"
        ada.wait_until_in()
        pages = {"/static/config.json", "/service-worker.js"}
        assert set(asked(server, before)) <= {*pages, "/token", "/ticket"}
        assert "/static/config.json" in asked(server, before)
        ada.say("with a token")
        ada.wait_for_text("with a token", state="sent")
        assert ada.page.evaluate(COUNT_IN_CACHES, ["<title>Kizuna</title>"]) == 1
        assert len(ada.watch.tokens) >= 2  # at least a token and a ticket
        assert ada.page.evaluate(COUNT_IN_CACHES, sorted(ada.watch.tokens)) == 0
        paths = set().union(*versions_kept(ada.page).values())
        assert not {path for path in paths if re.search(r"token|ticket|/ws|health", path)}


def test_without_a_network_the_page_opens_and_delivers_later_what_was_typed(visit: Visit) -> None:
    with visit() as (ada, server), Peer(server, ROOM) as peer:
        ada.join()
        ada.say("before")
        ada.wait_for_text("before", state="sent")
        eventually(lambda: "before" in str(ada.kept()["rooms"]), what="the room is kept")
        ada.watch.allow_network_trouble()
        ada.watch.allow("Failed to fetch")
        with ada.network.down():
            ada.reload()
            ada.wait_for_texts("before")
            ada.say("typed without a network")
            ada.wait_for_text("typed without a network", state="queued")
            assert peer.heard == ["before"]
        ada.try_now_if_shown()
        ada.wait_until_in()
        ada.wait_for_text("typed without a network", state="sent")
        peer.wait_to_hear("typed without a network")
        assert peer.heard == ["before", "typed without a network"]


@pytest.mark.deep
def test_where_the_host_does_not_answer_the_last_good_configuration_counts(visit: Visit) -> None:
    with visit() as (ada, _):
        ada.watch.allow_network_trouble()
        with ada.network.black_hole():
            ada.reload()
            expect(ada.join_button).to_be_visible()


def test_a_new_version_is_offered_while_another_tab_keeps_its_files(visit: Visit, host: Host) -> None:
    old, old_styles = host.version, host.styles
    with visit() as (ada, server):
        ada.join()
        other = ada.another_tab()
        other.open(ROOM)
        other.wait_until_in()
        forget_http_cache(ada)
        before = len(server.output)
        host.publish("html { --is-new: yes; }")
        eventually(lambda: ada.page.evaluate(LOOK_FOR_UPDATE))
        downloaded = [path for path in asked(server, before) if path.startswith("/assets/")]
        assert downloaded == [f"/{host.styles}"]

        for person in (ada, other):
            expect(person.page.get_by_text("A new version is ready.")).to_be_visible()
            assert start_file(person.page, "version") == old
        ada.message_box.fill("half a word")
        ada.page.get_by_role("button", name="Reload").click()
        expect(ada.root).not_to_have_attribute("data-update", "ready")
        ada.wait_until_started()
        assert start_file(ada.page, "version") == host.version
        assert way_of(ada) == "snapshot"
        expect(ada.message_box).to_have_value("half a word")
        assert ada.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--is-new')")

        assert start_file(other.page, "version") == old
        status = "async path => (await fetch(path)).status"
        assert other.page.evaluate(status, old_styles) == 200
        assert versions_kept(ada.page).keys() == {old, host.version, "settings"}
        other.page.get_by_role("button", name="Reload").click()
        eventually(lambda: versions_kept(ada.page).keys() == {host.version, "settings"}, what="old is gone")
        other.wait_until_in()
        assert start_file(other.page, "version") == host.version
        assert [path for path in asked(server, before) if path.startswith("/assets/")] == downloaded


def test_a_version_that_the_server_does_not_speak_is_replaced_by_reload(visit: Visit, host: Host) -> None:
    with visit() as (ada, _):
        ada.join()
        host.publish("html { --is-new: yes; }")
        ada.network.inject(json.dumps({"type": "bye", "reason": "unsupported", "reconnect": False}))
        ada.wait_for_status("rejected")
        expect(ada.page.locator("#banner")).to_contain_text("have different versions. Reload the page")
        ada.page.locator("#banner").get_by_role("button", name="Reload").click()
        expect(ada.root).not_to_have_attribute("data-status", "rejected")
        ada.wait_until_started()
        ada.wait_until_in()
        assert start_file(ada.page, "version") == host.version


@pytest.mark.deep
def test_a_new_version_that_does_not_arrive_whole_leaves_the_old_one(visit: Visit, host: Host) -> None:
    old = host.version
    with visit() as (ada, _):
        host.publish("html { --is-new: yes; }" * 20)
        whole = (host.site / host.styles).read_bytes()
        host.replace(host.styles, whole[:-10])
        assert not ada.page.evaluate(LOOK_FOR_UPDATE)
        host.remove(host.styles)
        assert not ada.page.evaluate(LOOK_FOR_UPDATE)
        assert not ada.page.get_by_text("A new version is ready.").is_visible()
        ada.reload()
        assert start_file(ada.page, "version") == old
        host.replace(host.styles, whole)
        eventually(lambda: ada.page.evaluate(LOOK_FOR_UPDATE))
        expect(ada.page.get_by_text("A new version is ready.")).to_be_visible()


@pytest.mark.deep
def test_a_host_with_incomplete_versions_for_a_day_shows_its_page(visit: Visit, host: Host) -> None:
    with visit() as (ada, _):
        ada.watch.allow(r"service-worker|Failed to load resource|404")
        host.publish(styles="body { --published: 1; }")
        host.replace(host.styles, b"body { --published: changed by the host; }")
        new = host.version
        assert not ada.page.evaluate(LOOK_FOR_UPDATE)
        assert ada.page.evaluate(IS_KEPT)
        assert not ada.page.evaluate(LOOK_FOR_UPDATE)  # not even a minute ago
        assert ada.page.evaluate(IS_KEPT)
        ada.reload()
        assert start_file(ada.page, "version") != new
        assert ada.page.evaluate(TWO_DAYS_PASS) >= 2  # the browser may have tried by itself, too
        assert not ada.page.evaluate(LOOK_FOR_UPDATE)
        assert not ada.page.evaluate(IS_KEPT)
        assert ada.page.evaluate(CACHES) == {}
        ada.reload()
        assert start_file(ada.page, "version") == new


@pytest.mark.deep
def test_after_a_small_download_the_next_start_is_from_the_snapshot(visit: Visit) -> None:
    with visit(script=SLOW) as (ada, _):
        assert way_of(ada) == "ordinary"
        ada.reload()
        assert way_of(ada) == "snapshot"


@pytest.mark.deep
def test_a_browser_that_saves_data_is_not_sent_the_snapshot_later(visit: Visit) -> None:
    with visit("ordinary", SAVES_DATA) as (ada, server):
        ada.watch.allow_network_trouble()
        with ada.network.down():
            ada.reload()
            assert way_of(ada) == "ordinary"
        assert not [path for path in asked(server) if ".snapshot" in path]


def fail_and_reload(person: UserPage) -> None:
    """Start from a damaged cache, which is then deleted, and reload as the page says."""
    person.page.evaluate(SPOIL_THE_RUNTIME)
    person.watch.allow("uncaught error")
    person.page.reload(wait_until="commit")
    expect(person.root).to_have_attribute("data-page", "failed")
    eventually(lambda: person.page.evaluate("caches.keys()") == [], what="what was kept is gone")
    person.page.get_by_role("link", name="Reload").click()
    person.wait_until_started()


def test_reload_repairs_a_start_that_fails_from_the_cache(visit: Visit) -> None:
    with visit() as (ada, _):
        fail_and_reload(ada)
        assert way_of(ada) == "snapshot"


@pytest.mark.deep
def test_a_cache_deleted_by_one_tab_is_restored_by_another(visit: Visit) -> None:
    with visit() as (ada, _):
        other = ada.another_tab()
        other.open(ROOM)
        fail_and_reload(ada)
        eventually(
            lambda: any("/" in paths for paths in versions_kept(ada.page).values()), what="the page is kept"
        )
        ada.watch.allow_network_trouble()
        with ada.network.down():
            ada.reload()
            assert way_of(ada) == "snapshot"


@pytest.mark.deep
def test_reload_repairs_a_failed_start_during_an_incomplete_update(visit: Visit, host: Host) -> None:
    with visit() as (ada, _):
        host.publish("body { --published: 1; }")
        host.replace(host.styles, b"body { --published: changed by the host; }")
        ada.watch.allow("service-worker")
        fail_and_reload(ada)
        assert start_file(ada.page, "version") == host.version


@pytest.mark.deep
def test_a_moved_server_is_reached_by_the_version_that_allows_it(
    visit: Visit, host: Host, tmp_path: Path
) -> None:
    with visit() as (ada, _):
        ada.join()
        ada.say("here")
        with KizunaServer(tmp_path / "moved.sqlite3", ALLOWED_ORIGINS=ada.home) as elsewhere:
            ada.watch.allow("CSP violation", "Content Security Policy", "Failed to fetch")
            ada.watch.allow_origin(elsewhere.url)
            host.move_the_server(elsewhere.url)
            host.publish("body { --moved: yes; }")
            ada.page.reload(wait_until="commit")
            expect(
                ada.page.locator(f'link[href="{host.styles}"]')
            ).to_be_attached()  # nobody pressed anything
            ada.wait_until_in()
            ada.say("and there")
            ada.wait_for_text("and there", state="sent")


@pytest.mark.deep
def test_the_page_of_a_folder_leaves_those_above_and_below_alone(
    chromium: Browser, host: Host, tmp_path: Path
) -> None:
    above, new, broken = (tmp_path / "sites" / name for name in ("", "new", "broken"))
    shutil.copytree(host.site, above)
    scopes = "async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope).sort()"
    with contextlib.closing(chromium.new_context(locale="en-US")) as context, StaticHost(above) as static:
        page = context.new_page()
        root = page.locator("html")
        page.goto(static.url)
        wait_until_kept(page, host)
        host.publish("html { --is-new: yes; }")
        shutil.copytree(host.site, new)
        shutil.copytree(host.site, broken)
        for runtime in broken.glob("assets/*/pyodide.mjs*"):
            runtime.unlink()
        page.goto(f"{static.url}broken/")
        expect(root).to_have_attribute("data-page", "failed")
        throughout(lambda: page.evaluate(scopes) == [static.url], 1, what="the other worker stays")
        page.goto(f"{static.url}new/")
        expect(root).to_have_attribute("data-page", "live")
        wait_until_kept(page, host)
        assert page.evaluate(scopes) == [static.url, f"{static.url}new/"]
        assert root.get_attribute("data-update") is None


@pytest.mark.deep
def test_a_built_pages_worker_does_not_hide_the_source_tree(visit: Visit) -> None:
    with visit() as (ada, server):
        server.stop()
        with KizunaServer(server.data, server.port, ROOT=str(ROOT)):
            ada.page.reload(wait_until="commit")
            expect(ada.page.locator('script[src="static/boot/python.js"]')).to_be_attached()
            assert nothing_is_left(ada.page)
        server.start()


@pytest.mark.deep
def test_a_page_that_was_not_built_withdraws_what_is_kept(visit: Visit, host: Host) -> None:
    with visit() as (ada, _):
        script = (ROOT / "static" / "boot" / "updates.js").read_bytes()
        host.replace("static/boot/updates.js", script)
        host.replace(
            "index.html",
            b'<!doctype html><p>Source</p><script type="module" src="static/boot/updates.js"></script>',
        )
        ada.watch.allow("status of 404")  # its icon
        ada.cdp.send("Page.reload", {"ignoreCache": True})  # past the worker
        expect(ada.page.get_by_text("Source")).to_be_visible()
        eventually(lambda: nothing_is_left(ada.page), what="nothing is left")


@pytest.mark.parametrize(
    "has_config",
    [
        pytest.param(True, id="beside the same files"),
        pytest.param(False, id="without any of them", marks=pytest.mark.deep),
    ],
)
def test_a_host_that_has_no_worker_any_more_gets_its_page_shown(
    visit: Visit, host: Host, has_config: bool
) -> None:
    with visit() as (ada, _):
        host.remove("service-worker.js")
        host.replace("index.html", b"<!doctype html><p>Another site</p>")
        if not has_config:
            host.remove("static/config.json")
        ada.watch.allow("status of 404")
        ada.page.reload(wait_until="commit")
        expect(ada.page.get_by_text("Another site")).to_be_visible()
        assert nothing_is_left(ada.page)


@pytest.mark.deep
def test_a_host_that_says_the_same_to_every_address_gets_it_shown(visit: Visit, host: Host) -> None:
    with visit() as (ada, server):
        server.stop()
        with OneAnswer(server.port, b"<!doctype html><p>Another program</p>"):
            ada.watch.allow(".")  # whatever a page says that is not ours
            ada.page.reload(wait_until="commit")
            expect(ada.page.get_by_text("Another program")).to_be_visible()
            assert nothing_is_left(ada.page)
        server.start()


class OneAnswer:
    """A host that answers every request with one page, as hosts of single-page applications do."""

    def __init__(self, port: int, page: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(page)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)

    def __enter__(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def nothing_is_left(page: Page) -> bool:
    """Assert that the worker and its caches are gone."""
    count = (
        "async () => (await navigator.serviceWorker.getRegistrations()).length + (await caches.keys()).length"
    )
    return int(page.evaluate(count)) == 0


@pytest.mark.deep
def test_firefox_starts_offline_and_then_shows_the_source_tree(
    request: pytest.FixtureRequest, playwright: Playwright, installed: Browsers, host: Host, tmp_path: Path
) -> None:
    if installed.firefox is None:
        skip_without("Firefox", installed)
    with (
        KizunaServer(tmp_path / "kizuna.sqlite3", ROOT=str(host.site)) as server,
        browsers.firefox(playwright, installed.firefox) as browser,
    ):
        shared_pages = SharedPages(browser, server)
        fiona = shared_pages.new_person("Fiona", keeps=True)
        with present(request, [fiona], server):
            fiona.open(ROOM)
            wait_until_kept(fiona.page, host)
            fiona.watch.allow_network_trouble()
            with fiona.network.down():
                fiona.reload()
                assert way_of(fiona) == "snapshot"
            server.stop()
            with KizunaServer(server.data, server.port, ROOT=str(ROOT)):
                fiona.watch.allow("uncaught error")  # of the page whose files are removed during its start
                fiona.page.reload(wait_until="commit")
                expect(fiona.page.locator('script[src="static/boot/python.js"]')).to_be_attached()
                assert nothing_is_left(fiona.page)
                assert fiona.page.url.endswith(f"#/{ROOM}")
            server.start()
        shared_pages.close(fiona)


@pytest.mark.deep
def test_a_cached_page_needs_no_working_host_under_any_path(chromium: Browser, host: Host) -> None:
    with contextlib.closing(chromium.new_context()) as context:
        page = context.new_page()

        def opens(address: str) -> None:
            page.goto(address, wait_until="commit")
            expect(page.locator("html")).to_have_attribute("data-page", "live", timeout=PATIENCE * 2000)

        with StaticHost(host.site) as static:
            opens(static.url)
            wait_until_kept(page, host)
            static.in_order = False
            opens(f"{static.url}index.html?lang=ja")
        opens(static.url)
        scope = "async () => (await navigator.serviceWorker.getRegistration()).scope"
        assert page.evaluate(scope) == static.url
