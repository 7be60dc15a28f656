"""The benchmark of messages serves what pages ask for, and reports what it measured."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from xml.etree import ElementTree

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.reports.bench import messages, messages_report
from tests.reports.bench.line_chart import Line, line_chart
from tests.reports.bench.messages_own import PROFILED, Own, divided, part_of
from tests.reports.bench.messages_report import Results, percentile
from tests.reports.bench.messages_server import (
    ARTICLE,
    KIZUNA,
    BenchServer,
    bench_server,
    content_of,
    frames_of,
)
from tests.reports.bench.messages_visits import Load, Result, Size, Spent


@pytest.fixture
async def server() -> AsyncIterator[BenchServer]:
    async with bench_server() as running:
        yield running


async def ask(page: ClientConnection, **frame: object) -> dict[str, object]:
    await page.send(json.dumps(frame))
    answer: dict[str, object] = json.loads(await page.recv())
    return answer


async def received(page: ClientConnection, count: int) -> list[dict[str, object]]:
    return [json.loads(await page.recv()) for _ in range(count)]


async def test_a_page_of_the_kizuna_wire_gets_dense_numbers(server: BenchServer):
    async with connect(server.url(KIZUNA)) as page:
        ready = await ask(page, action="hello", v=1, rooms=[{"roomId": "general", "after": None}])
        (batch,) = await received(page, 1)
        assert (ready["type"], batch["head"], batch["complete"]) == ("ready", 0, True)
        sending = asyncio.ensure_future(server.burst(frames_of(1, 3_000, KIZUNA), 3_000))
        assert [frame["seq"] for frame in await received(page, 3_000)] == list(range(1, 3_001))
        await sending
        pong = await ask(page, action="ping", t=1)
        assert pong["heads"] == [{"roomId": "general", "epoch": "e1", "seq": 3_000}]


async def test_a_page_that_comes_back_gets_what_it_missed(server: BenchServer):
    server.heads["general"] = 250
    async with connect(server.url(KIZUNA)) as page:
        first = await ask(page, action="sync", roomId="general", after=10, ref="a")
        then = await ask(page, action="sync", roomId="general", after=first["next"], ref="b")
        last = await ask(page, action="sync", roomId="general", after=then["next"], ref="c")
        newest = await ask(page, action="join", roomId="general", after=None)
    seqs = [message["seq"] for batch in (first, then, last) for message in batch["messages"]]  # type: ignore[attr-defined]
    assert seqs == list(range(11, 251))
    assert [batch["complete"] for batch in (first, then, last, newest)] == [False, False, True, True]


async def test_a_page_that_scrolls_up_gets_earlier_messages(server: BenchServer):
    server.heads["general"] = 250
    async with connect(server.url(KIZUNA)) as page:
        page_of = await ask(page, action="history", roomId="general", before=121, limit=100)
        rest = await ask(page, action="history", roomId="general", before=page_of["next"], limit=100)
    assert (page_of["next"], page_of["complete"]) == (21, False)
    assert (len(rest["messages"]), rest["next"], rest["complete"]) == (20, None, True)  # type: ignore[arg-type]


async def test_what_a_page_writes_is_kept_with_its_text(server: BenchServer):
    async with connect(server.url(KIZUNA)) as page:
        ack = await ask(page, action="sendMessage", clientMessageId="c", roomId="general", content="mine")
        (sent,) = await received(page, 1)
        batch = await ask(page, action="sync", roomId="general", after=0)
    assert (ack["type"], ack["seq"], sent["content"]) == ("ack", 1, "mine")
    assert [message["content"] for message in batch["messages"]] == ["mine"]  # type: ignore[attr-defined]


async def test_the_articles_wire_has_neither_numbers_nor_an_answer_to_ping(server: BenchServer):
    async with connect(f"{server.url(ARTICLE)}?token=t") as page:
        await server.joined.wait()
        await page.send('{"action":"ping"}')
        await server.flow(frames_of(1, 20, ARTICLE), 1_000)
        frames = await received(page, 20)
    assert [frame["content"] for frame in frames] == [content_of(seq) for seq in range(1, 21)]
    assert not any("seq" in frame for frame in frames)


def test_each_tenth_message_comes_twice_if_wanted():
    frames = frames_of(1, 100, ARTICLE, duplicates=True)
    assert (len(frames), len(set(frames))) == (110, 100)


def result(page: str, count: int, painted: float | None, **fields: object) -> Result:
    told = {"known": painted, "keys": (10.0, 30.0), "grown": Size(1e6, 2e6, 30)}
    return Result(page, Load(count), painted=painted, **(told | fields))  # type: ignore[arg-type]


BURSTS = [
    *(result("kizuna", count, time) for count, time in ((1_000, 500), (10_000, 2_300), (100_000, 22_100))),
    *(result("react", count, time) for count, time in ((1_000, 1_100), (10_000, 115_000), (100_000, None))),
]


def verdicts(results: list[Result]) -> dict[str, list[str]]:
    aims = messages_report.aims(Results(results, 300), [], {})
    rows = messages_report.aim_table(aims).splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {what: rest for what, *rest in cells}


def test_ratios_are_of_the_seconds_until_painted():
    told = verdicts(BURSTS)
    name = "messages: times as fast as the article's page"
    assert told[f"1,000 {name}"][:3] == ["≥ 2 (4)", "2.2", "reached"]
    assert told[f"10,000 {name}"][:3] == ["≥ 30 (100)", "50", "reached"]


def test_the_ratio_of_the_floor_stands_beside_that_of_the_page():
    told = verdicts([*BURSTS, result("plain", 10_000, 2_500)])
    assert told["10,000 messages: times as fast as the article's page"][3] == "plain JavaScript: 46"


def test_a_number_that_is_missed_is_named_with_the_dearest_parts():
    slow = [*BURSTS, result("kizuna", 10_000, 100_000)]
    own = Own((1.0,), (2.0,), {"connected": 900.0}, {"read": 10.0, "paint": 300.0}, {"ui/page.py": 7.0})
    told = messages_report.report(Results(slow, 300), [own], {}, "the command", [])
    assert "- 10,000 messages: times as fast as the article's page" in told
    assert "The dearest parts of a message are: paint, read" in told


def test_a_stopped_page_counts_with_the_limit():
    told = verdicts([result("kizuna", 10_000, 3_000), result("react", 10_000, None)])
    assert told["10,000 messages: times as fast as the article's page"] == [
        *("≥ 30 (100)", "100", "stretch reached", "stopped: React + Zustand")
    ]


def test_the_cost_of_a_message_is_compared_between_short_and_long_rooms():
    name = "the kizuna wire: a message from 10,000 to 100,000, to one from 1,000 to 10,000"
    assert verdicts(BURSTS)[name][1:3] == ["1.1", "reached"]
    grown = [one for one in BURSTS if one.load.count < 100_000]
    assert verdicts([*grown, result("kizuna", 100_000, 30_000)])[name][2] == "**not reached**"


def test_memory_is_that_of_javascript_and_webassembly_together():
    assert verdicts(BURSTS)["the kizuna wire: memory at 100,000 over idle"][1] == "3 MB"


def test_a_stopped_page_is_printed_with_the_limit():
    rows = messages_report.floods(Results(BURSTS, 300)).splitlines()
    assert rows[-1] == "| 100,000 | React + Zustand |  | > 300 s |  |  |  |  |  |  |  |"
    assert rows[2].startswith(
        "| 1,000 | this page | 0.50 s | 0.50 s (0.50 to 0.50) | < 50 ms | 0 ms | 0 | 30 ms | 1.0 MB"
    )


def test_a_visit_that_failed_is_no_result_and_no_limit():
    failed = [result("kizuna", 1_000, None, failure="999 of 1,000"), result("react", 1_000, 1_000)]
    assert verdicts(failed)["1,000 messages: times as fast as the article's page"][2] == "not measured"
    assert "| 1,000 | this page |  | failed |" in messages_report.floods(Results(failed, 300))


def test_what_cannot_be_measured_is_noted_and_the_rest_goes_on():
    own = Own()
    with own.part("writing"):
        raise TimeoutError
    assert own.failures == ["this page alone, writing: TimeoutError"]


def test_a_percentile_is_one_of_the_values():
    assert percentile(range(1, 101)) == 95
    assert percentile([7.0]) == 7
    assert percentile([]) is None


def test_the_chart_has_a_line_for_each_page_and_an_arrow_beyond():
    drawn = messages_report.plot(Results(BURSTS, 300))
    assert [name in drawn for name in ("this page", "React + Zustand", "plain JavaScript")] == [
        True,
        True,
        False,
    ]
    assert drawn.count("stroke-dasharray") == 1
    assert drawn.count("<circle") == 5
    assert ElementTree.fromstring(drawn).tag.endswith("svg")  # noqa: S314


def test_a_chart_places_powers_of_ten_evenly():
    drawn = line_chart("T", "x", "y", [Line("a", "#000", [(1.0, 1.0), (10.0, 10.0), (100.0, 100.0)])])
    xs = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', drawn)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])


def test_the_time_of_python_is_divided_by_part():
    parts, files = divided(
        {"kizuna/browser/proxies.py": 1.0, "ui/page.py": 2.0, "": 1.0}, Spent(0.5, 0.3, 0.05, 0.05)
    )
    each = 1e6 / PROFILED
    assert parts["read"] == pytest.approx(0.1 * each)
    assert parts["paint"] == pytest.approx(0.2 * each)
    assert parts["the browser besides"] == pytest.approx(0.1 * each)
    assert next(iter(files)) == "ui/page.py"


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("json", "read"),
        ("kizuna/core/__init__.py", "decide"),
        ("chat/room.py", "order"),
        ("ui/a/b.py", "paint"),
    ],
)
def test_each_file_belongs_to_a_part(file: str, part: str):
    assert part_of(file) == part


def test_a_page_that_was_stopped_gets_no_larger_burst():
    bench = messages.Bench(messages.Amount(), messages.PARTS, ["react"])
    bench.results.append(result("react", 10_000, None))
    tried = [load for load in bench.loads() if not bench.was_stopped("react", load)]
    assert tried == [Load(100), Load(1_000), Load(60_000, 1_000)]


def test_the_model_that_takes_too_long_is_stopped():
    assert messages.model_seconds([1_000_000], 0.2) == {1_000_000: None}
