"""Pings, pongs, silence and the round trip."""

from __future__ import annotations

import pytest

from kizuna.core.links import Heartbeat
from kizuna.core.states import Status, Trigger


def test_nothing_is_silent_before_it_was_asked():
    assert not Heartbeat().is_silent


def test_silence_lasts_from_a_ping_to_anything_heard():
    heartbeat = Heartbeat()
    heartbeat.ping_sent(10.0)
    assert heartbeat.is_silent
    heartbeat.frame_received()
    assert not heartbeat.is_silent
    heartbeat.ping_sent(40.0)
    assert heartbeat.is_silent


def test_silence_doubts_a_trusted_link_and_ends_a_doubted_one():
    heartbeat = Heartbeat()
    heartbeat.ping_sent(10.0)
    assert heartbeat.silence_means(Status.CONNECTED) is Trigger.DOUBTED
    assert heartbeat.silence_means(Status.SUSPECT) is Trigger.LOST
    heartbeat.frame_received()
    assert heartbeat.silence_means(Status.CONNECTED) is None
    assert heartbeat.silence_means(Status.SUSPECT) is None


def test_the_round_trip_is_measured_for_the_last_ping_alone():
    heartbeat = Heartbeat()
    heartbeat.ping_sent(10.0)
    heartbeat.ping_sent(40.0)
    heartbeat.pong_received(40.1, 10.0)
    assert heartbeat.rtt is None
    heartbeat.pong_received(40.2, 40.0)
    assert heartbeat.rtt == pytest.approx(0.2)
    heartbeat.pong_received(45.0, 40.0)
    assert heartbeat.rtt == pytest.approx(0.2)


def test_an_answer_without_a_time_or_a_question_measures_nothing():
    heartbeat = Heartbeat()
    heartbeat.pong_received(1.0, 1.0)
    heartbeat.ping_sent(10.0)
    heartbeat.pong_received(10.2, None)
    assert heartbeat.rtt is None


def test_a_round_trip_is_never_negative():
    heartbeat = Heartbeat()
    heartbeat.ping_sent(10.0004)
    heartbeat.pong_received(10.0, 10.0)
    assert heartbeat.rtt == 0.0


def test_the_time_may_come_back_rounded_to_a_millisecond():
    heartbeat = Heartbeat()
    heartbeat.ping_sent(10.00049)
    heartbeat.pong_received(10.25049, 10.0)
    assert heartbeat.rtt == pytest.approx(0.25)


@pytest.mark.parametrize("earlier", [0.001, 0.5, 1.0])
def test_pong_a_millisecond_off_belongs_to_another_ping(earlier: float):
    heartbeat = Heartbeat()
    heartbeat.ping_sent(0.0)
    heartbeat.pong_received(1.0, -earlier)
    assert heartbeat.rtt is None


def test_a_pong_is_awaited_from_a_ping_until_the_pong_is_handled():
    heartbeat = Heartbeat()
    assert heartbeat.awaits_pong is False
    heartbeat.ping_sent(10.0)
    heartbeat.frame_received()
    assert heartbeat.awaits_pong is True
    heartbeat.pong_received(10.1, 10.0)
    assert not heartbeat.awaits_pong
