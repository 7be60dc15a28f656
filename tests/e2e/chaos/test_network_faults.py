"""Each network fault changes the network while it lasts, and leaves it whole."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.chaos.network_faults import apply_once, lasting_fault
from tests.e2e.chaos.plan import DURATIONS, SERVER_AND_TAB_FAULTS, STRENGTHS, Fault, FaultKind
from tests.support.fault_proxy import Conditions, FaultProxy
from tests.support.server import LOOPBACK

LASTING = sorted(set(DURATIONS) - SERVER_AND_TAB_FAULTS)
ONCE = sorted(set(FaultKind) - set(DURATIONS))


@pytest.fixture
def network() -> Iterator[FaultProxy]:
    """A proxy without a server behind it."""
    with FaultProxy(1) as network:
        yield network


def listens(network: FaultProxy) -> bool:
    """Return whether the proxy accepts connections."""
    before = network.counts.accepted
    try:
        socket.create_connection((LOOPBACK, network.port), timeout=30).close()
    except ConnectionRefusedError:
        return False
    except ConnectionResetError:  # accepted, but there is no server behind it
        pass
    network.wait_until(lambda seen: seen.accepted > before and not seen.open)
    return True


@pytest.mark.parametrize("kind", LASTING)
def test_a_lasting_fault_holds_until_its_end(kind: FaultKind, network: FaultProxy):
    with lasting_fault(network, Fault(kind, strength=STRENGTHS.get(kind, (0, 0))[1])):
        assert network.conditions != Conditions() or not listens(network)
    assert network.conditions == Conditions()
    assert listens(network)


@pytest.mark.parametrize("kind", ONCE)
def test_a_fault_without_a_connection_returns_false(kind: FaultKind, network: FaultProxy):
    assert not apply_once(network, kind, "a frame")


def test_without_a_message_nothing_is_repeated(network: FaultProxy):
    assert not apply_once(network, FaultKind.REPEAT, None)


def test_what_befalls_a_tab_is_no_fault_of_a_network(network: FaultProxy):
    with pytest.raises(ValueError, match="does not last"), lasting_fault(network, Fault(FaultKind.KILL)):
        pass
    with pytest.raises(ValueError, match="does not happen once"):
        apply_once(network, FaultKind.CLOSE, None)
