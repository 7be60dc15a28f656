"""A person's network: the steps of the plan, done to the proxy that it is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from http import HTTPStatus

from tests.e2e.chaos.plan import What
from tests.support.fault_proxy import FaultProxy, Way


class Trouble:
    """Responsible for the faults of one network: lasting ones one at a time, the others whenever they come."""

    def __init__(self, network: FaultProxy) -> None:
        self._network = network
        self._lasting = contextlib.ExitStack()
        self._until: float | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether something holds at the moment."""
        return self._until is not None

    def begin(self, what: What, strength: float, until: float) -> None:
        """Let this hold until that second."""
        assert self._until is None, f"{what} while something else lasts"
        self._until = until
        network, hold = self._network, self._lasting.enter_context
        match what:
            case What.REFUSE:
                hold(network.refuse())
                network.fin()
            case What.DOWN:
                hold(network.down())
            case What.HOLE:
                hold(network.black_hole())
            case What.HOLE_UP:
                hold(network.black_hole(Way.UP))
            case What.HOLE_DOWN:
                hold(network.black_hole(Way.DOWN))
            case What.HANG:
                hold(network.accept_and_hang())
                network.reset()
            case What.SLAM:
                hold(network.accept_then_close(after_handshake=True))
                network.reset()
            case What.UNAVAILABLE:
                hold(network.http_status(HTTPStatus.SERVICE_UNAVAILABLE))
                network.reset()
            case What.SLOW:
                hold(network.slow(strength))
            case What.NARROW:
                hold(network.bandwidth(strength))
            case _:
                raise ValueError(f"{what} does not last")

    def end_if_over(self, now: float) -> bool:
        """End what was to hold until ``now``; whether there was such a thing."""
        if self._until is None or self._until > now:
            return False
        self.end()
        return True

    def end(self) -> None:
        """Let the network work."""
        self._lasting.close()
        self._until = None

    def strike(self, what: What, last_message: Callable[[], str | None]) -> bool:
        """Do what is done once; False when it met nothing. ``last_message``: the newest message frame that came."""
        match what:
            case What.RST:
                return bool(self._network.reset(only_websockets=True))
            case What.FIN:
                return bool(self._network.fin(only_websockets=True))
            case What.STRAND:
                return bool(self._network.strand(only_websockets=True))
            case What.CUT:
                return bool(self._network.cut_mid_frame())
            case What.REPEAT:
                frame = last_message()
                return frame is not None and bool(self._network.inject(frame))
            case _:
                raise ValueError(f"{what} is not done once")
