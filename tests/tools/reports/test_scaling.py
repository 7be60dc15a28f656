"""docs/scaling.md says what the code does today, and its arithmetic is what one would do by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from backend.store.base import Check, Delete, Exists, Key, Put
from backend.store.retry import ATTEMPTS
from tests.backend.aws.cloud_template import Template
from tests.backend.fakes import FakeClock
from tests.support.server import KizunaServer
from tools.reports.scaling import __main__ as command, contention, given, load, machine, tables
from tools.reports.scaling.counts import (
    CountingStore,
    Events,
    Work,
    count,
    item_bytes,
    read_units,
    write_units,
)
from tools.reports.scaling.load import Design, Flow, Habits, Resource


@pytest.fixture(scope="module")
def events() -> Events:
    return count(rooms=5, members=50)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore(FakeClock())


@pytest.mark.deep
def test_the_page_is_up_to_date():
    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.rewritten(page, tables.parts()) == page, "run `python -m tools.reports.scaling --write`"


# --- request units ---


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1, 1), (4096, 1), (4097, 2), (40_960, 10)])
def test_a_read_costs_a_unit_for_every_4_kilobytes_begun(size, units):
    assert read_units(size) == units


@pytest.mark.parametrize(("size", "units"), [(0, 1), (1024, 1), (1025, 2), (16 * 1024, 16)])
def test_a_write_costs_a_unit_for_every_kilobyte_begun(size, units):
    assert write_units(size) == units


def test_an_item_is_as_large_as_its_names_and_values():
    # pk + 3, sk + 3 bytes of a Japanese letter, seq + 1 + 4/2 bytes, on + 1
    assert item_bytes({"pk": "abc", "sk": "絆", "seq": 1234, "on": True}) == 5 + 5 + 6 + 3


def test_every_action_of_a_transaction_counts_twice_by_the_item_that_it_touches(store):
    store.put({"pk": "p", "sk": "large", "text": "x" * 1500})
    assert store.work == Work(write_calls=1, writes=2)
    small = {"pk": "p", "sk": "small"}
    store.transact([Put(small), Check("p", "large", Exists())])
    assert store.work == Work(write_calls=2, writes=2 + 2 * (1 + 2))
    store.transact([Put({"pk": "p", "sk": "large"}), Delete("p", "nowhere")])
    assert store.work == Work(write_calls=3, writes=8 + 2 * (2 + 1))


def test_a_query_counts_the_sum_and_a_batch_each_item_and_what_is_missing_costs_one(store):
    for number in range(10):
        store.put({"pk": "p", "sk": str(number), "text": "x" * 1000})
    store.work = Work()
    store.query("p")  # 10 items of 1,009 bytes
    assert store.work == Work(read_calls=1, reads=3)
    store.get_many([Key("p", "0"), Key("p", "1"), Key("p", "none")])
    assert store.work == Work(read_calls=2, reads=6)
    store.query("nothing")
    assert store.work == Work(read_calls=3, reads=7)


def test_a_query_of_more_than_a_megabyte_is_more_than_one_request(store):
    for number in range(3):
        store.put({"pk": "p", "sk": str(number), "text": "x" * 390_000})
    store.work = Work()
    store.query("p")
    assert store.work.read_calls == 2


# --- what the handlers do ---


def test_a_ping_reads_the_connection_its_rooms_and_the_head_of_each(events):
    assert (events.ping.read_calls, events.ping.reads) == (3, 1 + 1 + 5)
    assert (events.ping.requests, events.ping.messages, events.ping.posts) == (1, 2, 0)


def test_a_message_is_its_frame_an_ack_and_a_post_to_each_member(events):
    assert (events.send.posts, events.send.requests) == (1 + 50, 1 + 1 + 50)


def test_a_message_writes_dedupe_head_log_and_rate_in_one_transaction(events):
    assert (events.send.write_calls, events.send.writes) == (1, 2 * 4)


def test_a_message_of_two_kilobytes_costs_two_log_units_more_for_each_kilobyte():
    assert count(1, 1, content_bytes=2048).send.writes == 2 * (1 + 1 + 3 + 1)


def test_typing_reaches_all_others_and_writes_nothing(events):
    assert (events.typing.posts, events.typing.writes) == (49, 0)


def test_an_arrival_is_told_to_small_rooms_and_a_replaced_link_to_nobody(events):
    assert events.arrival.posts == 1 + 5 + 5 * 50  # ready, batches, presence
    assert events.hello.posts == 1 + 5 + 5
    assert count(5, 101).arrival.posts == 1 + 5 + 5


def test_disconnecting_deletes_both_records_of_each_room_and_two_more(events):
    assert events.disconnect.writes == 2 * (2 + 2 * 5)
    assert events.disconnect.requests == 0


@pytest.mark.parametrize(("rooms", "members"), [(0, 1), (51, 1), (1, 0)])
def test_scenes_that_cannot_be_are_refused(rooms, members):
    with pytest.raises(ValueError, match="1 to 50 rooms of at least one member"):
        count(rooms, members)


def test_a_function_waits_for_the_database_in_turn_and_then_posts():
    work = Work(invocations=1, read_calls=3, write_calls=2, posts=1000)
    assert work.seconds == pytest.approx(0.002 + 3 * 0.005 + 2 * 0.015 + 0.77)


# --- many connections ---


def test_what_a_connection_needs_is_its_rates_times_their_costs(events):
    of = load.flows(Habits(), events)
    said = 6 / 3600
    expected = 1 / 30 + (1 + 1 + 12) / given.LINK_SECONDS + said * 52 + 2 * said * 50
    assert load.needs(of)[Resource.REQUESTS] == pytest.approx(expected)
    assert load.needs(of)[Resource.NEW_CONNECTIONS] == 1 / given.LINK_SECONDS
    assert of["ping"].needs()[Resource.READS] == pytest.approx(7 / 30)


def test_a_link_lives_until_its_token_is_renewed():
    assert given.LINK_SECONDS == 3600 - 300 * 0.75
    assert given.LONG_LINK_SECONDS == 110 * 60


def test_what_is_full_first_is_computed():
    pings = Flow(1 / 30, Work(invocations=1, requests=1, reads=7), 0.02)
    assert load.capacity({"ping": pings})[Resource.REQUESTS] == 300_000
    assert load.first_full({"ping": pings}) is Resource.READS  # 40,000 / 7 x 30 = 171,428
    assert load.capacity({"ping": pings})[Resource.READS] == 171_428
    assert Resource.WRITES not in load.capacity({"ping": pings})
    slow = Flow(1 / 30, Work(invocations=1, requests=1), 2.0)
    assert load.first_full({"ping": slow}) is Resource.CONCURRENCY


def test_events_of_other_rooms_are_refused(events):
    with pytest.raises(ValueError, match="count them anew"):
        load.flows(Habits(members=49), events)


def test_nine_of_ten_pings_without_a_function_cost_a_tenth_of_the_reads_and_all_of_the_requests(events):
    shipped, changed = (
        load.flows(Habits(), events, design) for design in (Design(), Design(mock_pings=True))
    )
    of_pings = {name: flow for name, flow in changed.items() if name in ("ping", "heads")}
    assert load.needs(of_pings)[Resource.REQUESTS] == pytest.approx(1 / 30)
    assert load.needs(of_pings)[Resource.READS] == pytest.approx(7 / 300)
    assert load.needs(changed)[Resource.READS] < load.needs(shipped)[Resource.READS]


def test_typing_that_is_not_told_is_a_frame_alone(events):
    quiet = load.flows(Habits(), events, Design(quiet_typing=True))["typing"].work
    assert (quiet.requests, quiet.messages, quiet.posts) == (1, 1, 0)


def test_a_queue_is_another_invocation_that_signs_its_posts_faster(events):
    plain, queued = (
        load.flows(Habits(), events, design)["messages"] for design in (Design(), Design(queued=True))
    )
    assert queued.work.invocations == plain.work.invocations + 1
    assert plain.seconds - queued.seconds == pytest.approx(51 * (0.00077 - 0.00026))


# --- coming back ---


def test_who_comes_back_is_told_to_those_who_are_back():
    # Two rooms of three: 1, 2, then 3 are told, 2 on average. Ticket, handshake, hello, ready, 2 batches, 2 x 2 told.
    alone = count(2, 1).arrival
    requests = load.requests_of_return(Habits(rooms=2, members=3), alone)
    assert requests == 2 + 1 + 1 + 2 + 2 * 2
    assert requests == 2 + count(2, 2).arrival.requests


def test_a_large_room_is_told_of_the_first_hundred_and_a_silent_one_of_nobody():
    alone = count(1, 1).arrival
    large = load.requests_of_return(Habits(rooms=1, members=200), alone)
    assert large == pytest.approx(2 + alone.requests + (5050 + 100) / 200 - 1)
    assert load.requests_of_return(Habits(rooms=1, members=200), alone, most_told=0) == 2 + alone.requests


def test_returns_are_bound_by_handshakes_or_by_requests():
    assert load.returns_per_second(10) == 500
    assert load.returns_per_second(100) == 100


# --- one room ---


def test_a_room_of_a_thousand_takes_ten_messages_a_second_from_the_account():
    limits = load.room_limits(1_000, member_bytes=150)
    assert limits.by_account == pytest.approx(10_000 / 1_002)
    assert limits.by_members == pytest.approx(3_000 / 37)  # 150,000 bytes
    assert limits.fan_out_seconds == pytest.approx(0.005 + 0.77)
    assert limits.queued_seconds == pytest.approx(0.005 + 500 * 0.00026)
    assert limits.return_seconds == pytest.approx(1_000 * (75_000 / 4_096) / 3_000)
    assert not limits.by_heads


def test_a_huge_room_is_bound_by_pings_and_by_the_quota_even_with_a_queue():
    limits = load.room_limits(100_000, member_bytes=150)
    assert limits.by_heads
    assert limits.queued_seconds == (100_000 - 5_000) / 10_000
    assert load.largest_fan_out() == 37_662  # 29 s / 0.77 ms


@pytest.mark.parametrize(("size", "commits"), [(200, 500), (724, 500), (725, 250), (16_000, 1_000 / 32)])
def test_the_log_of_a_room_takes_a_thousand_units_a_second(size, commits):
    assert load.log_commits(size, overhead_bytes=300) == commits


def test_who_speaks_alone_waits_for_two_reads_and_a_transaction():
    outcome = contention.speak(0.01, seconds=1_000)
    assert outcome.attempts == outcome.offered > 0
    assert outcome.delay(1.0) == pytest.approx(0.025)
    assert contention.serial_commits() == pytest.approx(40)


def test_the_same_seed_tells_the_same():
    assert contention.speak(30, seconds=5) == contention.speak(30, seconds=5)
    assert contention.speak(30, seconds=5) != contention.speak(30, seconds=5, seed=2)


def test_in_a_room_that_is_too_busy_each_message_is_stored_or_refused_after_its_last_attempt():
    outcome = contention.speak(200, seconds=10)
    assert len(outcome.delays) + outcome.refused == outcome.offered
    assert outcome.refused > outcome.offered / 2
    assert outcome.attempts >= outcome.refused * ATTEMPTS + len(outcome.delays)
    # Between a commit's read and its end lie at least half a read, a read, and three quarters of a transaction.
    assert len(outcome.delays) <= (10 + 5) / (1.5 * 0.005 + 0.75 * 0.015)


# --- money, cells ---


def test_a_silent_connection_costs_its_minutes():
    assert load.bill({}, 1).total == pytest.approx(730 * 60 * 0.25 / 1e6)


def test_a_bill_adds_what_each_service_charges():
    work = Work(invocations=1, messages=2, reads=8, writes=4, bytes_down=1_000)
    once_a_second = {"all": Flow(1.0, work, seconds=0.1)}
    millions = 730 * 3600 / 1e6
    bill = load.bill(once_a_second, 1, minutes=False)
    assert bill.minutes == 0
    assert bill.messages == pytest.approx(millions * 2)
    assert bill.functions == pytest.approx(
        millions * 0.20 + millions * 1e6 * 0.1 * 1769 / 1024 * 0.0000133334
    )
    assert bill.table == pytest.approx(millions * (8 * 0.125 + 4 * 0.625))
    assert bill.egress == pytest.approx(millions * 1_000 * 0.09 / 1_000)
    assert bill.total == bill.messages + bill.functions + bill.table + bill.egress


def test_messages_beyond_a_thousand_million_are_cheaper():
    assert load.messages_price(1e9) == 1_000
    assert load.messages_price(3e9) == 1_000 + 2 * 800


def test_messages_stay_in_the_table():
    assert load.stored_gb_per_month(Habits(), stored_bytes=500, connections=1_000) == pytest.approx(2.19)


def test_people_scattered_over_two_cells_meet_in_one_and_a_half():
    assert load.cells_touched(2, cells=2) == 1.5
    assert load.cells_touched(7, cells=1) == 1


def test_every_message_reaches_all_members():
    assert load.deliveries_per_second(Habits(messages_per_hour=36, members=10), 1_000) == 100


# --- the commands ---


def test_a_page_without_a_place_is_refused():
    with pytest.raises(ValueError, match=r"no part bills: <!-- bills --> \.\.\. <!-- end of bills -->"):
        tables.rewritten("<!-- bills -->", {"bills": "free"})


def test_text_goes_between_its_marks_as_it_is():
    page = "a <!-- x -->old<!-- end of x --> b"
    assert tables.rewritten(page, {"x": r"\1 new"}) == "a <!-- x -->\n\\1 new\n<!-- end of x --> b"


def test_the_command_prints_or_writes(tmp_path: Path, monkeypatch, capsys):
    page = tmp_path / "scaling.md"
    page.write_text("<!-- bills --><!-- end of bills -->", encoding="utf-8")
    monkeypatch.setattr(tables, "PAGE", page)
    monkeypatch.setattr(tables, "parts", lambda: {"bills": "free"})
    command.main([])
    assert capsys.readouterr().out == "bills\n\nfree\n"
    command.main(["--write"])
    assert "free" in page.read_text(encoding="utf-8")


def test_every_message_of_the_measured_crowd_is_stored_and_heard_by_everybody(tmp_path: Path):
    people = machine.SPEAKERS + 1

    async def talk(server: KizunaServer) -> machine.Crowd:
        crowd = machine.Crowd(await machine.assemble(server, people))
        await crowd.talk(0.2)
        await asyncio.gather(*(socket.close() for socket in crowd.sockets))
        return crowd

    server = KizunaServer(tmp_path / "kizuna.sqlite3", RATE_LIMIT="0")
    server.start()
    try:
        crowd = asyncio.run(talk(server))
    finally:
        server.kill()
    assert len(crowd.delays) >= machine.SPEAKERS
    assert crowd.heard == len(crowd.delays) * people


def test_a_refusal_ends_the_measurement_and_does_not_count(tmp_path: Path):
    async def talk(server: KizunaServer) -> None:
        sockets = await machine.assemble(server, 1)
        try:
            await machine.Crowd(sockets).talk(30)
        finally:
            await sockets[0].close()

    server = KizunaServer(tmp_path / "kizuna.sqlite3", RATE_LIMIT="1", RATE_BURST="2")
    server.start()
    try:
        with pytest.raises(RuntimeError, match="rate_limited"):
            asyncio.run(talk(server))
    finally:
        server.kill()


def test_commits_are_counted_on_a_real_file(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(machine, "SECONDS", 0.1)
    assert machine.commits(tmp_path, rooms=2) > 0
    assert (tmp_path / "2.sqlite3").stat().st_size > 0


# --- attacks ---


def test_an_attack_is_counted_with_the_rates_that_the_template_ships():
    template = Template()
    assert template.data["Parameters"]["RequestsPerSecond"]["Default"] == given.STAGE_FRAMES
    http = template.resources["HttpStage"]["Properties"]["DefaultRouteSettings"]
    assert http["ThrottlingRateLimit"] == given.STAGE_REQUESTS


def test_the_stage_lets_the_frames_of_six_thousand_connections_through(events: Events):
    flows = load.flows(Habits(), events)
    tickets = flows["links"].per_second
    frames = load.needs(flows)[Resource.INVOCATIONS] - tickets
    assert 6_000 * frames < given.STAGE_FRAMES


def test_a_day_of_an_attack_costs_what_its_rate_costs():
    (writes,) = [line for line in tables.attacks().splitlines() if line.startswith("| table writes/s ")]
    # 40,000 a second for 86,400 s at 0.625 dollars a million; then 500 a second.
    assert [cell.strip() for cell in writes.split("|")][3:6:2] == ["2,160", "27"]
