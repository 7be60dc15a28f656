"""The links of a connection: one, two during a rollover, or none."""

from __future__ import annotations

from kizuna.core.events import Timer
from kizuna.core.heartbeat import Heartbeat
from kizuna.core.link import Link


class Links:
    """The current link, the candidate and the retiring link.

    Args:
        needs_ready: Whether the server accepts a link by a ``ready`` frame.
    """

    def __init__(self, *, needs_ready: bool) -> None:
        self.current: Link | None = None  #: carries the application's frames, or will
        self.candidate: Link | None = None  #: will replace the current one
        self.retiring: Link | None = None  #: was replaced; its last frames may still arrive
        self._needs_ready = needs_ready
        self._count = 0

    @property
    def all(self) -> list[Link]:
        """Return every link that was not abandoned."""
        return [link for link in (self.current, self.candidate, self.retiring) if link is not None]

    def find(self, number: int) -> Link | None:
        """Return the link of this number; None for one that was abandoned."""
        return next((link for link in self.all if link.number == number), None)

    def create(self, now: float) -> Link:
        """Return a new link, begun at ``now`` (monotonic seconds), that has no role yet."""
        self._count += 1
        return Link(self._count, now, Heartbeat(), needs_ready=self._needs_ready)

    def promote(self) -> None:
        """Make the candidate the current link, and the current link the retiring one."""
        self.retiring, self.current, self.candidate = self.current, self.candidate, None

    def remove(self, link: Link) -> Timer:
        """Remove ``link``, and return the timer of its deadline."""
        timer = self.deadline_of(link)
        if link is self.current:
            self.current = None
        elif link is self.candidate:
            self.candidate = None
        else:
            self.retiring = None
        return timer

    def deadline_of(self, link: Link) -> Timer:
        """Return the timer that limits the next step of ``link``."""
        if link is self.candidate:
            return Timer.CANDIDATE
        return Timer.RETIRE if link is self.retiring else Timer.CONNECT

    def timed_by(self, timer: Timer) -> Link | None:
        """Return the link whose deadline ``timer`` is; None for timers that are no deadline."""
        match timer:
            case Timer.CONNECT | Timer.SILENCE:
                return self.current
            case Timer.CANDIDATE:
                return self.candidate
            case Timer.RETIRE:
                return self.retiring
        return None
