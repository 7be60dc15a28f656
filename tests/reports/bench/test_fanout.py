"""The fan-out benchmark runs, counts what came, and notices what did not; its times are nobody's test."""

from __future__ import annotations

import re
from collections import deque

import pytest
from websockets.frames import Frame, Opcode

from tests.reports.bench import fanout, fanout_clients
from tests.reports.bench.fanout import Figures

TEXTS = [b"", b"short", b"x" * 300, b"y" * 70_000]


def test_quick_run_prints_both_servers_and_the_rows_read(capsys: pytest.CaptureFixture[str]):
    fanout.main(["--quick"])
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if "|" in line]
    people = str(fanout.QUICK.audiences[0])
    assert [row[1] for row in rows if row[0] == people] == ["this server", "`websockets.broadcast`"]
    assert all(float(row[6].replace(",", "")) > 0 for row in rows if row[0] == people)
    (ours,) = (row for row in rows if row[0].startswith("this server:"))
    count = fanout.QUICK.entering
    # Each reads those who are there and itself, the first one at least one.
    assert count <= int(ours[5]) <= count * count
    assert int(ours[6]) <= count
    assert re.search(r"`python -m tests.reports.bench.fanout --quick`, \d{4}-\d\d-\d\d", printed)


def test_every_connection_is_timed_for_every_frame():
    with fanout.started() as bench:
        bench.enter("kizuna", 2)
        calls, times = bench.post("kizuna", 3)
        assert calls == sorted(calls)
        assert [len(those) for those in times] == [3, 3]
        assert all(call < time for those in times for call, time in zip(calls, those, strict=True))
        said, heard = bench.say("kizuna", 1)
        assert len(heard) == 2
        assert all(said < time for time in heard)


def test_a_connection_that_is_not_counted_ends_the_benchmark():
    with fanout.started() as bench:
        bench.enter("kizuna", 2)
        where = bench.children["kizuna"].ask(do="paths", count=1)
        bench.clients.ask(do="open", group="others", hello="", together=1, **where)
        # The server may count the third one only a moment after its handshake.
        with pytest.raises(RuntimeError, match="not everybody got what kizuna sent: 3 were taken"):
            deque(iter(lambda: bench.post("kizuna", 1), None), maxlen=0)


def test_a_process_that_ends_is_an_error_with_its_words():
    child = fanout.Child("fanout_clients")
    with pytest.raises(RuntimeError, match="KeyError: 'nothing'"):
        child.ask(do="nothing")
    child.close()


@pytest.mark.parametrize("piece", [1, 7, 4096, 200_000])
def test_frames_are_found_however_the_network_cuts_them(piece: int):
    data = b"".join(Frame(Opcode.TEXT, text).serialize(mask=False) for text in TEXTS)
    found, rest = [], b""
    for begin in range(0, len(data), piece):
        texts, rest = fanout_clients.texts_in(rest + data[begin : begin + piece])
        found += texts
    assert (found, rest) == (TEXTS, b"")


@pytest.mark.parametrize(("share", "number"), [(0.0, 1), (0.5, 10), (0.95, 19), (0.951, 20), (1.0, 20)])
def test_a_percentile_is_a_number_that_was_measured(share: float, number: int):
    assert fanout.percentile([*range(20, 0, -1)], share) == number


@pytest.mark.parametrize(("ours", "said"), [(300, "3.00, reached."), (301, "3.01, **not reached**.")])
def test_the_verdict_is_about_the_largest_audience(ours: int, said: str):
    small = {"kizuna": Figures([9000]), "bare": Figures([1])}
    large = {"kizuna": Figures([ours]), "bare": Figures([100])}
    assert fanout.verdict({10: small, 1000: large}).endswith(said)
