"""One socket's life, from the wish for a token to the moment it is forgotten."""

from __future__ import annotations

from kizuna.heartbeat import Heartbeat
from kizuna.states import LinkSignal, LinkState, next_link_state


class Link:
    """Responsible for what is known about one socket. Times are monotonic seconds."""

    def __init__(self, number: int, started_at: float, heartbeat: Heartbeat, *, needs_ready: bool) -> None:
        self.number = number
        self.active_at = started_at  #: when it was begun, opened or heard last
        self.heartbeat = heartbeat
        self.state = LinkState.OPENING
        self.expires_in: float | None = (
            None  #: seconds from ready until its token expires, where ready says so
        )
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

    def note_token(self) -> bool:
        """The token is here. True the first time: one link opens one socket."""
        is_first = self.state is LinkState.OPENING and not self._has_token
        self._has_token = True
        return is_first

    def note_opened(self, now: float) -> bool:
        """The handshake succeeded. True if that was awaited."""
        if self.state is not LinkState.OPENING:
            return False
        self.active_at = now
        self.apply(LinkSignal.OPENED)
        return True

    def note_heard(self, now: float) -> bool:
        """Something arrived, and whatever it is, it is life. True if that ends a doubt."""
        self.active_at = now
        self.heartbeat.heard()
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

    def _prove(self) -> bool:
        if self.state is not LinkState.PROVING or not (self._ready and self._prepared):
            return False
        self.apply(LinkSignal.PROVED)
        return True
