"""The tables of docs/scaling.md, by the names of their places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.reports.documents import table
from tools.reports.scaling import contention, given, load
from tools.reports.scaling.counts import Events, Work, count, record_bytes
from tools.reports.scaling.load import AS_SHIPPED, CHANGED, Flow, Habits, Resource

PAGE = Path(__file__).parents[3] / "docs" / "scaling.md"

HABITS = Habits()
THOUSAND, MILLION, HUNDRED_MILLION = 1_000, 1_000_000, 100_000_000
ROOM_SIZES = (10, 50, 100, 1_000, 10_000, 100_000)
OFFERED = (5, 10, 20, 30, 40, 60, 100)
RETURNING_ROOMS = (10, 50, 100, 1_000)
CONTENTS = (200, 1_000, 4_000, 16_000)


def parts() -> dict[str, str]:
    """Place -> its text."""
    events = count(HABITS.rooms, HABITS.members, HABITS.content_bytes)
    shipped = load.flows(HABITS, events, AS_SHIPPED)
    changed = load.flows(HABITS, events, CHANGED)
    return {
        "habits": habits(events),
        "events": event_costs(events),
        "shipped": demand(shipped, (THOUSAND, MILLION)),
        "bills": bills(shipped, changed, events),
        "attacks": attacks(),
        "rooms": rooms(),
        "contention": contended(),
        "logs": logs(),
        "returns": returns(),
        "changed": demand(changed, (MILLION,)),
        "cells": cells(shipped, changed),
    }


def rewritten(page: str, texts: Mapping[str, str]) -> str:
    """``page`` with each text between its marks. Raises ValueError for a page without them."""
    for name, text in texts.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in page or end not in page:
            raise ValueError(f"docs/scaling.md has no part {name}: {begin} ... {end}")
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        page = pattern.sub(lambda _, whole=f"{begin}\n{text}\n{end}": whole, page)  # type: ignore[misc]
    return page


# --- what one event costs ---


def habits(events: Events) -> str:
    """The assumptions in one sentence."""
    return (
        f"In {HABITS.rooms} rooms of {HABITS.members} connections; {HABITS.messages_per_hour:g} messages an hour of"
        f" {HABITS.content_bytes} bytes, each after {HABITS.seconds_of_writing:g} s of writing, which are"
        f" {HABITS.typing_per_message:g} `typing` frames; a ping every {given.PING_SECONDS:g} s; a new link every"
        f" {given.LINK_SECONDS:,.0f} s, when the token of an hour is renewed. A message takes"
        f" {events.stored_bytes} bytes in the table."
    )


def event_costs(events: Events) -> str:
    """A row for each kind of event."""
    kinds: dict[str, Work] = {
        "`POST /ticket`": events.ticket,
        "`$connect` and its authorizer": events.connect,
        "`hello`, link replaced": events.hello,
        "`hello`, back after an absence": events.arrival,
        "`ping`": events.ping,
        "`sendMessage`": events.send,
        "`typing`": events.typing,
        "`$disconnect`, link replaced": events.disconnect,
    }
    headings = (
        "event",
        "requests",
        "billed messages",
        "posts",
        "reads: calls, units",
        "writes: calls, units",
        "function, ms",
        "$ per million",
    )
    return table(headings, [_event_row(name, work) for name, work in kinds.items()])


def _event_row(name: str, work: Work) -> list[str]:
    once = Flow(1.0, work, work.seconds)
    seconds_of_month = given.MONTH_HOURS * given.HOUR
    dollars = load.bill({name: once}, 1, minutes=False).total / seconds_of_month * 1e6
    return [
        name,
        str(work.requests),
        str(work.messages),
        str(work.posts),
        f"{work.read_calls}, {work.reads}",
        f"{work.write_calls}, {work.writes}",
        f"{work.seconds * 1000:.0f}",
        f"{dollars:.2f}",
    ]


# --- what many connections need ---


def demand(of: Mapping[str, Flow], populations: Iterable[int]) -> str:
    """What a thousand connections need of each resource by kinds, the quotas, and what is full first."""
    rows = [[name, *(_amount(flow.needs()[r] * THOUSAND) for r in Resource)] for name, flow in of.items()]
    total, full = load.needs(of), load.capacity(of)
    rows.append(["**1,000 connections**", *(f"**{_amount(total[r] * THOUSAND)}**" for r in Resource)])
    rows.append(["default quota", *(f"{load.QUOTAS[r]:,.0f}" for r in Resource)])
    rows.append(["full at so many connections", *(_rounded(full[r]) for r in Resource)])
    rows += [
        [f"{people:,} need of the quota", *(_share(total[r] * people / load.QUOTAS[r]) for r in Resource)]
        for people in populations
    ]
    first = load.first_full(of)
    verdict = (
        f"Full first: **{first.value}**, at"
        f" {load.QUOTAS[first]:,.0f} / ({_amount(total[first] * THOUSAND)} / 1,000) ="
        f" {_rounded(full[first])} connections."
    )
    return f"{table(['a second', *(r.value for r in Resource)], rows)}\n\n{verdict}"


def bills(shipped: Mapping[str, Flow], changed: Mapping[str, Flow], events: Events) -> str:
    """A month: one connection by kinds, and populations."""
    rows = [["one connection, open and silent", *_dollars(load.bill({}, 1))]]
    rows += [
        [f"its {name}", *_dollars(load.bill({name: flow}, 1, minutes=False))]
        for name, flow in shipped.items()
    ]
    full = min(load.capacity(shipped).values())
    for people in (THOUSAND, full, MILLION):
        rows.append([f"{_rounded(people)} connections", *_dollars(load.bill(shipped, people))])
    rows.append([f"{MILLION:,}, changed as below", *_dollars(load.bill(changed, MILLION))])
    headings = ("US dollars a month", "minutes", "messages", "functions", "table", "egress", "in all")
    gb = load.stored_gb_per_month(HABITS, events.stored_bytes, THOUSAND)
    stored = (
        f"Each 1,000 connections add {gb:.1f} GB a month to the table, which from then on cost"
        f" {gb * given.STORAGE_PRICE:.2f} dollars every month."
    )
    return f"{table(headings, rows)}\n\n{stored}"


# What is advised as a bound, as in the README.
BOUND_FRAMES, BOUND_FUNCTIONS, BOUND_READS, BOUND_WRITES = 100, 20, 2_000, 500


def attacks() -> str:
    """What a day costs in which all of one resource is used up, as shipped and with the bound that is advised."""
    million = 1e6
    function = given.FUNCTION_GB * given.GB_SECOND_PRICE
    frame = (2 * given.MESSAGES_PRICE + given.INVOCATIONS_PRICE + given.READS_PRICE) / million
    frame += (given.HANDLER_SECONDS + given.READ_SECONDS) * function
    request = (given.HTTP_PRICE + given.INVOCATIONS_PRICE) / million
    post, read, write = (
        price / million for price in (given.MESSAGES_PRICE, given.READS_PRICE, given.WRITES_PRICE)
    )
    account, table_quota = "the account's quota", "the table's quota"
    of_all: list[tuple[str, float, str, float, str, float]] = [
        ("posts to connections/s", given.ACCOUNT_REQUESTS, account, post, "the limits of each person", 0),
        ("refused frames/s", given.STAGE_FRAMES, "", frame, "`REQUESTS_PER_SECOND={}`", BOUND_FRAMES),
        ("tickets and tokens/s", given.STAGE_REQUESTS, "", request, "no `SIGN_IN=open`", 0),
        (
            "functions at once",
            given.LAMBDA_CONCURRENCY,
            account,
            function,
            "`CONCURRENCY={}`",
            BOUND_FUNCTIONS,
        ),
        ("table reads/s", given.TABLE_READS, table_quota, read, "`TABLE_READS={}`", BOUND_READS),
        ("table writes/s", given.TABLE_WRITES, table_quota, write, "`TABLE_WRITES={}`", BOUND_WRITES),
    ]
    day = 24 * given.HOUR
    rows = [
        [
            what,
            f"{most:,}, {quota}".rstrip(", "),
            _rounded(most * price * day),
            word.format(bound),
            _rounded(bound * price * day) if bound else "",
        ]
        for what, most, quota, price, word, bound in of_all
    ]
    return table(("all of it used up", "as shipped, at most", "$ a day", "bounded by", "$ a day then"), rows)


# --- one room ---


def rooms() -> str:
    """A row for each size of a room."""
    member = record_bytes()
    headings = (
        "members",
        "requests for each message",
        "messages/s: commits",
        "messages/s: account",
        "messages/s: reading members",
        "full first",
        "fan-out of one",
        "queued, in shards",
        "all back",
    )
    rows = [_room_row(load.room_limits(size, member)) for size in ROOM_SIZES]
    pings = given.PARTITION_READS * given.PING_SECONDS
    return (
        f"{table(headings, rows)}\n\n"
        f"A message takes as many requests as the room has members, and two: the frame and its ack. A member's record"
        f" has {member} bytes, so {_amount(given.READ_UNIT_BYTES / member)} are read for a unit. One vCPU posts"
        f" 1 / {given.BOTO3_POST_SECONDS * 1000:.2f} ms = {1 / given.BOTO3_POST_SECONDS:,.0f} times a second by boto3:"
        f" the {given.INTEGRATION_TIMEOUT} s of an invocation reach {_rounded(load.largest_fan_out())} members."
        f" {given.PARTITION_READS:,} units/s x {given.PING_SECONDS:g} s = {pings:,.0f} members fill the partition of"
        f" the room's head by their pings alone."
    )


def _room_row(limits: load.RoomLimits) -> list[str]:
    commits = contention.serial_commits()
    by = {
        "commits": commits,
        "the account's requests": limits.by_account,
        "reading members": limits.by_members,
        "pings": 0.0 if limits.by_heads else commits,
    }
    return [
        f"{limits.members:,}",
        f"{limits.requests:,}",
        _amount(commits),
        _amount(limits.by_account),
        _amount(limits.by_members),
        min(by, key=by.__getitem__),
        _brief(limits.fan_out_seconds),
        _brief(limits.queued_seconds),
        _duration(limits.return_seconds),
    ]


def contended() -> str:
    """A row for each rate at which a room is spoken to."""
    rows = []
    for rate in OFFERED:
        outcome = contention.speak(rate)
        stored = outcome.offered - outcome.refused
        rows.append(
            [
                str(rate),
                f"{stored / contention.SECONDS:.0f}",
                f"{100 * outcome.refused / outcome.offered:.1f} %",
                f"{outcome.attempts / stored:.1f}",
                f"{outcome.delay(0.5) * 1000:.0f} ms",
                f"{outcome.delay(0.95) * 1000:.0f} ms",
            ]
        )
    headings = ("offered/s", "stored/s", "told `busy`", "transactions for each stored", "median", "95 %")
    return table(headings, rows)


def logs() -> str:
    """What the partition of a room's log takes."""
    overhead = record_bytes(log=True)
    said = (f"{size:,} bytes: {load.log_commits(size, overhead):.0f}" for size in CONTENTS)
    return "Messages per second that the partition of a room's log takes: " + "; ".join(said) + "."


# --- coming back ---


def returns() -> str:
    """How long everybody needs to come back, by the size of the rooms."""
    alone = count(HABITS.rooms, 1).arrival
    told = {f"{size:,}": load.requests_of_return(Habits(members=size), alone) for size in RETURNING_ROOMS}
    silent = {"any, nobody is told": load.requests_of_return(HABITS, alone, most_told=0)}
    rows = []
    for rooms_of, requests in (told | silent).items():
        rate = load.returns_per_second(requests)
        times = (_duration(people / rate) for people in (THOUSAND, 30 * THOUSAND, MILLION))
        rows.append([rooms_of, f"{requests:.0f}", f"{rate:.0f}", *times])
    headings = ("members of a room", "requests for each return", "returns/s", "1,000", "30,000", "1,000,000")
    return table(headings, rows)


# --- a hundred million ---


def cells(shipped: Mapping[str, Flow], changed: Mapping[str, Flow]) -> str:
    """What a hundred million connections come to."""
    account = load.needs(shipped)[Resource.REQUESTS] * HUNDRED_MILLION
    cell = load.needs(changed)[Resource.REQUESTS] * given.CELL_CONNECTIONS
    times = _share(account / given.ACCOUNT_REQUESTS)
    all_back = HUNDRED_MILLION / given.NEW_CONNECTIONS
    number = HUNDRED_MILLION // given.CELL_CONNECTIONS
    scattered = load.cells_touched(HABITS.members, number)
    bill = load.bill(changed, HUNDRED_MILLION)
    gateway = bill.minutes + bill.messages
    delivered = load.deliveries_per_second(HABITS, HUNDRED_MILLION)
    pongs = HUNDRED_MILLION / given.PING_SECONDS
    cores = (delivered + pongs) / given.OWN_SENDS
    processes = HUNDRED_MILLION / given.OWN_CONNECTIONS
    once = given.CELL_CONNECTIONS / given.CELL_NEW_CONNECTIONS
    rows = [
        ["requests/s of one account, as shipped", f"{_rounded(account)}, {times} its quota"],
        [f"back after a failure, one account at {given.NEW_CONNECTIONS}/s", _duration(all_back)],
        [f"cells of {given.CELL_CONNECTIONS:,}", str(number)],
        ["requests/s of a cell, changed as for a million", _rounded(cell)],
        [f"a cell is back, at {given.CELL_NEW_CONNECTIONS:,}/s", _duration(once)],
        [f"cells that a room of {HABITS.members} lies in, if people go anywhere", f"{scattered:.0f}"],
        ["messages delivered a second, in all", _rounded(delivered)],
        ["US dollars a month, changed", f"{_rounded(bill.total)}; for API Gateway {_rounded(gateway)}"],
        ["own gateways: processes", f"100,000,000 / {given.OWN_CONNECTIONS:,} = {processes:,.0f}"],
        [
            "own gateways: cores that send",
            f"({_rounded(delivered)} + {_rounded(pongs)} pongs) / {given.OWN_SENDS:,} = {cores:,.0f}",
        ],
    ]  # fmt: skip
    return table(["100,000,000 connections", ""], rows)


# --- how numbers are written ---


def _amount(value: float) -> str:
    """Three figures, as people read them."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _rounded(value: float) -> str:
    """Three figures of a large number: more would pretend to know."""
    digits = len(str(int(value)))
    return f"{round(value, 3 - digits):,.0f}"


def _share(value: float) -> str:
    if value < 1:
        return f"{100 * value:.1f} %"
    return f"{value:,.0f} times" if value >= 100 else f"{value:.1f} times"


def _dollars(bill: load.Bill) -> list[str]:
    amounts = (bill.minutes, bill.messages, bill.functions, bill.table, bill.egress, bill.total)
    return [f"{amount:.3f}" if bill.total < 10 else f"{_rounded(amount)}" for amount in amounts]


def _brief(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds > given.INTEGRATION_TIMEOUT:
        return f"cut off after {given.INTEGRATION_TIMEOUT} of {seconds:.0f} s"
    return f"{seconds:.1f} s"


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * given.HOUR else f"{seconds / given.HOUR:.0f} h"
