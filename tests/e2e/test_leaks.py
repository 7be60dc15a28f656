"""The leak check over a thousand reconnects, and proof that it finds each kind of leak."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Browser

from tests.e2e.leaks import GROWTH, ROOM, STEADY, Figures, Gate, problems
from tests.support.peer import Peer
from tests.support.server import KizunaServer
from tests.support.shared_pages import SharedPages

#: The number of reconnects that leak on purpose.
LEAKING = 3

#: Makes each new link leak something of each kind.
LEAK = """() => {
    const kept = window.kept = [];
    window.WebSocket = new Proxy(WebSocket, {construct(target, given, newTarget) {
        kept.push(document.createElement("p"), tellFigures.copy());
        addEventListener("online", () => kept);
        setTimeout(() => kept, 1e9);
        kept.push(leakWorker());
        kept.at(-1).postMessage({id: -kept.length, delay: 1e9});
        return Reflect.construct(target, given, newTarget);
    }});
}"""


@pytest.fixture(scope="module")
def gate(chromium: Browser, source_server: KizunaServer) -> Iterator[Gate]:
    shared_pages = SharedPages(chromium, source_server)
    with contextlib.ExitStack() as afterwards:
        person = shared_pages.new_person("Phoenix")
        afterwards.callback(shared_pages.close, person)
        Gate.prepare(person)
        person.open(ROOM)
        person.join()
        yield Gate(person, afterwards.enter_context(Peer(source_server, ROOM)))


@pytest.mark.deep
def test_a_thousand_reconnects_leave_nothing_behind(gate: Gate) -> None:
    seen = []
    for figures in gate.run(1000):
        seen.append(figures)
        print(figures, flush=True)
    assert (seen[-1].sockets, seen[-1].workers, seen[-1].tasks) == (1, 1, 1)
    assert problems(seen) == []
    assert gate.person.watch.problems == []


@pytest.mark.deep
def test_the_gate_notices_what_each_link_leaves_behind(gate: Gate) -> None:
    before = gate.read_at_once()
    gate.person.page.evaluate(LEAK)
    gate.reconnect(LEAKING)
    after = gate.read_at_once()
    noticed = {problem.partition(":")[0] for problem in problems([before, before, after])}
    assert noticed >= {"listeners", "nodes", "timers", "worker_timers", "workers", "pyproxies"}
    assert after.timers >= before.timers + LEAKING


def figures(reconnects: int, **parts: int) -> Figures:
    nothing = replace(Figures(*[0] * len(Figures.__dataclass_fields__)), reconnects=reconnects)
    return replace(nothing, **parts)


@pytest.mark.parametrize("name", STEADY)
def test_one_more_of_anything_is_one_too_many(name: str) -> None:
    seen = [figures(10), figures(500), figures(1000, **{name: 1})]
    assert problems(seen) == [f"{name}: 0 after 10, 1 after 1000"]


@pytest.mark.parametrize("name", GROWTH)
def test_what_grows_may_grow_slowly_and_counts_from_the_middle_on(name: str) -> None:
    most = int(GROWTH[name] * 500)
    assert problems([figures(10), figures(500, **{name: 10**8}), figures(1000, **{name: 10**8 + most})]) == []
    (problem,) = problems([figures(10), figures(500), figures(1000, **{name: most + 1})])
    assert problem.startswith(f"{name}: grows by ")


def test_a_journal_without_end_is_noticed() -> None:
    (problem,) = problems([figures(10), figures(500), figures(1000, journal=501)])
    assert problem == "journal: 501 entries, at most 500 are kept"
