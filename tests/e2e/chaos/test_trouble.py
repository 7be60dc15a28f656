"""A network's faults: each that a plan can draw begins, holds until its end, and leaves the network whole."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.chaos.plan import FAULTS, LASTING, ONCE, What
from tests.e2e.chaos.trouble import Trouble
from tests.support.fault_proxy import LOOPBACK, FaultProxy, Weather


@pytest.fixture
def network() -> Iterator[FaultProxy]:
    """With nobody behind it."""
    with FaultProxy(1) as network:
        yield network


def listens(network: FaultProxy) -> bool:
    """Whether it takes connections."""
    before = network.counts.accepted
    try:
        socket.create_connection((LOOPBACK, network.port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:  # taken, and nobody is behind it
        pass
    network.wait_until(lambda seen: seen.accepted > before and not seen.open)
    return True


@pytest.mark.parametrize("what", sorted(LASTING))
def test_a_lasting_fault_holds_until_its_second(what: What, network: FaultProxy):
    trouble = Trouble(network)
    trouble.begin(what, FAULTS[what].strength[1], until=3)
    assert trouble.is_lasting
    assert network.weather != Weather() or not listens(network)
    assert not trouble.end_if_over(2.9)
    assert trouble.is_lasting
    assert trouble.end_if_over(3)
    assert not trouble.is_lasting
    assert network.weather == Weather()
    assert listens(network)


@pytest.mark.parametrize("what", sorted(ONCE))
def test_a_fault_that_meets_nothing_says_so(what: What, network: FaultProxy):
    assert not Trouble(network).strike(what, lambda: "a frame")


def test_without_a_message_there_is_none_to_repeat(network: FaultProxy):
    assert not Trouble(network).strike(What.REPEAT, lambda: None)


def test_what_befalls_a_tab_is_no_fault_of_a_network(network: FaultProxy):
    with pytest.raises(ValueError, match="server killed does not last"):
        Trouble(network).begin(What.KILL, 0, until=1)
    with pytest.raises(ValueError, match="tab closed is not done once"):
        Trouble(network).strike(What.CLOSE, lambda: None)
