"""One visit of one page in a Chromium of its own, for tests/reports/bench/messages.py."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

from playwright.async_api import CDPSession, Error, Page, Playwright

from tests.reports.bench.messages_pages import PAGES, address
from tests.reports.bench.messages_server import BenchServer, content_of, frames_of
from tests.support.browsers import CHROMIUM_FLAGS

SCRIPT = Path(__file__).with_name("messages.js").read_text(encoding="utf-8")
#: Seconds between two keys that are typed during a flood, and until a page that has started is quiet.
KEY_EVERY, QUIET = 0.2, 1.0
#: Seconds in which a page that was stopped may answer.
PATIENCE = 5.0


@dataclass(frozen=True)
class Load:
    """What a page receives. ``rate``: messages a second; 0: as fast as it reads them."""

    count: int
    rate: int = 0
    duplicates: bool = False

    @property
    def name(self) -> str:
        """As the tables say it."""
        if self.rate:
            return f"{self.rate:,} a second for {self.count // self.rate} s"
        return f"{self.count:,}" + (", 10 % twice" if self.duplicates else "")


class Spent(NamedTuple):
    """Seconds of the page's main thread: of all tasks, and in them for scripts, styles and layout."""

    task: float
    script: float
    style: float
    layout: float


class Size(NamedTuple):
    """What a page occupies: bytes of JavaScript's heap and of WebAssembly, DOM nodes."""

    heap: float
    wasm: float
    nodes: float


@dataclass(frozen=True)
class Result:
    """What one load did to one page. Times are milliseconds; ``painted`` None: the page did not finish in time."""

    page: str
    load: Load
    known: float | None = None
    painted: float | None = None
    longest: float = 0.0  #: task; 0: none of 50 ms or more
    gap: float = 0.0  #: longest time between two frames of the screen
    lost: int = 0  #: frames of the screen
    keys: tuple[float, ...] = field(default=())  #: from key press to paint
    grown: Size | None = None
    spent: Spent | None = None
    failure: str = ""  #: why there is no result, other than the time


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return str(error).partition("\n")[0] or type(error).__name__


class Visit:
    """A page that is open, and the means to measure it."""

    def __init__(self, kind: str, page: Page, cdp: CDPSession) -> None:
        self.kind = PAGES[kind]
        self.page = page
        self.cdp = cdp

    async def join(self, server: BenchServer) -> None:
        """Give a name, and wait until the page is connected and quiet."""
        await self.page.locator(self.kind.name_field).fill("Ada")
        await self.page.locator(self.kind.name_field).press("Enter")
        await self.connected(server)

    async def connected(self, server: BenchServer) -> None:
        """Wait until the page is connected and quiet."""
        await server.joined.wait()
        if self.kind.is_own:
            await self.page.locator("html[data-status=connected][data-caught-up=true]").wait_for()
        await self.page.locator(self.kind.field).focus()
        await asyncio.sleep(QUIET)

    async def started(self, server: BenchServer) -> float:
        """Wait until a page that joins by itself is quiet. Return what connected_at returns."""
        at = await self.connected_at()
        await self.connected(server)
        return at

    async def connected_at(self) -> float:
        """Return the milliseconds from the navigation until a page that joins by itself was connected."""
        told = await self.page.evaluate("measured")
        return float(told["seen"]["connected"])

    async def begin(self, count: int, last: str) -> None:
        """Begin to measure until so many messages are known and the row of the last one is painted."""
        told = {"count": count, "last": last, "rows": self.kind.rows, "counted": self.kind.counted}
        await self.page.evaluate("(told) => bench.begin(told)", told)

    async def type(self, key: str) -> None:
        """Press a key in the field that has the focus. It returns once the page has handled it."""
        code, text = (key, "\r") if key == "Enter" else (f"Key{key.upper()}", key)
        press = {"key": key, "code": code, "windowsVirtualKeyCode": ord(text.upper())}
        await self.cdp.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": text, **press})
        await self.cdp.send("Input.dispatchKeyEvent", {"type": "keyUp", **press})

    async def type_for_ever(self) -> None:
        """Press a key again and again."""
        while True:
            await self.type("a")
            await asyncio.sleep(KEY_EVERY)

    async def known(self) -> float | None:
        """Return the milliseconds until the last message was known; None if it is not, or if the page hangs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                return cast("float | None", (await self.page.evaluate("bench.summary()"))["known"])
        return None

    async def size(self) -> Size:
        """Return what the page occupies after a garbage collection."""
        await self.cdp.send("HeapProfiler.collectGarbage")
        metrics = await self.metrics()
        return Size(metrics["JSHeapUsedSize"], await self.page.evaluate("bench.wasm()"), metrics["Nodes"])

    async def spent(self) -> Spent:
        """Return the seconds of the main thread so far."""
        metrics = await self.metrics()
        names = ("TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
        return Spent(*(metrics[name] for name in names))

    async def metrics(self) -> dict[str, float]:
        """Return Chromium's counters of this page."""
        told = await self.cdp.send("Performance.getMetrics")
        return {metric["name"]: metric["value"] for metric in told["metrics"]}


@contextlib.asynccontextmanager
async def visiting(
    playwright: Playwright, chromium: Path, host: str, server: BenchServer, kind: str, *scripts: str
) -> AsyncIterator[Visit]:
    """Open a page in a browser that was started for it. ``scripts``: further ones, which run before its own."""
    server.reset()
    browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
    try:
        context = await browser.new_context(service_workers="block")
        for script in (SCRIPT, *scripts):
            await context.add_init_script(script)
        page = await context.new_page()
        cdp = await context.new_cdp_session(page)
        await cdp.send("Performance.enable")
        await page.goto(address(host, kind, server))
        yield Visit(kind, page, cdp)
    finally:
        with contextlib.suppress(Error):
            await browser.close()


async def measured(visit: Visit, kind: str, load: Load, server: BenchServer, limit: float) -> Result:
    """Return what a load does to a page that is connected. ``limit``: seconds until it is stopped; of a load with a
    rate, after the last message was sent."""
    duration = load.count / load.rate if load.rate else 0.0
    frames = frames_of(1, load.count, visit.kind.wire, duplicates=load.duplicates)
    before, spent = await visit.size(), await visit.spent()
    await visit.begin(load.count, content_of(load.count))
    sending = server.flow(frames, load.rate) if load.rate else server.burst(frames, load.count)
    tasks = [asyncio.ensure_future(sending), asyncio.ensure_future(visit.type_for_ever())]
    try:
        async with asyncio.timeout(limit + duration):
            told = await visit.page.evaluate("bench.done()")
    except TimeoutError:
        return Result(kind, load, known=await visit.known())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert told["count"] == load.count, f"{kind} has {told['count']:,} of {load.count:,} messages"
    now, after = await visit.spent(), await visit.size()
    return Result(
        kind,
        load,
        known=told["known"],
        painted=told["painted"],
        longest=told["longest"],
        gap=told["gap"],
        lost=told["lost"],
        keys=tuple(told["keys"]),
        grown=Size(*(new - old for new, old in zip(after, before, strict=True))),
        spent=Spent(*(new - old for new, old in zip(now, spent, strict=True))),
    )
