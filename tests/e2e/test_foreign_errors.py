"""What extensions, hosts and observers do wrong in the page is not the page's failure."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e.conftest import present
from tests.e2e.test_service_worker import start_file, versions_kept
from tests.support.cast import Cast
from tests.support.server import KizunaServer
from tests.support.site import Copy
from tests.support.waiting import eventually

#: Remembers every state of the page, and makes the errors of others while it starts.
FOREIGN_ERRORS = """
window.states = [];
new MutationObserver((changes) => {
    for (const { target } of changes) states.push(target.dataset.page);
}).observe(document, { subtree: true, attributeFilter: ["data-page"] });
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
for (const moment of [0, 100, 300]) setTimeout(fail, moment);
"""
#: As some hosts put it into every page; the page's own rules refuse it.
BEACON = '<script defer src="https://static.cloudflareinsights.com/beacon.min.js"></script></body>'


def test_errors_of_extensions_and_hosts_fail_neither_the_page_nor_what_it_keeps(
    request: pytest.FixtureRequest, chromium: Browser, site: Path, tmp_path: Path
) -> None:
    copy = Copy(site, tmp_path / "copy")
    copy.say("</body>", BEACON)
    with KizunaServer(tmp_path / "kizuna.sqlite3", ROOT=str(copy.site), RATE_LIMIT="0") as server:
        cast = Cast(chromium, server)
        ada = cast.hire("Ada", keeps=True)
        ada.page.add_init_script(FOREIGN_ERRORS)
        ada.watch.allow(".")  # somebody else's
        ada.watch.allow_origin("https://static.cloudflareinsights.com")
        with present(request, [ada], server):
            ada.open("kept")
            assert any("beacon" in line for line in ada.watch.console)
            assert ada.page.evaluate("states") == ["live"]
            last = start_file(ada.page, "nothing")
            eventually(
                lambda: any(
                    path.endswith(last) for paths in versions_kept(ada.page).values() for path in paths
                ),
                what="the page is kept",
            )
            with ada.network.down():
                ada.reload()
            assert ada.page.evaluate("states") == ["live"]
        cast.dismiss(ada)
