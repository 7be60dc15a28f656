"""A user's page in Chromium or Firefox, driven by Playwright."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import CDPSession, Error, Locator, Page

from tests.support.fault_proxy import FaultProxy
from tests.support.page_driver import PageDriver
from tests.support.server import ROOT
from tests.support.waiting import PATIENCE
from tests.support.watch import Watch

#: Counts the page's WebSockets by weak references. Runtime.queryObjects crashes pages with Pyodide (Chromium 156).
REMEMBER_SOCKETS = """{
    const made = [];
    window.WebSocket = new Proxy(WebSocket, {construct(target, given, newTarget) {
        const socket = Reflect.construct(target, given, newTarget);
        made.push(new WeakRef(socket));
        return socket;
    }});
    const isHeard = (socket) => socket.onopen || socket.onmessage || socket.onerror || socket.onclose;
    window.countSocketsAlive = () => made.map((reference) => reference.deref()).filter((socket) =>
        socket && (socket.readyState <= WebSocket.OPEN || socket.readyState === WebSocket.CLOSING && isHeard(socket))
    ).length;
}"""

WATCH_LOG = """log => {
    const seen = window.changesOfLog = {added: 0, removed: 0, touched: []};
    const text = (article) => article.querySelector('[data-part="content"]').textContent;
    const articles = (nodes) => [...nodes].flatMap((node) => node.nodeType !== Node.ELEMENT_NODE ? []
        : [...(node.matches("article") ? [node] : []), ...node.querySelectorAll("article")]);
    new MutationObserver((changes) => changes.forEach((change) => {
        seen.added += articles(change.addedNodes).length;
        seen.removed += articles(change.removedNodes).length;
        const target = change.target.nodeType === Node.ELEMENT_NODE ? change.target : change.target.parentElement;
        if (target?.closest("article")) seen.touched.push(text(target.closest("article")));
    })).observe(log, {childList: true, subtree: true, attributes: true, characterData: true});
}"""

WATCH_STATUS = """() => {
    const root = document.documentElement;
    window.watchOfStatus?.disconnect();
    window.statuses = [root.dataset.status];
    window.watchOfStatus = new MutationObserver(() =>
        statuses.at(-1) !== root.dataset.status && statuses.push(root.dataset.status));
    watchOfStatus.observe(root, {attributeFilter: ["data-status"]});
}"""

READ_DATABASE = """() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("kizuna");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
        const found = {}, tables = [...opening.result.objectStoreNames];
        const transaction = opening.result.transaction(tables);
        for (const table of tables)
            transaction.objectStore(table).getAll().onsuccess = (event) => { found[table] = event.target.result; };
        transaction.oncomplete = () => { opening.result.close(); resolve(found); };
    };
})"""


@dataclass(frozen=True)
class Changes:
    """Changes of the log since the last call."""

    added: int  #: articles
    removed: int  #: articles
    touched: tuple[str, ...]  #: texts of articles that stayed and changed in any way


class UserPage(PageDriver):
    """A user's page, driven by Playwright, with a network that can have faults.

    ``home``: where the page is served, if not by the server behind the network. ``keeps``: whether the browser has
    service workers, which cost more than the page's start and answer in place of Playwright's routes.
    """

    def __init__(
        self, page: Page, network: FaultProxy, name: str, home: str | None = None, *, keeps: bool = False
    ) -> None:
        super().__init__(home or network.url, name)
        self.page = page
        self.network = network
        self.watch = Watch(page, self.home, network.url)
        page.set_default_timeout(PATIENCE * 1000)
        page.add_init_script(REMEMBER_SOCKETS)
        if not keeps:
            page.add_init_script("delete Navigator.prototype.serviceWorker;")
        self.root = page.locator("html")
        self.name_box = page.get_by_role("textbox", name="Your name")
        self.join_button = page.get_by_role("button", name="Join", exact=True)
        self.try_now_button = page.get_by_role("button", name="Try now", exact=True)
        self.message_box = page.get_by_role("textbox", name="Message", exact=True)
        self.send_button = page.get_by_role("button", name="Send", exact=True)
        self.log = page.get_by_role("log", name="Messages")
        self._keeps = keeps
        self._cdp: CDPSession | None = None

    def another_tab(self) -> UserPage:
        """Return a second tab of the same browser, whose page is not open yet."""
        return UserPage(self.page.context.new_page(), self.network, self.name, keeps=self._keeps)

    # --- PageDriver ---

    def run(self, function: str, argument: object = None) -> Any:
        try:
            return self.page.evaluate(function, argument)
        except Error as error:
            if "context was destroyed" not in error.message:
                raise
            raise AssertionError(f"another page takes its place: {error.message}") from error

    def pause(self, seconds: float) -> None:
        """Wait while Playwright handles the page's routes and events."""
        self.page.wait_for_timeout(seconds * 1000)

    def go(self, address: str) -> None:
        self.page.goto(address, wait_until="commit")

    def reload(self) -> None:
        """Load the page again."""
        self.page.reload(wait_until="commit")
        self.wait_until_started()

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def write(self, selector: str, text: str, *, enter: bool = False) -> None:
        field = self.page.locator(selector)
        field.fill(text)
        if enter:
            field.press("Enter")

    def hide(self) -> None:
        """Bring another tab to the front. In Firefox only a page can open one, since Playwright opens windows."""
        context = self.page.context
        cover = next((page for page in context.pages if page is not self.page), None)
        if cover is None:
            with context.expect_page() as opening:
                self.run("() => { window.open('about:blank', '_blank', 'noopener'); }")
            cover = opening.value
        cover.bring_to_front()
        self.wait_for_visibility("hidden")

    def show(self) -> None:
        """Bring the tab to the front."""
        self.page.bring_to_front()
        self.wait_for_visibility("visible")

    def freeze(self) -> None:
        """Freeze a hidden tab, as Chromium does to save power."""
        assert self.visibility == "hidden", "only hidden tabs can be frozen"
        self.cdp.send("Page.setWebLifecycleState", {"state": "frozen"})

    def thaw(self) -> None:
        """Let a frozen tab run again, still hidden."""
        self.cdp.send("Page.setWebLifecycleState", {"state": "active"})

    def set_offline(self, offline: bool) -> None:
        """Set the flag. Chromium also holds back all frames meanwhile, Firefox refuses new connections."""
        self.page.context.set_offline(offline)

    # --- more than PageDriver ---

    def article(self, text: str) -> Locator:
        """Return the messages with exactly this text."""
        content = self.page.locator('[data-part="content"]', has_text=re.compile(f"^{re.escape(text)}$"))
        return self.log.get_by_role("article").filter(has=content)

    def watch_status(self) -> Callable[[], list[str]]:
        """Record every status from now on; the returned function gives the list, which starts with the present one."""
        self.run(WATCH_STATUS)
        return lambda: list(self.run("() => window.statuses"))

    def watch_log(self) -> Callable[[], Changes]:
        """Record every change of the log from now on; the returned function gives those since its last call."""
        self.log.evaluate(WATCH_LOG)

        def changes() -> Changes:
            seen = self.page.evaluate(
                """() => {
                    const seen = {...window.changesOfLog};
                    Object.assign(window.changesOfLog, {added: 0, removed: 0, touched: []});
                    return seen;
                }"""
            )
            return Changes(seen["added"], seen["removed"], tuple(dict.fromkeys(seen["touched"])))

        return changes

    def kept(self) -> dict[str, list[str]]:
        """Return the rows of the page's database, by table."""
        found: dict[str, list[str]] = self.page.evaluate(READ_DATABASE)
        return found

    def sockets_alive(self) -> int:
        """Return how many of the page's WebSockets are connecting, open, or closing and still listened to."""
        return int(self.page.evaluate("countSocketsAlive()"))

    @property
    def cdp(self) -> CDPSession:
        """A session of Chromium's DevTools protocol for this page."""
        if self._cdp is None:
            self._cdp = self.page.context.new_cdp_session(self.page)
        return self._cdp


def give_config(page: Page, **connection: float) -> None:
    """Serve the page a static/config.json with these connection options."""
    config: dict[str, Any] = json.loads((ROOT / "static" / "config.json").read_text())
    config["connection"] = {**config.get("connection", {}), **connection}
    page.route("**/static/config.json", lambda route: route.fulfill(json=config))
