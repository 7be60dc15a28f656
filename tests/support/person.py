"""A person in front of the page, by the roles and names of docs/contract.md."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import CDPSession, Error, Locator, Page, expect

from tests.support.fault_proxy import FaultProxy
from tests.support.server import ROOT
from tests.support.waiting import PATIENCE, eventually, throughout
from tests.support.watch import Watch

READ_ARTICLES = """articles => articles.map(article => ({
    text: article.querySelector('[data-part="content"]').textContent,
    state: article.dataset.state,
    seq: article.dataset.seq || null,
    message_id: article.dataset.messageId || null,
    client_message_id: article.dataset.clientMessageId || null,
    time: article.querySelector("time").dateTime,
}))"""

#: Remembers every WebSocket that the page makes, without keeping any alive. The browser's own way of counting,
#: Runtime.queryObjects, crashes pages that run Pyodide (Chromium 156).
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
    """What happened to the log since it was last asked about."""

    added: int  #: articles
    removed: int  #: articles
    touched: tuple[str, ...]  #: texts of articles that stayed and changed in any way


@dataclass(frozen=True)
class Shown:
    """A message as it stands on the screen."""

    text: str
    state: str
    seq: str | None
    message_id: str | None
    client_message_id: str | None
    time: str


class Person:
    """Responsible for using one page as a person does, and for reading it as a person does.

    ``home``: where the page is served, if not by the server that the network leads to. ``keeps``: whether the browser
    has service workers: what one does after each start costs more than the start, and it answers in routes' place.
    """

    def __init__(
        self, page: Page, network: FaultProxy, name: str, home: str | None = None, *, keeps: bool = False
    ) -> None:
        self.page = page
        self.network = network
        self.name = name
        self.home = home or network.url
        self.watch = Watch(page, self.home, network.url)
        page.add_init_script(REMEMBER_SOCKETS)
        if not keeps:
            page.add_init_script("delete Navigator.prototype.serviceWorker;")
        self.root = page.locator("html")
        self.name_box = page.get_by_role("textbox", name="Your name")
        self.join_button = page.get_by_role("button", name="Join", exact=True)
        self.leave_button = page.get_by_role("button", name="Leave", exact=True)
        self.try_now_button = page.get_by_role("button", name="Try now", exact=True)
        self.message_box = page.get_by_role("textbox", name="Message", exact=True)
        self.send_button = page.get_by_role("button", name="Send", exact=True)
        self.log = page.get_by_role("log", name="Messages")
        self.status_region = page.get_by_role("status")
        self._keeps = keeps
        self._cdp: CDPSession | None = None

    def another_tab(self) -> Person:
        """The same person in a second tab of the same browser; its page is not open yet."""
        return Person(self.page.context.new_page(), self.network, self.name, keeps=self._keeps)

    # --- doing ---

    def begin_to_open(self, room: str, query: str = "") -> None:
        """Ask for the page, and wait for no more than its first byte: several can start Python at once."""
        self.page.goto(f"{self.home}/{query}#/{room}", wait_until="commit")

    def wait_until_started(self) -> None:
        """Python runs, and the page can be used."""
        expect(self.root).not_to_have_attribute("data-page", "loading", timeout=PATIENCE * 2000)
        if self.root.get_attribute("data-page") != "live":
            raise AssertionError(f"the page did not start: {self.page.locator('#splash').inner_text()}")

    def open(self, room: str, query: str = "") -> None:
        """Open the page in a room."""
        self.begin_to_open(room, query)
        self.wait_until_started()

    def reload(self) -> None:
        """Load the page again."""
        self.page.reload(wait_until="commit")
        self.wait_until_started()

    def join(self) -> None:
        """Give a name, press Join, and be in the room with everything that was said there."""
        self.name_box.fill(self.name)
        self.join_button.click()
        self.wait_until_in()

    def wait_until_in(self, within: float = PATIENCE) -> None:
        """Connected and caught up."""
        self.wait_for_status("connected", within=within)
        expect(self.root).to_have_attribute("data-caught-up", "true", timeout=within * 1000)

    def come_back(self) -> None:
        """Connected again, whatever the test before has done."""
        if self.status in ("closed", "idle"):
            self.join()
        self.try_now_if_shown()
        self.wait_until_in()

    def try_now_if_shown(self) -> None:
        """Press the button, unless the page was quicker."""
        if self.try_now_button.is_visible():
            with contextlib.suppress(Error):
                self.try_now_button.click(timeout=1000)

    def enter(self, room: str) -> None:
        """Go to another room by the address, without loading the page again."""
        # No more than the commit: a page that was in the back/forward cache has no load any more to wait for.
        self.page.goto(f"{self.page.url.partition('#')[0]}#/{room}", wait_until="commit")
        expect(self.page.locator("#room-name")).to_have_text(room)
        expect(self.root).to_have_attribute("data-caught-up", "true")

    def leave_other_rooms(self) -> None:
        """Be in the room that is shown alone."""
        shown = self.page.locator("#room-name").inner_text()
        others = self.page.get_by_role("button", name=re.compile(rf"^Leave #(?!{re.escape(shown)}$)"))
        others.evaluate_all("buttons => buttons.forEach((button) => button.click())")
        expect(others).to_have_count(0)

    def say(self, *texts: str) -> None:
        """Type each of these and press Enter, as soon as the one before has left the composer."""
        for text in texts:
            self.message_box.fill(text)
            self.message_box.press("Enter")
            expect(self.message_box).to_have_value("")

    def leave(self) -> None:
        """Leave on purpose."""
        self.leave_button.click()
        self.wait_for_status("closed")

    # --- reading ---

    @property
    def status(self) -> str:
        """The connection's status now."""
        return self.root.get_attribute("data-status") or ""

    @property
    def visibility(self) -> str:
        """What the page is told of being seen: visible or hidden."""
        return str(self.page.evaluate("() => document.visibilityState"))

    def wait_for_status(self, *statuses: str, within: float = PATIENCE) -> None:
        """The status is one of these."""
        one_of = re.compile(f"^({'|'.join(statuses)})$")
        expect(self.root).to_have_attribute("data-status", one_of, timeout=within * 1000)

    def watch_status(self) -> Callable[[], list[str]]:
        """From now on notice every status, also one that nobody had the time to read; the result tells which there
        were, that of now first."""
        self.page.evaluate(WATCH_STATUS)
        return lambda: list(self.page.evaluate("() => window.statuses"))

    def stays_as(self, *statuses: str, seconds: float) -> None:
        """The status is one of these all the time."""
        throughout(lambda: self.status in statuses, seconds, what=f"the status stays {' or '.join(statuses)}")

    def article(self, text: str) -> Locator:
        """The messages that say exactly this."""
        content = self.page.locator('[data-part="content"]', has_text=re.compile(f"^{re.escape(text)}$"))
        return self.log.get_by_role("article").filter(has=content)

    def wait_for_text(self, text: str, within: float = PATIENCE, state: str | None = None) -> None:
        """The message stands there once, in this state if one is named."""
        expect(self.article(text)).to_have_count(1, timeout=within * 1000)
        if state is not None:
            expect(self.article(text)).to_have_attribute("data-state", state, timeout=within * 1000)

    @property
    def messages(self) -> list[Shown]:
        """All messages on the screen, from top to bottom."""
        return [Shown(**shown) for shown in self.log.get_by_role("article").evaluate_all(READ_ARTICLES)]

    @property
    def texts(self) -> list[str]:
        """What the messages say, from top to bottom."""
        return [shown.text for shown in self.messages]

    def wait_for_texts(self, *texts: str, within: float = PATIENCE) -> None:
        """The messages say exactly these, in this order, each once."""
        eventually(lambda: self.texts == list(texts), within, what=f"{list(texts)} on {self.name}'s screen")

    def watch_log(self) -> Callable[[], Changes]:
        """From now on notice every change of the log; the result tells of those since it was last called."""
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
        """The rows of the page's database, by table."""
        found: dict[str, list[str]] = self.page.evaluate(READ_DATABASE)
        return found

    def sockets_alive(self) -> int:
        """How many WebSockets of the page are connecting, open, or closing while the page still listens to them."""
        return int(self.page.evaluate("countSocketsAlive()"))

    @property
    def cdp(self) -> CDPSession:
        """A line to Chromium's own tools for this page."""
        if self._cdp is None:
            self._cdp = self.page.context.new_cdp_session(self.page)
        return self._cdp


def give_config(page: Page, **connection: float) -> None:
    """Serve the page a static/config.json with these connection numbers in it."""
    config: dict[str, Any] = json.loads((ROOT / "static" / "config.json").read_text())
    config["connection"] = {**config.get("connection", {}), **connection}
    page.route("**/static/config.json", lambda route: route.fulfill(json=config))
