"""The arithmetic of docs/scaling.md is what one would do by hand, and the document holds its results."""

from __future__ import annotations

import pytest

from tools.reports.documents import rewritten
from tools.reports.scaling import __main__ as command, assumptions as given, load
from tools.reports.scaling.assumptions import Work
from tools.reports.scaling.load import Flow, Resource


def test_the_document_holds_what_the_assumptions_give():
    page = command.PAGE.read_text(encoding="utf-8")
    for name, text in command.tables().items():
        assert rewritten(page, name, text) == page, "run `make scaling`"


def test_function_time_adds_database_calls_and_posts():
    work = Work(read_calls=3, write_calls=2, posts=1000)
    assert work.seconds == pytest.approx(0.002 + 3 * 0.005 + 2 * 0.015 + 0.77)


def test_a_connection_needs_its_rates_times_their_costs():
    sent = 6 / 3600
    requests = 1 / 30 + (1 + 1 + 12) / given.LINK_SECONDS + sent * 52 + 2 * sent * 50
    assert load.needs(load.shipped())[Resource.REQUESTS] == pytest.approx(requests)


def test_a_capacity_is_the_quota_divided_by_the_need():
    pings = {"ping": Flow(1 / 30, Work(requests=1, reads=7), 0.02)}
    assert load.capacity(pings)[Resource.REQUESTS] == 300_000
    assert load.capacity(pings)[Resource.READS] == 171_428  # 40,000 / 7 x 30
    assert Resource.WRITES not in load.capacity(pings)


def test_a_bill_adds_the_charges_of_each_service():
    work = Work(messages=2, reads=8, writes=4, bytes_down=1_000)
    bill = load.bill({"all": Flow(1.0, work, seconds=0.1)}, 1, minutes=False)
    millions = 730 * 3600 / 1e6
    functions = millions * 0.20 + millions * 1e6 * 0.1 * 1769 / 1024 * 0.0000133334
    assert (bill.minutes, bill.messages) == (0, pytest.approx(millions * 2))
    assert bill.functions == pytest.approx(functions)
    assert bill.table == pytest.approx(millions * (8 * 0.125 + 4 * 0.625))
    assert bill.egress == pytest.approx(millions * 1_000 * 0.09 / 1_000)
    assert load.messages_price(3e9) == 1_000 + 2 * 800
