"""What the benchmark of the start says is what it measured."""

from __future__ import annotations

from tests.bench import start


def test_every_page_is_set_against_the_source_trees_of_the_same_kind():
    times = {
        (page, kind): [1000.0 * row, 4000.0 * row, 9000.0 * row]
        for row, page in enumerate(start.PAGES, 1)
        for kind in start.KINDS
    }
    times["built, snapshot", "warm"] = [500.0, 2000.0, 3000.0]
    lines = start.table(times).splitlines()
    assert len(lines) == 2 + len(start.PAGES) * len(start.KINDS)
    assert "| source tree | cold | 4000 ms | 1000 ms | 1.00 | 1.00 |" in lines
    assert "| built, ordinary | cold | 8000 ms | 2000 ms | 2.00 | 2.00 |" in lines
    assert "| built, snapshot | warm | 2000 ms | 500 ms | 0.50 | 0.50 |" in lines
