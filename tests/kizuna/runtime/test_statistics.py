"""The statistics: what each event counts."""

from __future__ import annotations

import pytest

from kizuna.runtime.journal import ROUND_TRIPS, StatisticsRecorder, _percentile
from tests.kizuna.service_harness import ServiceHarness


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([3.0], 0.5, 3.0),
        ([3.0], 0.95, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.95, 95.0),
    ],
)
def test_a_percentile_is_the_value_that_its_share_does_not_exceed(
    values: list[float], share: float, expected: float | None
):
    assert _percentile(values, share) == expected


def test_nothing_is_counted_before_anything_happened():
    numbers = StatisticsRecorder().snapshot(ServiceHarness().platform.now())
    assert numbers[:7] == (0, 0, 0, 0, 0, 0, 0.0)
    assert numbers[7:] == (None, None, None, 0.0, ())


async def test_connections_drops_and_time_are_counted():
    harness = ServiceHarness()
    await harness.connect()
    await harness.platform.advance(4)
    harness.socket.drop()
    await harness.platform.advance(1)
    await harness.serve()
    await harness.platform.advance(2)
    harness.service.disconnect()
    await harness.platform.advance(60)
    numbers = harness.service.statistics()
    assert (numbers.attempts, numbers.connections, numbers.drops, numbers.rollovers) == (2, 2, 1, 0)
    assert (numbers.seconds_connected, numbers.seconds) == (6, 67)


async def test_frames_are_counted_also_those_that_cannot_be_read():
    harness = ServiceHarness()
    await harness.connect()
    harness.socket.receive({"type": "message"})
    harness.socket.receive("nonsense")
    numbers = harness.service.statistics()
    assert (numbers.frames_received, numbers.frames_malformed) == (3, 1)
    harness.service.disconnect()


async def test_round_trips_are_measured_and_the_oldest_forgotten():
    harness = ServiceHarness(heartbeat_interval=1, rollover_after=0)
    await harness.connect()
    for number in range(ROUND_TRIPS + 10):
        delay = 0.9 if number < 10 else 0.2 if number % 10 else 0.4
        await harness.platform.advance(delay)
        ping = [frame for frame in harness.socket.sent if frame["action"] == "ping"][-1]
        harness.socket.receive({"type": "pong", "t": ping["t"]})
        await harness.platform.advance(1 - delay)
    numbers = harness.service.statistics()
    assert numbers.rtt_last == pytest.approx(0.2, abs=0.001)
    assert numbers.rtt_median == pytest.approx(0.2, abs=0.001)
    assert numbers.rtt_p95 == pytest.approx(0.4, abs=0.001)
    assert len(numbers.round_trips) == ROUND_TRIPS
    assert numbers.round_trips[:2] == pytest.approx((0.4, 0.2), abs=0.001)
    harness.service.disconnect()


async def test_a_replaced_link_is_a_rollover_and_no_drop():
    harness = ServiceHarness(rollover_after=20, rollover_spread=0)
    await harness.connect()
    harness.socket.receive({"type": "pong"})
    await harness.platform.advance(20)
    await harness.serve()
    numbers = harness.service.statistics()
    assert (numbers.attempts, numbers.connections, numbers.drops, numbers.rollovers) == (2, 1, 0, 1)
    harness.service.disconnect()
