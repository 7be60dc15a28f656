"""The leak check: a page that reconnects a thousand times holds what it held after the first ten.

One page in Chromium against the real server; its connection is reset, and it reconnects and catches up, again and
again, with a message now and then. What is counted must be the same after ten and at the end. Memory cannot be: the
second half may leave next to nothing (GROWTH).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from kizuna.runtime.journal import LIMIT
from tests.support.peer import Peer
from tests.support.server import ROOT
from tests.support.shared_pages import QUICK
from tests.support.user_page import UserPage, give_config
from tests.support.waiting import throughout
from ui.shell.announcer import KEPT_FOR

#: A room with messages, and one without: the counts must not depend on what is on the screen.
ROOM, SILENT_ROOM = "leaks", "silence"
#: Reconnects until the page has made everything that it makes once.
WARM_UP = 10
#: A message is sent before every so many reconnects.
SPEAK_EVERY = 25
#: Seconds until a reconnect has no further effects; the last is the removal of an announcement.
REST = KEPT_FOR + 1
#: What one reconnect may leave behind on the average of the second half: bytes, and Python's objects. Chromium keeps
#: the addresses of sockets and its errors about them; a message that was said stays, too.
GROWTH = {"js_heap": 2048, "wasm_heap": 2048, "objects": 0.9}
#: Options for immediate reconnects, without a heartbeat during the count.
CALM = {**QUICK, "firstRetryDelay": 0.02, "jitter": 0.0, "heartbeatInterval": 600, "stableAfter": 0.01}

#: Counts the workers that were made and not ended, the timers of the page that are armed, and those that were armed
#: in its worker and neither fired nor were disarmed. boot.js and PyScript arm some for good; those are the same after
#: ten and at the end.
REMEMBER = """{
    const armed = window.timersArmed = new Set(), inWorker = window.timersInWorker = new Set();
    const [set, clear, repeat, unrepeat] = [setTimeout, clearTimeout, setInterval, clearInterval];
    window.setTimeout = (callback, ...rest) => {
        const id = set((...given) => { armed.delete(id); callback(...given); }, ...rest);
        armed.add(id);
        return id;
    };
    window.clearTimeout = (id) => { armed.delete(id); clear(id); };
    window.setInterval = (...given) => { const id = repeat(...given); armed.add(id); return id; };
    window.clearInterval = (id) => { armed.delete(id); unrepeat(id); };
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
        message.delay === undefined ? inWorker.delete(message.id) : inWorker.add(message.id);
        return post.call(this, message, ...rest);
    };
    window.workersAlive = 0;
    window.Worker = new Proxy(Worker, {construct(target, given, newTarget) {
        const worker = Reflect.construct(target, given, newTarget), terminate = worker.terminate.bind(worker);
        window.workersAlive += 1;
        worker.terminate = () => { window.workersAlive -= 1; terminate(); };
        worker.addEventListener("message", ({data}) => inWorker.delete(data));
        return worker;
    }});
}"""

#: Put behind app/main.py: what only Python can tell, and a further worker, which only the library may make. Pyodide
#: keeps a list of its proxies when asked to.
TELL = """

def _tell_figures():
    import asyncio, gc, json
    from kizuna import singleton
    from kizuna.browser import proxies
    gc.collect()
    journal = len(singleton.get_or_create(None).journal.entries)
    return json.dumps({
        "proxies": proxies.alive(),
        "pyproxies": _module.pyproxy_alloc_map.size,
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()) - journal,
        "journal": journal,
        "wasm_heap": _module.HEAP8.length,
    })

from kizuna.browser.ticks import Ticks as _Ticks
from pyodide.ffi import create_proxy as _create_proxy
from pyodide_js import _module

def _leak_worker():
    ticks = _Ticks("static/boot/ticks.js", lambda: None)
    ticks.start()
    return ticks._worker

_module.enable_pyproxy_allocation_tracing()
js.window.tellFigures = _create_proxy(_tell_figures)
js.window.leakWorker = _create_proxy(_leak_worker)
"""

#: Counts how often the page was connected and caught up again.
COUNT_RETURNS = """() => {
    const root = document.documentElement;
    let isOut = false, waiting = [];
    window.returns = 0;
    window.returned = (times) => new Promise((resolve) => {
        returns >= times ? resolve() : waiting.push([times, resolve]);
    });
    new MutationObserver(() => {
        if (root.dataset.status !== "connected") isOut = true;
        else if (isOut && root.dataset.caughtUp === "true") {
            isOut = false;
            returns += 1;
            waiting = waiting.filter(([times, resolve]) => times > returns || resolve());
        }
    }).observe(root, {attributeFilter: ["data-status", "data-caught-up"]});
}"""


@dataclass(frozen=True)
class Figures:
    """What a page holds after garbage collection in JavaScript and Python."""

    reconnects: int
    sockets: int  #: alive
    listeners: int  #: of JavaScript's events
    nodes: int  #: of the DOM, attached or not, while no message is shown
    documents: int
    timers: int  #: armed in the page
    worker_timers: int  #: armed in the worker
    workers: int  #: alive
    proxies: int  #: of the library, by its own count
    pyproxies: int  #: of everybody, by Pyodide's
    tasks: int  #: of asyncio
    objects: int  #: that Python's collector knows, without the entries of the journal
    journal: int  #: entries
    js_heap: int  #: bytes in use
    wasm_heap: int  #: bytes


#: Figures that must be equal after ten reconnects and at the end.
STEADY = tuple(
    field.name for field in fields(Figures) if field.name not in ("reconnects", "journal", *GROWTH)
)


def steady(figures: Figures) -> dict[str, int]:
    """The figures that must be equal."""
    return {name: getattr(figures, name) for name in STEADY}


class Gate:
    """One page that reconnects again and again, and what it holds.

    ``person`` has joined, in a page that ``prepare`` was told of before. ``peer`` is in the room, too.
    """

    def __init__(self, person: UserPage, peer: Peer) -> None:
        self.person = person
        self._peer = peer
        self.reconnects = 0
        person.page.evaluate(COUNT_RETURNS)
        peer.say("before")  # the first message changes more than later ones
        person.wait_for_text("before")
        for room in (SILENT_ROOM, ROOM):
            person.enter(room)

    @staticmethod
    def prepare(person: UserPage) -> None:
        """Prepare the page before it is loaded."""
        give_config(person.page, **CALM)
        person.page.add_init_script(REMEMBER)
        main = (ROOT / "app" / "main.py").read_text(encoding="utf-8") + TELL
        person.page.route(
            "**/app/main.py", lambda route: route.fulfill(body=main, content_type="text/x-python")
        )
        person.watch.allow_network_trouble()

    def reconnect(self, times: int) -> None:
        """Break the link and wait until the page has caught up again, this many times."""
        page = self.person.page
        for _ in range(times):
            self.reconnects += 1
            if self.reconnects % SPEAK_EVERY == SPEAK_EVERY // 2:
                self._peer.say(f"after {self.reconnects}")
            assert self.person.network.reset(only_websockets=True) == 1, "more than one link, or none"
            page.evaluate("times => returned(times)", self.reconnects)

    def read(self, like: Figures | None = None) -> Figures:
        """Return what the page holds once that has not changed for REST seconds, or is ``like`` this."""
        self.person.enter(SILENT_ROOM)
        last, since = self.read_at_once(), time.monotonic()
        while time.monotonic() - since < REST and not (like and steady(like) == steady(last)):
            before, last = last, self.read_at_once()
            if like is None and steady(before) != steady(last):
                since = time.monotonic()
        self.person.enter(ROOM)
        return last

    def read_at_once(self) -> Figures:
        """Collect garbage, and return what the page holds."""
        throughout(lambda: True, 0.3, what="the browser may end what it has to end")
        page, cdp = self.person.page, self.person.cdp
        told = json.loads(page.evaluate("() => tellFigures()"))
        cdp.send("HeapProfiler.collectGarbage")
        metrics = {each["name"]: each["value"] for each in cdp.send("Performance.getMetrics")["metrics"]}
        counted = page.evaluate("() => [timersArmed.size, timersInWorker.size, workersAlive]")
        return Figures(
            reconnects=self.reconnects,
            sockets=self.person.sockets_alive(),
            listeners=int(metrics["JSEventListeners"]),
            nodes=int(metrics["Nodes"]),
            documents=int(metrics["Documents"]),
            timers=counted[0],
            worker_timers=counted[1],
            workers=counted[2],
            js_heap=int(metrics["JSHeapUsedSize"]),
            **told,
        )

    def run(self, count: int, samples: int = 10) -> Iterator[Figures]:
        """Return the figures after WARM_UP, and then at even distances until ``count``."""
        self.person.cdp.send("Performance.enable")
        self.reconnect(WARM_UP - self.reconnects)
        yield (first := self.read())
        for sample in range(1, samples + 1):
            self.reconnect(WARM_UP + (count - WARM_UP) * sample // samples - self.reconnects)
            yield self.read(like=first)


def problems(seen: Sequence[Figures]) -> list[str]:
    """Return what has grown since WARM_UP, and memory that grows in the second half."""
    first, middle, last = seen[0], seen[len(seen) // 2], seen[-1]
    wrong = [
        f"{name}: {before} after {first.reconnects}, {after} after {last.reconnects}"
        for (name, before), after in zip(steady(first).items(), steady(last).values(), strict=True)
        if before != after
    ]
    reconnects = last.reconnects - middle.reconnects
    for name, most in GROWTH.items():
        grown = (getattr(last, name) - getattr(middle, name)) / reconnects
        if grown > most:
            wrong.append(f"{name}: grows by {grown:.1f} per reconnect, at most {most} are allowed")
    if last.journal > LIMIT:
        wrong.append(f"journal: {last.journal} entries, at most {LIMIT} are kept")
    return wrong
