"""The link: one WebSocket, from the request for its token until it is abandoned."""

from __future__ import annotations

from kizuna.core.heartbeat import Heartbeat
from kizuna.core.states import LinkSignal, LinkState, next_link_state


class Link:
    """What is known about one link. Times are monotonic seconds.

    Args:
        number: Its number, by which events and commands name it.
        started_at: When it was begun.
        heartbeat: Its pings.
        needs_ready: Whether the server accepts a link by a ``ready`` frame.
    """

    def __init__(self, number: int, started_at: float, heartbeat: Heartbeat, *, needs_ready: bool) -> None:
        self.number = number
        self.active_at = started_at  #: time of its last step, or frame until it is proven
        self.heartbeat = heartbeat
        self.state = LinkState.OPENING
        #: Seconds from ready until its token expires, where ready says so.
        self.expires_in: float | None = None
        self.slowest_step = 0.0  #: seconds of the slowest of token, opening and ready
        self.is_postponed = False  #: its deadline came late and was set once more
        self._has_token = False
        self._ready = not needs_ready
        self._prepared = False

    def apply(self, signal: LinkSignal) -> None:
        """Change the state as the table says."""
        self.state = next_link_state(self.state, signal)

    @property
    def is_open(self) -> bool:
        """Return whether frames can be sent over it."""
        return self.state in (LinkState.PROVING, LinkState.LIVE, LinkState.DOUBTED)

    @property
    def is_ready(self) -> bool:
        """Return whether no ``ready`` frame is awaited: it came, or this server sends none."""
        return self._ready

    @property
    def is_accepted(self) -> bool:
        """Return whether it is open, and the server has accepted it."""
        return self.is_open and self._ready

    @property
    def is_heard(self) -> bool:
        """Return whether another frame would prove nothing: proven, undoubted, and heard since its last ping."""
        return self.state is LinkState.LIVE and not self.heartbeat.is_silent and not self.is_postponed

    def note_token(self, now: float) -> bool:
        """Note that the token arrived. Return whether that was expected: one link opens one socket."""
        if self.state is not LinkState.OPENING or self._has_token:
            return False
        self._has_token = True
        self._note_progress(now)
        return True

    def note_opened(self, now: float) -> bool:
        """Note that the handshake succeeded. Return whether that was expected."""
        if self.state is not LinkState.OPENING:
            return False
        self._note_progress(now)
        self.apply(LinkSignal.OPENED)
        return True

    def note_frame(self, now: float) -> bool:
        """Note that a frame arrived, which proves the link alive. Return whether that ends a doubt."""
        self._note_progress(now)
        self.heartbeat.frame_received()
        if self.state is not LinkState.DOUBTED:
            return False
        self.apply(LinkSignal.HEARD)
        return True

    def note_ready(self) -> bool:
        """Note that the server accepted the link. Return whether it is proven now."""
        self._ready = True
        return self._prove()

    def note_prepared(self) -> bool:
        """Note that the application has prepared the link. Return whether it is proven now."""
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
