"""The context of a decision: what a connection knows when it handles an event, and what it has decided so far."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kizuna.core import states
from kizuna.core.commands import CancelTimer, Command, SetTimer
from kizuna.core.events import Timer
from kizuna.core.state import ConnectionState
from kizuna.core.states import Status
from kizuna.platform import Instant


class Context:
    """The time, the page, the timers that are set, the state that the application sees, and the commands."""

    def __init__(self) -> None:
        self.now = Instant(0.0, 0.0)  #: time of the event that is being handled
        self.visible = True  #: whether the page can be seen
        self.online = True  #: whether the browser reports a network
        self.state = ConnectionState()
        self.timers: dict[Timer, float] = {}  #: deadlines of the timers that are set, monotonic seconds
        self.changed_timers: set[Timer] = set()  #: set or cancelled since the event began
        self.commands: list[Command] = []  #: what to do about the event, in order

    def begin(self, now: Instant) -> None:
        """Begin with the next event."""
        self.now = now
        self.commands = []
        self.changed_timers.clear()

    def do(self, command: Command) -> None:
        """Add a command."""
        self.commands.append(command)

    def set_timer(self, timer: Timer, seconds: float) -> None:
        """Set ``timer``, in place of an earlier one of its kind, to fire in ``seconds``."""
        at = self.now.monotonic + seconds
        self.timers[timer] = at
        self.changed_timers.add(timer)
        self.do(SetTimer(timer, at))
        if timer is Timer.RETRY and self.state.status is Status.WAITING:
            self.change(retry_at=at)

    def cancel_timer(self, timer: Timer) -> None:
        """Cancel ``timer`` if it is set."""
        if self.timers.pop(timer, None) is not None:
            self.changed_timers.add(timer)
            self.do(CancelTimer(timer))

    def change(self, **parts: Any) -> None:
        """Change parts of the state."""
        self.state = replace(self.state, **parts)

    def enter(self, status: Status, link: int | None) -> None:
        """Enter ``status``, and cancel every timer that it does not allow.

        Args:
            status: The next status.
            link: The number of the current link, which the application sees while it is connected.
        """
        for timer in self.timers.keys() - states.TIMERS[status]:
            self.cancel_timer(timer)
        is_connected = status in states.CONNECTED_STATUSES
        self.change(
            status=status,
            link=link if is_connected else None,
            retry_at=None,
            rtt=self.state.rtt if is_connected else None,
            connected_since=self.state.connected_since if is_connected else None,
        )
