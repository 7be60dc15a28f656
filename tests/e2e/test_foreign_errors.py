"""Errors of extensions, hosts and observers in the page are no failure of the page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.conftest import present
from tests.e2e.test_service_worker import start_file, versions_kept
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.site import Copy
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

REMEMBER_STATES = """
window.states = [];
new MutationObserver((changes) => {
    for (const { target } of changes) states.push(target.dataset.page);
}).observe(document, { subtree: true, attributeFilter: ["data-page"] });
"""
#: Others fail while the page starts.
FOREIGN_ERRORS = """
const fail = () => {
    Promise.reject(new Error("MetaMask: Disconnected from chain"));
    Promise.reject("an extension's network is gone");
    Promise.reject({ code: 4001 });
    dispatchEvent(new ErrorEvent("error", { message: "Script error." }));
    dispatchEvent(new ErrorEvent("error", {
        message: "ResizeObserver loop completed with undelivered notifications.", filename: location.href,
    }));
    const wallet = "chrome-extension://wallet/inpage.js";
    dispatchEvent(new ErrorEvent("error", { message: "ours is broken", filename: wallet, error: new Error() }));
};
const failing = setInterval(() => {
    fail();
    if (document.documentElement.dataset.page === "live") clearInterval(failing);
}, 50);
"""
#: An error of the page itself, which stops nothing.
OWN_ERROR = """
const failing = setInterval(() => { // until the page has begun to listen
    dispatchEvent(new ErrorEvent("error", { message: "ours", filename: location.href, error: new Error("ours") }));
    if (document.documentElement.dataset.page === "failed") clearInterval(failing);
}, 50);
"""
#: A script that some hosts put into every page; the page's policy blocks it.
BEACON = '<script defer src="https://static.cloudflareinsights.com/beacon.min.js"></script></body>'


@contextlib.contextmanager
def visit(
    request: pytest.FixtureRequest, chromium: Browser, site: Path, folder: Path, script: str
) -> Iterator[UserPage]:
    """A person whose page is not open yet; all its problems are allowed."""
    with KizunaServer(folder / "kizuna.sqlite3", ROOT=str(site), RATE_LIMIT="0") as server:
        shared_pages = SharedPages(chromium, server)
        ada = shared_pages.new_person("Ada", keeps=True)
        ada.page.add_init_script(REMEMBER_STATES + script)
        ada.watch.allow(".")
        with present(request, [ada], server):
            yield ada
        shared_pages.close(ada)


def wait_until_kept(person: UserPage) -> None:
    last = start_file(person.page, "nothing")
    eventually(
        lambda: any(path.endswith(last) for paths in versions_kept(person.page).values() for path in paths),
        what="the page is kept",
    )


def test_errors_of_extensions_and_hosts_do_not_fail_the_page(
    request: pytest.FixtureRequest, chromium: Browser, site: Path, tmp_path: Path
) -> None:
    copy = Copy(site, tmp_path / "copy")
    copy.say("</body>", BEACON)
    with visit(request, chromium, copy.site, tmp_path, FOREIGN_ERRORS) as ada:
        ada.watch.allow_origin("https://static.cloudflareinsights.com")
        ada.open("kept")
        assert any("beacon" in line for line in ada.watch.console)
        assert ada.page.evaluate("states") == ["live"]
        wait_until_kept(ada)
        with ada.network.down():
            ada.reload()
        assert ada.page.evaluate("states") == ["live"]


def test_a_page_live_after_a_failure_is_cached_like_any_other(
    request: pytest.FixtureRequest, chromium: Browser, site: Path, tmp_path: Path
) -> None:
    with visit(request, chromium, site, tmp_path, OWN_ERROR) as ada:
        ada.begin_to_open("kept")
        eventually(lambda: ada.page.evaluate("states") == ["failed", "live"], what="a failure, then life")
        wait_until_kept(ada)
