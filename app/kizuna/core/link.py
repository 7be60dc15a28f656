"""One socket's life, from the wish for a token to the moment it is forgotten."""

from __future__ import annotations

from kizuna.core.heartbeat import Heartbeat
from kizuna.core.states import LinkSignal, LinkState, next_link_state


class Link:
    """Responsible for what is known about one socket. Times are monotonic seconds."""

    def __init__(self, number: int, started_at: float, heartbeat: Heartbeat, *, needs_ready: bool) -> None:
        self.number = number
        self.active_at = started_at  #: when it was begun, got its token, opened or was heard last
        self.heartbeat = heartbeat
        self.state = LinkState.OPENING
        self.expires_in: float | None = (
            None  #: seconds from ready until its token expires, where ready says so
        )
        self.slowest_step = 0.0  #: seconds that the slowest of token, opening and ready took
        self.is_postponed = False  #: a deadline came late, and is to come once more; until it makes progress
        self._has_token = False
        self._ready = not needs_ready
        self._prepared = False

    def apply(self, signal: LinkSignal) -> None:
        """Go where the table leads."""
        self.state = next_link_state(self.state, signal)

    @property
    def is_open(self) -> bool:
        """Whether frames can go over it."""
        return self.state in (LinkState.PROVING, LinkState.LIVE, LinkState.DOUBTED)

    @property
    def is_ready(self) -> bool:
        """Whether the server has accepted it."""
        return self._ready

    def note_token(self, now: float) -> bool:
        """The token is here. True the first time: one link opens one socket."""
        if self.state is not LinkState.OPENING or self._has_token:
            return False
        self._has_token = True
        self._note_progress(now)
        return True

    def note_opened(self, now: float) -> bool:
        """The handshake succeeded. True if that was awaited."""
        if self.state is not LinkState.OPENING:
            return False
        self._note_progress(now)
        self.apply(LinkSignal.OPENED)
        return True

    def note_frame(self, now: float) -> bool:
        """Something arrived, and whatever it is, it is life. True if that ends a doubt."""
        self._note_progress(now)
        self.heartbeat.frame_received()
        if self.state is not LinkState.DOUBTED:
            return False
        self.apply(LinkSignal.HEARD)
        return True

    def note_ready(self) -> bool:
        """The server accepts the link. True if that completes the proof."""
        self._ready = True
        return self._prove()

    def note_prepared(self) -> bool:
        """The application is done preparing. True if that completes the proof."""
        self._prepared = True
        return self._prove()

    def _note_progress(self, now: float) -> None:
        if self.state is LinkState.OPENING or not self._ready:
            self.slowest_step = max(self.slowest_step, now - self.active_at)
        self.active_at = now
        self.is_postponed = False

    def _prove(self) -> bool:
        if self.state is not LinkState.PROVING or not (self._ready and self._prepared):
            return False
        self.apply(LinkSignal.PROVED)
        return True
