"""A network's faults: each that a plan can draw changes the network, and leaves it whole."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.chaos.plan import LASTS, STRENGTHS, UPHEAVALS, Fault, What
from tests.e2e.chaos.trouble import lasting, strike
from tests.support.fault_proxy import FaultProxy, Weather
from tests.support.server import LOOPBACK

LASTING = sorted(set(LASTS) - UPHEAVALS)
ONCE = sorted(set(What) - set(LASTS))


@pytest.fixture
def network() -> Iterator[FaultProxy]:
    """With nobody behind it."""
    with FaultProxy(1) as network:
        yield network


def listens(network: FaultProxy) -> bool:
    """Whether it takes connections."""
    before = network.counts.accepted
    try:
        socket.create_connection((LOOPBACK, network.port), timeout=30).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:  # taken, and nobody is behind it
        pass
    network.wait_until(lambda seen: seen.accepted > before and not seen.open)
    return True


@pytest.mark.parametrize("what", LASTING)
def test_a_lasting_fault_holds_until_its_end(what: What, network: FaultProxy):
    with lasting(network, Fault(what, strength=STRENGTHS.get(what, (0, 0))[1])):
        assert network.weather != Weather() or not listens(network)
    assert network.weather == Weather()
    assert listens(network)


@pytest.mark.parametrize("what", ONCE)
def test_a_fault_that_meets_nothing_says_so(what: What, network: FaultProxy):
    assert not strike(network, what, "a frame")


def test_without_a_message_there_is_none_to_repeat(network: FaultProxy):
    assert not strike(network, What.REPEAT, None)


def test_what_befalls_a_tab_is_no_fault_of_a_network(network: FaultProxy):
    with pytest.raises(ValueError, match="does not last"), lasting(network, Fault(What.KILL)):
        pass
    with pytest.raises(ValueError, match="is not done once"):
        strike(network, What.CLOSE, None)
