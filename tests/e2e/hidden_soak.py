"""Minutes in a tab that is really hidden, with everything as a person has it: `make hidden`.

Nothing is scaled here: Chromium's own throttling, the connection's own numbers. Ends with 1 if the page lost its
connection, if its pings came late, or if Chromium did not hold the page's own timers back, which would prove nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.test_ticks import COUNT_TIMEOUTS, timeouts_of
from tests.support import browsers
from tests.support.fault_proxy import FaultProxy
from tests.support.person import Person
from tests.support.server import KizunaServer
from tests.support.waiting import eventually, throughout
from tools.browsers import find_browsers

#: Between pings, unless config.json says otherwise; and how much later than that one may come.
HEARTBEAT = 30.0
LATEST = 3.0


class Hidden:
    """Responsible for watching one page while it is hidden behind another."""

    def __init__(self, person: Person, cover: Page) -> None:
        self._person = person
        self._cover = cover
        self.pings: list[float] = []  #: when each was sent, seconds on the page's clock
        self.statuses: list[str] = []

    def watch(self, minutes: float) -> list[int]:
        """Hide it for so long, and print what it does; returns how often its own timers ran in each minute."""
        self._statuses = self._person.watch_status()
        self._person.page.evaluate(COUNT_TIMEOUTS)
        self._cover.bring_to_front()
        eventually(lambda: self._person.visibility == "hidden")
        self._person.watch.frames_sent.clear()
        counts = [timeouts_of(self._person)]
        began = time.monotonic()
        print("minute  own timers  pings so far  status", flush=True)
        while (left := minutes * 60 - (time.monotonic() - began)) > 0:
            throughout(lambda: True, min(60, left), what="a minute")
            counts.append(timeouts_of(self._person))
            self._read()
            ran = counts[-1] - counts[-2]
            print(f"{len(counts) - 1:6}  {ran:10}  {len(self.pings):12}  {self._person.status}", flush=True)
        return [after - before for before, after in itertools.pairwise(counts)]

    def _read(self) -> None:
        self.statuses = self._statuses()
        frames = map(json.loads, self._person.watch.frames_sent)
        self.pings = [frame["t"] / 1000 for frame in frames if frame["action"] == "ping"]


def main() -> int:
    """Run it; see the top of this file."""
    parser = argparse.ArgumentParser(prog="make hidden ARGS=...", description="Minutes in a hidden tab.")
    parser.add_argument("--minutes", type=float, default=5.0)
    minutes = parser.parse_args().minutes
    program = find_browsers().chromium
    if program is None:
        print("Chromium is missing: make browsers")
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        KizunaServer(Path(folder) / "kizuna.sqlite3") as server,
        FaultProxy(server.port) as network,
        sync_playwright() as playwright,
        browsers.chromium_that_hides(playwright, program) as context,
    ):
        person = Person(context.new_page(), network, "Hidden")
        person.page.bring_to_front()
        person.open("hidden")
        person.join()
        hidden = Hidden(person, context.pages[0])
        own_timers = hidden.watch(minutes)
        return judge(hidden, own_timers, network.counts.websockets, person.watch.problems)


def judge(hidden: Hidden, own_timers: list[int], links: int, problems: list[str]) -> int:
    """Print the sum of it; 1 if anything is not as it should be."""
    gaps = [after - before for before, after in itertools.pairwise(hidden.pings)]
    print(f"links made: {links}; status: {', '.join(hidden.statuses)}")
    print(f"seconds between pings: {', '.join(f'{gap:.2f}' for gap in gaps)}")
    wrong = list(problems)
    if links != 1 or set(hidden.statuses) != {"connected"}:
        wrong.append("the page did not keep its connection")
    if not gaps or max(gaps) > HEARTBEAT + LATEST:
        wrong.append("pings were late, or there were none")
    if min(own_timers) > 2:
        wrong.append("the page's own timers were never stopped for a minute: nothing was proven")
    for problem in wrong:
        print(problem)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
