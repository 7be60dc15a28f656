"""The cost of a hundred large messages for a page that enters the room, for tests/reports/attacks.py."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from backend.messaging.message_log import Rooms, Sender
from backend.store.sqlite import SqliteStore
from chat.protocol import SendMessage
from tests.support import browsers
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages
from tests.support.site import build_site
from tests.support.waiting import eventually
from tools.setup.browsers import find_browsers

SIZE = 16_000  #: of the 16 KiB that a message may have
MESSAGES = 100
QUIET = "nothing-said"

#: Kind of message, as in the table -> its content.
WORDS: dict[str, str] = {
    "plain words": "word " * (SIZE // 5),
    "brackets behind a link": "https://\u3042" + ")" * (SIZE - 12),
    "links": "https://a " * (SIZE // 10),
    "lines": "\n".join("x" * (SIZE // 2)),
    "combining marks": ("Z" + "\u0301\u0302\u0303\u0304\u0305\u0306") * (SIZE // 13),
    "families of emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * (SIZE // 25),
    "words turned around": "\u202eabc \u2066def " * (SIZE // 14),
    "one long word": "x" * SIZE,
}

#: Records long tasks of the page's main thread from now on.
WATCH = """() => {
    window.blocked = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) window.blocked.push(entry.duration);
    }).observe({type: "longtask"});
}"""


def fill(data: Path) -> None:
    """Store a hundred messages of each kind, each kind in another room."""
    store = SqliteStore(data)
    log = Rooms(store, clock=time.time, new_id=lambda: uuid.uuid4().hex)
    for number, words in enumerate(WORDS.values()):
        for message in range(MESSAGES):
            frame = SendMessage(
                client_message_id=f"{number}-{message}", room_id=f"kind-{number}", content=words
            )
            log.append(Sender("stranger", "Stranger"), frame)
    store.close()


def longest_stops() -> Iterator[tuple[str, float, float]]:
    """Yield each kind, the longest stop of a new page, and the sum of its stops over 50 ms, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = build_site(Path(folder) / "site")
        data = Path(folder) / "kizuna.sqlite3"
        fill(data)
        chromium = find_browsers().chromium
        browser = playwright.chromium.launch(executable_path=chromium, args=browsers.CHROMIUM_FLAGS)
        with KizunaServer(data, flags=["--root", str(site)]) as server:
            yield ("nothing", *_stops(browser, server, QUIET))
            for number, kind in enumerate(WORDS):
                yield (kind, *_stops(browser, server, f"kind-{number}"))
        browser.close()


def _stops(browser: Browser, server: KizunaServer, room: str) -> tuple[float, float]:
    """Measure a new page that enters a room and shows its messages."""
    shared_pages = SharedPages(browser, server)
    person = shared_pages.new_person(f"Newcomer {room}")
    try:
        person.open(QUIET)
        person.join()
        person.wait_until_in()
        person.run(WATCH)
        person.enter(room)
        if room != QUIET:
            shown = "() => document.querySelector('[role=log]').dataset.lastSeq"
            eventually(
                lambda: person.run(shown) == str(MESSAGES), what="all of it is there", pause=person.pause
            )
            person.run(AFTER_TWO_FRAMES)
        blocked: list[float] = person.run("() => window.blocked")
    finally:
        shared_pages.close(person)
    return max(blocked, default=0.0), sum(blocked)


#: Resolves when everything is painted and the observer has reported it.
AFTER_TWO_FRAMES = """() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(
    () => requestIdleCallback(resolve))))"""


if __name__ == "__main__":
    for row in longest_stops():
        print(row, flush=True)
