"""How long the page takes from navigation to alive, on loopback: the source tree's page beside the built one.

python -m tests.bench.start                  # builds the site first, then five visits of each kind
python -m tests.bench.start --visits 9 --site dist/site

Cold is a browser that was never here, warm the same browser's next page. The pages take turns, so that whatever else
the machine does slows both. The machine decides the milliseconds; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.e2e import browsers
from tests.e2e.built import build_site
from tests.e2e.server import ROOT, KizunaServer
from tools.browsers import find_browsers

PAGES = ("source tree", "built, ordinary", "built, snapshot")
KINDS = ("cold", "warm")
NOTE_THE_TIME = """
new MutationObserver((_, self) => {
    if (document.documentElement?.dataset.page !== "live") return;
    window.liveAt = performance.now();
    self.disconnect();
}).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-page"] });
"""
SAVE_DATA = "Object.defineProperty(navigator, 'connection', { value: { saveData: true } });"

#: (page, cold or warm) -> milliseconds of each visit.
Times = Mapping[tuple[str, str], Sequence[float]]


def measure(browser: Browser, urls: Mapping[str, str], visits: int) -> dict[tuple[str, str], list[float]]:
    """Visit every page, taking turns. Raises AssertionError if a page started another way than it should."""
    times: dict[tuple[str, str], list[float]] = {(page, kind): [] for page in PAGES for kind in KINDS}
    for _ in range(visits):
        for page in PAGES:
            with closing(browser.new_context()) as context:
                context.add_init_script(NOTE_THE_TIME)
                if page == "built, ordinary":
                    context.add_init_script(SAVE_DATA)
                for kind in KINDS:
                    times[page, kind].append(_visit(context, urls[page], page))
    return times


def _visit(context: BrowserContext, url: str, name: str) -> float:
    page = context.new_page()
    page.goto(url, wait_until="commit")
    page.locator("html[data-page=live]").wait_for(state="attached", timeout=60_000)
    way = page.locator("html").get_attribute("data-start")
    assert way is None or name.endswith(way), f"{name} started the {way} way"
    took = float(page.evaluate("liveAt"))
    page.close()
    return took


def table(times: Times) -> str:
    """Milliseconds and ratios to the source tree's page, as Markdown."""
    lines = [
        "| page | visit | median | min | ratio of medians | ratio of minima |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for page in PAGES:
        for kind in KINDS:
            mine, theirs = times[page, kind], times[PAGES[0], kind]
            ratios = median(mine) / median(theirs), min(mine) / min(theirs)
            lines.append(
                f"| {page} | {kind} | {median(mine):.0f} ms | {min(mine):.0f} ms | {ratios[0]:.2f} | {ratios[1]:.2f} |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.start", description=__doc__.split("\n")[0])
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--site", type=Path, help="a built site; without it, one is built")
    args = parser.parse_args(arguments)
    program = find_browsers().chromium
    if program is None:
        raise SystemExit("Chromium is missing: run make browsers")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        site = args.site.resolve() if args.site else build_site(folder / "site")
        servers = [
            stack.enter_context(KizunaServer(folder / f"{number}.sqlite3", ROOT=str(root)))
            for number, root in enumerate((ROOT, site))
        ]
        urls = dict(zip(PAGES, (servers[0].url, servers[1].url, servers[1].url), strict=True))
        browser = stack.enter_context(browsers.chromium(stack.enter_context(sync_playwright()), program))
        print(table(measure(browser, urls, args.visits)))


if __name__ == "__main__":
    main()
