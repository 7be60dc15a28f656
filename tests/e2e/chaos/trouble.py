"""What a plan says of a network, done to the proxy that it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

from tests.e2e.chaos.plan import Fault, What
from tests.support.fault_proxy import FaultProxy, Way


@contextlib.contextmanager
def lasting(network: FaultProxy, fault: Fault) -> Iterator[None]:
    """The fault holds meanwhile. ValueError for one that does not last."""
    with contextlib.ExitStack() as end:
        match fault.what:
            case What.REFUSE:
                end.enter_context(network.refuse())
                network.fin()
            case What.DOWN:
                end.enter_context(network.down())
            case What.HOLE:
                end.enter_context(network.black_hole())
            case What.HOLE_UP:
                end.enter_context(network.black_hole(Way.UP))
            case What.HOLE_DOWN:
                end.enter_context(network.black_hole(Way.DOWN))
            case What.LOSS:
                end.enter_context(network.black_hole(Way.UP))
                end.callback(network.reset, only_websockets=True)
            case What.HANG:
                end.enter_context(network.accept_and_hang())
                network.reset()
            case What.SLAM:
                end.enter_context(network.accept_then_close(after_handshake=True))
                network.reset()
            case What.UNAVAILABLE:
                end.enter_context(network.http_status(HTTPStatus.SERVICE_UNAVAILABLE))
                network.reset()
            case What.SLOW:
                end.enter_context(network.slow(fault.strength))
            case What.NARROW:
                end.enter_context(network.link(fault.strength))
            case _:
                raise ValueError(f"{fault.what} does not last")
        yield


def strike(network: FaultProxy, what: What, last_message: str | None) -> bool:
    """Do what is done once; False when it met nothing. ``last_message``: the newest message frame that came."""
    match what:
        case What.RST:
            return bool(network.reset(only_websockets=True))
        case What.FIN:
            return bool(network.fin(only_websockets=True))
        case What.STRAND:
            return bool(network.strand(only_websockets=True))
        case What.CUT:
            return bool(network.cut_mid_frame())
        case What.REPEAT:
            return last_message is not None and bool(network.inject(last_message))
    raise ValueError(f"{what} is not done once")
