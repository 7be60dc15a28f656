"""The network faults of a plan, applied to a fault proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus

from tests.e2e.chaos.plan import Fault, FaultKind
from tests.support.fault_proxy import FaultProxy, Way


@contextlib.contextmanager
def lasting_fault(network: FaultProxy, fault: Fault) -> Iterator[None]:
    """Apply a fault for as long as the context lasts. Raises ValueError for one that happens once."""
    with contextlib.ExitStack() as end:
        match fault.kind:
            case FaultKind.REFUSE:
                end.enter_context(network.refuse())
                network.fin()
            case FaultKind.DOWN:
                end.enter_context(network.down())
            case FaultKind.HOLE:
                end.enter_context(network.black_hole())
            case FaultKind.HOLE_UP:
                end.enter_context(network.black_hole(Way.UP))
            case FaultKind.HOLE_DOWN:
                end.enter_context(network.black_hole(Way.DOWN))
            case FaultKind.LOSS:
                end.enter_context(network.black_hole(Way.UP))
                end.callback(network.reset, only_websockets=True)
            case FaultKind.HANG:
                end.enter_context(network.accept_and_hang())
                network.reset()
            case FaultKind.SLAM:
                end.enter_context(network.accept_then_close(after_handshake=True))
                network.reset()
            case FaultKind.UNAVAILABLE:
                end.enter_context(network.http_status(HTTPStatus.SERVICE_UNAVAILABLE))
                network.reset()
            case FaultKind.SLOW:
                end.enter_context(network.slow(fault.strength))
            case FaultKind.NARROW:
                end.enter_context(network.link(fault.strength))
            case _:
                raise ValueError(f"{fault.kind} does not last")
        yield


def apply_once(network: FaultProxy, kind: FaultKind, last_message: str | None) -> bool:
    """Apply a fault that happens once; False if there was no connection for it.

    ``last_message``: the newest message frame that the page received. Raises ValueError for a fault that lasts.
    """
    match kind:
        case FaultKind.RST:
            return bool(network.reset(only_websockets=True))
        case FaultKind.FIN:
            return bool(network.fin(only_websockets=True))
        case FaultKind.STRAND:
            return bool(network.strand(only_websockets=True))
        case FaultKind.CUT:
            return bool(network.cut_mid_frame())
        case FaultKind.REPEAT:
            return last_message is not None and bool(network.inject(last_message))
    raise ValueError(f"{kind} does not happen once")
