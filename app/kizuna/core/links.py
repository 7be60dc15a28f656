"""The links of a connection: one, two during a rollover, or none."""

from __future__ import annotations

from kizuna.core.commands import AbandonLink, FetchToken
from kizuna.core.context import Context
from kizuna.core.events import Timer
from kizuna.core.heartbeat import Heartbeat
from kizuna.core.link import Link
from kizuna.core.states import LinkSignal


class Links:
    """The current link, the candidate and the retiring link.

    Args:
        context: Where the commands go.
        needs_ready: Whether the server accepts a link by a ``ready`` frame.
    """

    def __init__(self, context: Context, *, needs_ready: bool) -> None:
        self._context = context
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
        for link in (self.current, self.candidate, self.retiring):
            if link is not None and link.number == number:
                return link
        return None

    @property
    def required(self) -> Link:
        """Return the current link, in a status that always has one."""
        assert self.current is not None
        return self.current

    def open(self, seconds: float) -> None:
        """Begin a new current link in place of all others; its first step may take ``seconds``."""
        self.abandon()
        self.current = self._new()
        self._context.change(attempt=self._context.state.attempt + 1)
        self._context.set_timer(Timer.CONNECT, seconds)
        self._context.do(FetchToken(self.current.number))

    def open_candidate(self, seconds: float) -> None:
        """Begin a candidate beside the current link; its first step may take ``seconds``."""
        self.candidate = self._new()
        self._context.set_timer(Timer.CANDIDATE, seconds)
        self._context.do(FetchToken(self.candidate.number))

    def abandon(self) -> None:
        """End every link."""
        for link in self.all:
            self.end(link)

    def end(self, link: Link | None) -> None:
        """End ``link``: cancel its deadline and abandon its socket. Without effect for None."""
        if link is not None:
            self._context.cancel_timer(self._remove(link))
            link.apply(LinkSignal.ENDED)
            self._context.do(AbandonLink(link.number))

    def promote(self) -> None:
        """Make the candidate the current link, and the current link, if there still is one, the retiring one."""
        self.retiring, self.current, self.candidate = self.current, self.candidate, None

    def deadline_of(self, link: Link) -> Timer:
        """Return the timer that limits the next step of ``link``; it changes with the link's part in a rollover."""
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

    def _new(self) -> Link:
        self._count += 1
        return Link(self._count, self._context.now.monotonic, Heartbeat(), needs_ready=self._needs_ready)

    def _remove(self, link: Link) -> Timer:
        """Remove ``link``, and return the timer of its deadline."""
        timer = self.deadline_of(link)
        if link is self.current:
            self.current = None
        elif link is self.candidate:
            self.candidate = None
        else:
            self.retiring = None
        return timer
