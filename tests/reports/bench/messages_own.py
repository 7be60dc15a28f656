"""What only this project's page is measured for: writing, many rooms, a restored cache and outbox, the cost by part."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import PurePosixPath
from string import ascii_lowercase

from playwright.async_api import Error

from tests.reports.bench.messages_server import ROOM, BenchServer, content_of
from tests.reports.bench.messages_visits import QUIET, Load, Spent, Visit, first_line, measured
from tests.support.site import RUN_PYTHON

#: Opens the page in a new browser.
Open = Callable[[], AbstractAsyncContextManager[Visit]]

Costs = dict[str, float]

KEY_EVERY = 0.08  #: seconds
LOADED, PROFILED, ROOMS = 2_000, 1_000, 50
NEVER = 10**9

#: A folder or file of the program, and the part that it belongs to; the first that fits counts. `json` is Python's.
PARTS = (
    ("json", "read"),
    ("kizuna/browser", "read"),
    ("kizuna/wire.py", "read"),
    ("kizuna/codec.py", "read"),
    ("chat/protocol.py", "read"),
    ("chat/article.py", "read"),
    ("chat/names.py", "read"),
    ("chat/cache.py", "keep"),
    ("kizuna/runtime/journal.py", "keep"),
    ("kizuna/delivery", "order"),
    ("kizuna/store.py", "publish"),
    ("kizuna", "decide"),
    ("chat/store.py", "publish"),
    ("chat/session.py", "publish"),
    ("chat", "order"),
    ("ui", "paint"),
    ("main.py", "paint"),
)
OTHER = "Python's library"
PART_NAMES = ("read", "decide", "order", "publish", "paint", "keep", OTHER, "the browser besides")
#: Files that the report names.
DEAREST = 8

PROFILE = """
import _lsprof
bench_profiler = _lsprof.Profiler()
bench_profiler.enable()
"""
#: Returns pairs: a file, and the seconds in its functions and in those that they called in files of the library.
READ_PROFILE = """
import json
bench_profiler.disable()

def file_of(code):
    name = "" if isinstance(code, str) else code.co_filename
    if name.startswith("/home/pyodide/"):
        return name.removeprefix("/home/pyodide/")
    return "json" if "/json/" in name else ""

spent = {}
for entry in bench_profiler.getstats():
    spent[""] = spent.get("", 0) + entry.inlinetime
    if file := file_of(entry.code):
        called = sum(call.inlinetime for call in entry.calls or () if not file_of(call.code))
        spent[file] = spent.get(file, 0) + entry.inlinetime + called
spent[""] -= sum(seconds for file, seconds in spent.items() if file)
json.dumps(spent)
"""


@dataclass
class Own:
    """What was measured of this page alone. ``keys`` and ``enters``: milliseconds from key press to paint, and from
    Enter to the painted row, with LOADED messages and nothing else going on. ``starts``: name -> milliseconds.
    ``parts`` and ``files``: microseconds for each message. ``failures``: what could not be measured, and why."""

    keys: Sequence[float] = ()
    enters: Sequence[float] = ()
    starts: Costs = field(default_factory=dict)
    parts: Costs = field(default_factory=dict)
    files: Costs = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Note a failure of one part, so that the others are measured all the same."""
        try:
            yield
        except (AssertionError, Error, TimeoutError) as error:
            self.failures.append(f"this page alone, {name}: {first_line(error)}")


async def measure_own(opened: Open, server: BenchServer, *, keys: int, outbox: int, limit: float) -> Own:
    """Return what is measured of this page alone.

    ``opened``: opens it so that it joins by itself. ``keys``, ``outbox``: how many keys are typed and messages wait.
    ``limit``: seconds for each part.
    """
    own = Own()
    with own.part("writing"):
        async with asyncio.timeout(limit), opened() as visit:
            own.starts["connected, first visit"] = await visit.started(server)
            own.keys, own.enters = await writing(visit, server, keys, limit)
            own.starts |= await restored_cache(visit, server, words(keys // 4)[-1])
    with own.part("many rooms"):
        async with asyncio.timeout(limit), opened() as visit:
            await visit.started(server)
            own.starts |= await many_rooms(visit, server)
    with own.part("a full outbox"):
        async with asyncio.timeout(limit), opened() as visit:
            await visit.started(server)
            own.starts |= await full_outbox(visit, server, outbox)
    with own.part("the cost by part"):
        async with asyncio.timeout(2 * limit):
            own.parts, own.files = await parts_of_a_message(opened, server, limit)
    return own


async def writing(
    visit: Visit, server: BenchServer, count: int, limit: float
) -> tuple[list[float], list[float]]:
    """Return the times of keys and of Enter, in a room with LOADED messages."""
    await measured(visit, "kizuna", Load(LOADED), server, limit)
    await asyncio.sleep(QUIET)
    await visit.begin(NEVER, "\0")
    for word in words(count // 4):
        for key in [*word, "Enter"]:
            await visit.type(key)
            await asyncio.sleep(KEY_EVERY)
    told = await visit.page.evaluate("bench.summary()")
    return told["keys"], told["enters"]


def words(count: int) -> list[str]:
    """Return different words that no other message contains."""
    return [f"q{first}{second}q" for first, second in islice(product(ascii_lowercase, repeat=2), count)]


async def restored_cache(visit: Visit, server: BenchServer, last: str) -> Costs:
    """Load the page again, which has kept the newest messages of its room."""
    await _reload(visit, server)
    await visit.begin(1, last)
    connected = await visit.started(server)
    told = await visit.page.evaluate("bench.done()")
    kept = told["began"] + told["painted"]
    return {"kept messages painted, next visit": kept, "connected, next visit": connected}


async def many_rooms(visit: Visit, server: BenchServer) -> Costs:
    """Enter as many rooms as there may be, receive messages in all of them, and load the page again."""
    rooms = [ROOM, *(f"room-{number}" for number in range(2, ROOMS + 1))]
    for room in rooms[1:]:
        await visit.page.evaluate("(room) => { location.hash = `#/${room}`; }", room)
        await visit.page.locator("#room-name").get_by_text(room, exact=True).wait_for()
    await asyncio.sleep(QUIET)
    each = 1_000 // ROOMS
    await visit.begin(each, content_of(each))
    sending = asyncio.ensure_future(server.spread(each * ROOMS, rooms))
    told = await visit.page.evaluate("bench.done()")
    await sending
    await _reload(visit, server)
    connected = await visit.started(server)
    return {
        f"1,000 messages to {ROOMS} rooms, painted": told["painted"],
        f"connected, {ROOMS} rooms": connected,
    }


async def full_outbox(visit: Visit, server: BenchServer, waiting: int) -> Costs:
    """Write messages that the server does not acknowledge, load the page again, and let them be sent."""
    server.acknowledges = False
    begun = time.perf_counter()
    for word in words(waiting):
        await visit.page.keyboard.insert_text(word)
        await visit.type("Enter")
    await visit.page.locator(f"#messages[data-count='{waiting}']").wait_for()
    written = (time.perf_counter() - begun) * 1000 / waiting
    server.acknowledges = True
    await _reload(visit, server)
    await visit.begin(waiting, words(waiting)[-1])
    connected = await visit.connected_at()
    told = await visit.page.evaluate("bench.done()")
    await visit.page.locator("article:not([data-state=sent])").first.wait_for(state="detached")
    sent = await visit.page.evaluate("performance.now()")
    return {
        f"each of {waiting} messages that wait, written": written,
        f"{waiting} waiting messages painted, next visit": told["began"] + told["painted"],
        f"connected, {waiting} messages wait": connected,
        f"all of {waiting} sent, next visit": sent,
    }


async def _reload(visit: Visit, server: BenchServer) -> None:
    server.joined.clear()
    await visit.page.reload(wait_until="domcontentloaded")


async def parts_of_a_message(opened: Open, server: BenchServer, limit: float) -> tuple[Costs, Costs]:
    """Return the microseconds of each part, and of each of the dearest files.

    A profiler divides Python's time. It makes Python slower, so the whole is that of a run without it.
    """
    async with opened() as visit:
        await visit.started(server)
        plain = await measured(visit, "kizuna", Load(PROFILED), server, limit)
    async with opened() as visit:
        await visit.started(server)
        script = await visit.page.locator('script[type="module"][async]').get_attribute("src")
        await visit.page.evaluate(RUN_PYTHON, [script, PROFILE])
        await measured(visit, "kizuna", Load(PROFILED), server, limit)
        spent = json.loads(await visit.page.evaluate(RUN_PYTHON, [script, READ_PROFILE]))
    if plain.spent is None:
        return {}, {}
    return divided(spent, plain.spent)


def divided(profile: Mapping[str, float], spent: Spent) -> tuple[Costs, Costs]:
    """Divide the time of PROFILED messages by part and by file. ``profile``: file -> seconds; "": Python's library."""
    python = spent.script + spent.style + spent.layout  # the program asks for heights, which needs a layout
    scale = 1e6 * python / sum(profile.values()) / PROFILED
    files = {file or "Python's library": seconds * scale for file, seconds in profile.items()}
    parts = dict.fromkeys(PART_NAMES, 0.0)
    for file, cost in files.items():
        parts[part_of(file)] += cost
    parts["the browser besides"] = 1e6 * (spent.task - python) / PROFILED
    dearest = sorted(files, key=lambda file: -files[file])[:DEAREST]
    return parts, {file: files[file] for file in dearest}


def part_of(file: str) -> str:
    """Return the part that a file of the program belongs to."""
    return next((part for place, part in PARTS if PurePosixPath(file).is_relative_to(place)), OTHER)
