"""The debounced outage of the connection, for the banner, the title and the announcements.

A drop shorter than the grace is shown by the pill alone.
"""

from __future__ import annotations

from enum import StrEnum

from chat.store import ChatState
from chat.timeline import Gap
from kizuna import Status

GRACE = 3.0  #: seconds without a connection before the banner shows
FIRST_GRACE = 5.0  #: the same before the first connection
SUCCESS_FOR = 5.0  #: seconds that "Back online" is shown

_OPEN = (Status.CONNECTED, Status.SUSPECT)
_FINAL = (Status.EXHAUSTED, Status.REJECTED)
_QUIET = (Status.IDLE, Status.CLOSED, Status.SUSPENDED)


def connection_part(state: ChatState) -> tuple[object, ...]:
    """Return the part of the state from which the connection is shown; not the round trip, which changes often."""
    connection = state.connection
    shown = (connection.status, connection.attempt, connection.retry_at, state.reason)
    return (*shown, state.last_connected_at is None, state.catching_up, state.waiting, state.name)


class Phase(StrEnum):
    """The phase of an outage."""

    NONE = "none"
    TROUBLE = "trouble"  #: not connected, reconnecting
    FAILED = "failed"  #: not connected, the person has to act
    SUCCESS = "success"  #: connected again after TROUBLE or FAILED


class Outage:
    """The phase of the outage; ``update`` may be called at any time."""

    def __init__(self) -> None:
        self.phase = Phase.NONE
        self.was_connected = False  #: before this outage
        self._down_since: float | None = None
        self._success_until = 0.0
        self._waiting_before = 0
        self._waiting_now = 0
        self._received_before = 0
        self.received = 0  #: how many messages of others the end of the outage brought
        self._shown: set[int] = set()  #: the losses of the connection that were shown

    @property
    def sent(self) -> int:
        """How many messages of the outage have been stored since its end."""
        return max(0, self._waiting_before - self._waiting_now)

    @property
    def in_trouble(self) -> bool:
        """Whether the outage is shown."""
        return self.phase in (Phase.TROUBLE, Phase.FAILED)

    def shown_gaps(self, state: ChatState) -> tuple[Gap, ...]:
        """Return the times without a connection that were shown, and are over."""
        return tuple([gap for gap in state.gaps if gap.until is not None and gap.number in self._shown])

    def page_shown(self, now: float) -> None:
        """Restart the grace when the page becomes visible."""
        if self._down_since is not None:
            self._down_since = now

    def update(self, state: ChatState, now: float) -> float | None:
        """Apply ``state``. Return when to call again without a change."""
        status = state.connection.status
        self._waiting_now = state.waiting
        if state.name is None or status in _QUIET:
            self.phase = Phase.NONE
            self._down_since = None
            return None
        if status in _OPEN:
            return self._connected(state, now)
        self._waiting_before = state.waiting
        self.was_connected = state.last_connected_at is not None
        if self._down_since is None:
            self._down_since = now
            self._received_before = state.received
        if status in _FINAL:
            self._show(Phase.FAILED, state)
            return None
        grace = FIRST_GRACE if state.last_connected_at is None else GRACE
        shown_at = self._down_since + grace
        if now < shown_at:
            self.phase = Phase.NONE
            return shown_at
        self._show(Phase.TROUBLE, state)
        return None

    def _show(self, phase: Phase, state: ChatState) -> None:
        self.phase = phase
        self._shown.add(state.losses)

    def _connected(self, state: ChatState, now: float) -> float | None:
        self._down_since = None
        if state.catching_up:  # not before everything has arrived
            return None
        if self.in_trouble:
            self.phase = Phase.SUCCESS
            self.received = max(0, state.received - self._received_before)
            self._success_until = now + SUCCESS_FOR
        if self.phase is Phase.SUCCESS and now >= self._success_until:
            self.phase = Phase.NONE
        return self._success_until if self.phase is Phase.SUCCESS else None
