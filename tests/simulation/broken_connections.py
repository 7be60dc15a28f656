"""Connections with one defect each, which a simulation has to find."""

from __future__ import annotations

from kizuna.core import Connection, events
from kizuna.core.events import Command, Event, Timer
from kizuna.platform import Instant


class NeverRetries(Connection):
    """Gives up at the first drop."""

    def handle(self, event: Event, now: Instant) -> list[Command]:
        return [command for command in super().handle(event, now) if not _arms(command, Timer.RETRY)]


class NeverDoubts(Connection):
    """Never doubts a silent link."""

    def handle(self, event: Event, now: Instant) -> list[Command]:
        return [command for command in super().handle(event, now) if not _arms(command, Timer.SILENCE)]


class KeepsOldLinks(Connection):
    """Forgets to detach and close the old socket."""

    def handle(self, event: Event, now: Instant) -> list[Command]:
        answer = super().handle(event, now)
        return [command for command in answer if not isinstance(command, events.AbandonLink)]


class ComesBackUnasked(Connection):
    """Connects when the page is shown, even after disconnect() (phoenix#6578)."""

    def handle(self, event: Event, now: Instant) -> list[Command]:
        is_shown = isinstance(event, events.PageShown)
        return super().handle(events.ConnectRequested() if is_shown else event, now)


class PaysWhileHidden(Connection):
    """Spends its retry budget in a hidden tab."""

    def handle(self, event: Event, now: Instant) -> list[Command]:
        return [] if isinstance(event, events.PageHidden) else super().handle(event, now)


class Raises(Connection):
    """Raises on a malformed frame."""

    def handle(self, event: Event, now: Instant) -> list[Command]:
        assert not isinstance(event, events.FrameMalformed), "a frame was malformed"
        return super().handle(event, now)


def _arms(command: Command, timer: Timer) -> bool:
    return isinstance(command, events.SetTimer) and command.timer is timer
