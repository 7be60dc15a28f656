"""A small storm: 200 clients and a gateway of 2 connections per second, so that all need at least 100 s."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from tests.reports.simulated import peers, storm
from tests.reports.simulated.storm import KizunaClient, PeerClient, Storm
from tests.reports.simulated.week import FIVE_RETRIES
from tests.simulation.broken_connections import NeverRetries

CLIENTS, PER_SECOND = 200, 2


def storm_of(name: str, outage: float = 0.0, seed: int = 1) -> Storm:
    return storm.run_storm(name, clients=CLIENTS, per_second=PER_SECOND, outage=outage, seed=seed)


CHAT = next(name for name in storm.OURS if "chat" in name)


@pytest.mark.parametrize("outage", [0.0, 20.0])
def test_the_chat_brings_everyone_back_with_few_attempts(outage: float):
    result = storm_of(CHAT, outage)
    assert len(result.back_at) == CLIENTS
    assert not result.gave_up_at
    best = CLIENTS / PER_SECOND
    assert best - 1 <= (result.back_within(1.0) or 0) < 2.5 * best
    assert result.attempts < 10 * CLIENTS


def test_without_quiet_attempts_five_retries_are_the_end():
    result = storm_of("Kizuna, five retries")
    assert len(result.back_at) + len(result.gave_up_at) == CLIENTS
    assert result.gave_up_at
    assert result.attempts <= 5 * CLIENTS
    assert result.back_within(1.0) is None


def test_the_article_brings_back_what_five_bursts_let_in():
    result = storm_of("the article as written")
    assert len(result.back_at) <= 5 * 2 * PER_SECOND
    assert len(result.gave_up_at) == CLIENTS - len(result.back_at)
    assert result.peak() == CLIENTS


@pytest.mark.parametrize("name", ["phoenix", "socket.io", "reconnecting-websocket", "ably"])
def test_who_never_gives_up_gets_everyone_back(name: str):
    assert len(storm_of(name).back_at) == CLIENTS


def test_the_gateway_keeps_its_limit_and_refuses_all_while_down():
    result = storm_of(CHAT, outage=20.0)
    assert min(result.back_at) >= 20
    per_second = [int(at) for at in result.back_at]
    assert max(map(per_second.count, per_second)) <= PER_SECOND


def test_the_same_seed_is_the_same_storm():
    assert storm_of(CHAT, seed=5) == storm_of(CHAT, seed=5)
    assert storm_of(CHAT, seed=5) != storm_of(CHAT, seed=6)


def test_a_connection_that_never_retries_is_noticed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(storm, "Connection", NeverRetries)
    result = storm_of(CHAT)
    assert (len(result.gave_up_at), result.attempts) == (CLIENTS, 0)


def test_kizunas_delays_are_the_articles_with_jitter():
    client, now = KizunaClient(FIVE_RETRIES, Random(3)), 0.0
    delays: list[float] = []
    while (at := client.lost(now)) is not None:
        delays.append(at - now)
        now = at + 0.1
    for delay, nominal in zip(delays, (1, 2, 4, 8, 16), strict=True):
        assert 0.5 * nominal <= delay <= 1.5 * nominal


class TestPeers:
    """The numbers of each project, as its source has them."""

    def delays(self, backoff: peers.Backoff, count: int = 12) -> list[float]:
        client, now = PeerClient(backoff, Random(1)), 0.0
        delays: list[float] = []
        while len(delays) < count and (at := client.lost(now)) is not None:
            delays.append(at - now)
            now = at
        return [round(delay, 9) for delay in delays]

    def test_article(self):
        assert self.delays(peers.article) == [1, 2, 4, 8, 16]

    def test_phoenix(self):
        expected = [0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2, 5, 5, 5]
        assert self.delays(peers.phoenix) == expected

    def test_signalr(self):
        assert self.delays(peers.signalr) == [0, 2, 10, 30]

    def test_socket_io_has_no_jitter_once_the_cap_is_reached(self):
        delays = self.delays(peers.socket_io)
        for delay, nominal in zip(delays, (1, 2, 4), strict=False):
            assert min(0.5 * nominal, 5) <= delay <= min(1.5 * nominal, 5)
        assert set(delays[5:]) == {5}

    def test_reconnecting_websocket_draws_once_and_grows_to_ten_seconds(self):
        delays = self.delays(peers.reconnecting_websocket)
        assert 1 <= delays[0] <= 5
        assert delays[1] == pytest.approx(1.3 * delays[0])
        assert delays[-1] == 10

    def test_ably_is_in_step_once_it_is_suspended(self):
        delays = self.delays(peers.ably)
        assert delays[0] == 0
        assert 16 <= delays[1] <= 20
        assert 20 <= delays[2] <= 25
        suspended = [sum(islice(delays, count)) for count in range(1, len(delays) + 1)]
        assert [moment for moment in suspended if moment > 120] == pytest.approx(
            [150 + 30 * step for step in range(sum(moment > 120 for moment in suspended))]
        )


def test_the_chart_has_a_bar_for_each_that_brings_everyone_back():
    drawn = storm.report({name: storm_of(name) for name in ("SignalR", "socket.io")})
    assert 'x-axis ["socket.io"]' in drawn
    assert f"bar [{storm_of('socket.io').back_within(0.99):.0f}]" in drawn


def test_the_command_line_prints_a_table_with_its_seed_and_command(capsys: pytest.CaptureFixture[str]):
    storm.main(["--clients", "90", "--per-second", "5", "--outage", "0", "--seed", "2", "--only", "article"])
    printed = capsys.readouterr().out
    assert "| the article as written | never | never | never |" in printed
    assert (
        "`python -m tests.reports.simulated.storm --clients 90 --per-second 5 --outage 0 --seed 2`" in printed
    )
