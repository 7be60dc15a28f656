"""The command line: print the tables of docs/scaling.md, or write them into it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence

from tools.reports.documents import ROOT, rewritten, table
from tools.reports.scaling import assumptions as given, load
from tools.reports.scaling.assumptions import Work
from tools.reports.scaling.load import Flow, Resource

PAGE = ROOT / "docs" / "scaling.md"
THOUSAND, MILLION = 1_000, 1_000_000
EVENTS: Mapping[str, Work] = {
    "`POST /ticket`": given.TICKET,
    "`$connect` and its authorizer": given.CONNECT,
    "`hello`, link replaced": given.HELLO,
    "`hello`, back after an absence": given.ARRIVAL,
    "`ping`": given.PING,
    "`sendMessage`": given.SEND,
    "`typing`": given.TYPING,
    "`$disconnect`, link replaced": given.DISCONNECT,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables; with ``--write`` put them into docs/scaling.md."""
    parser = argparse.ArgumentParser(prog="python -m tools.reports.scaling", description="The load on AWS.")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scaling.md")
    if parser.parse_args(arguments).write:
        page = PAGE.read_text(encoding="utf-8")
        for name, text in tables().items():
            page = rewritten(page, name, text)
        PAGE.write_text(page, encoding="utf-8")
    else:
        print("\n\n".join(f"{name}\n\n{text}" for name, text in tables().items()))


def tables() -> dict[str, str]:
    """Return the text of each place in the document."""
    shipped, changed = load.shipped(), load.changed()
    return {
        "events": event_costs(),
        "shipped": demand(shipped, (THOUSAND, MILLION)),
        "bills": bills(shipped, changed),
        "changed": demand(changed, (MILLION,)),
    }


def event_costs() -> str:
    """Return a row for each kind of event."""
    rows = []
    for name, work in EVENTS.items():
        month = load.bill({name: Flow(1.0, work, work.seconds)}, 1, minutes=False).total
        dollars = month / (given.MONTH_HOURS * given.HOUR) * 1e6
        counts = (work.requests, work.messages, work.posts)
        calls = (f"{work.read_calls}, {work.reads}", f"{work.write_calls}, {work.writes}")
        rows.append([name, *map(str, counts), *calls, f"{work.seconds * 1000:.0f}", f"{dollars:.2f}"])
    return table(
        [
            "event",
            "requests",
            "billed messages",
            "posts",
            "reads: calls, units",
            "writes: calls, units",
            "function, ms",
            "$ per million",
        ],
        rows,
    )


def demand(flows: Mapping[str, Flow], populations: Iterable[int]) -> str:
    """Return the need of a thousand connections by kinds, the quotas, and what is full first."""
    rows = [[name, *(_amount(flow.needs()[r] * THOUSAND) for r in Resource)] for name, flow in flows.items()]
    total, full = load.needs(flows), load.capacity(flows)
    first = min(full, key=full.__getitem__)
    rows.append(["**1,000 connections**", *(f"**{_amount(total[r] * THOUSAND)}**" for r in Resource)])
    rows.append(["default quota", *(f"{load.QUOTAS[r]:,.0f}" for r in Resource)])
    rows.append(["full at so many connections", *(_rounded(full[r]) for r in Resource)])
    for people in populations:
        shares = (_share(total[r] * people / load.QUOTAS[r]) for r in Resource)
        rows.append([f"{people:,} need of the quota", *shares])
    return (
        f"{table(['a second', *(r.value for r in Resource)], rows)}\n\nFull first: **{first.value}**, at"
        f" {load.QUOTAS[first]:,.0f} / ({_amount(total[first] * THOUSAND)} / 1,000) ="
        f" {_rounded(full[first])} connections."
    )


def bills(shipped: Mapping[str, Flow], changed: Mapping[str, Flow]) -> str:
    """Return a month's bill of one connection by kinds, and of many."""
    rows = [["one connection, open and silent", *_dollars(load.bill({}, 1))]]
    for name, flow in shipped.items():
        rows.append([f"its {name}", *_dollars(load.bill({name: flow}, 1, minutes=False))])
    populations = (THOUSAND, min(load.capacity(shipped).values()), MILLION)
    rows += [[f"{_rounded(many)} connections", *_dollars(load.bill(shipped, many))] for many in populations]
    rows.append([f"{MILLION:,}, changed as below", *_dollars(load.bill(changed, MILLION))])
    gb = THOUSAND * given.MESSAGES_PER_HOUR * given.MONTH_HOURS * given.STORED_BYTES / 1e9
    return (
        f"{table(['US dollars a month', 'minutes', 'messages', 'functions', 'table', 'egress', 'in all'], rows)}\n\n"
        f"Each 1,000 connections add {gb:.1f} GB a month to the table, which from then on cost"
        f" {gb * given.STORAGE_PRICE:.2f} dollars every month."
    )


def _amount(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _rounded(value: float) -> str:
    return f"{round(value, 3 - len(str(int(value)))):,.0f}"  # three figures


def _share(value: float) -> str:
    if value < 1:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f} times" if value >= 100 else f"{value:.1f} times"


def _dollars(bill: load.Bill) -> list[str]:
    amounts = (bill.minutes, bill.messages, bill.functions, bill.table, bill.egress, bill.total)
    return [f"{amount:.3f}" if bill.total < 10 else _rounded(amount) for amount in amounts]


if __name__ == "__main__":
    main()
