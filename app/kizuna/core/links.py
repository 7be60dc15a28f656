"""The links that a connection has: one, two while one replaces the other, or none."""

from __future__ import annotations

from kizuna.core.events import Timer
from kizuna.core.heartbeat import Heartbeat
from kizuna.core.link import Link


class Links:
    """Responsible for which link plays which part. ``needs_ready``: the server accepts each by a word of its own."""

    def __init__(self, *, needs_ready: bool) -> None:
        self.current: Link | None = None  #: carries the application's frames, or is to carry them
        self.candidate: Link | None = None  #: is to replace the current one
        self.retiring: Link | None = None  #: was replaced; its last frames may still come
        self._needs_ready = needs_ready
        self._count = 0

    @property
    def all(self) -> list[Link]:
        """Every link that is not forgotten."""
        return [link for link in (self.current, self.candidate, self.retiring) if link is not None]

    def find(self, number: int) -> Link | None:
        """The link of this number, unless it is forgotten."""
        return next((link for link in self.all if link.number == number), None)

    def create(self, now: float) -> Link:
        """A new link, begun now (monotonic seconds), which plays no part yet."""
        self._count += 1
        return Link(self._count, now, Heartbeat(), needs_ready=self._needs_ready)

    def promote(self) -> None:
        """The candidate carries from now on."""
        self.retiring, self.current, self.candidate = self.current, self.candidate, None

    def remove(self, link: Link) -> Timer:
        """Take its part from a link; returns the timer that ran for it."""
        timer = self.deadline_of(link)
        if link is self.current:
            self.current = None
        elif link is self.candidate:
            self.candidate = None
        else:
            self.retiring = None
        return timer

    def deadline_of(self, link: Link) -> Timer:
        """The timer by which a link has to be through with its next step."""
        if link is self.candidate:
            return Timer.CANDIDATE
        return Timer.RETIRE if link is self.retiring else Timer.CONNECT

    def timed_by(self, timer: Timer) -> Link | None:
        """The link whose deadline a timer is; None for those that are no deadline."""
        match timer:
            case Timer.CONNECT | Timer.SILENCE:
                return self.current
            case Timer.CANDIDATE:
                return self.candidate
            case Timer.RETIRE:
                return self.retiring
        return None
