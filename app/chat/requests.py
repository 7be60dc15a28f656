"""Requests to the server: each has a ref and a deadline, and is repeated until it is answered."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from chat.changes import Changes, Later
from chat.protocol import UpFrame
from kizuna.platform import Platform, TimerHandle

#: Seconds until a request is repeated: an answer takes a round trip and a read of the store.
REQUEST_TIMEOUT = 5.0
#: A request is given up after so many tries. For a new link that is after 25 s, so that one room cannot use up the
#: 30 s in which all have to catch up (Options.prepare_timeout).
MAX_TRIES = 4


@dataclass(slots=True)
class Request:
    """One open request about a room."""

    ref: str
    room_id: str
    frame: UpFrame
    tries: int = 0
    timer: TimerHandle | None = None


class Requests:
    """The open requests. ``send`` sends a frame on the current link; ``doubt`` is called when an answer is overdue,
    ``give_up`` with a request after MAX_TRIES."""

    def __init__(
        self,
        platform: Platform,
        later: Later,
        send: Callable[[UpFrame], None],
        doubt: Callable[[], None],
        give_up: Callable[[Request], Changes],
    ) -> None:
        self._platform = platform
        self._later = later
        self._send = send
        self._doubt = doubt
        self._give_up = give_up
        self._open: dict[str, Request] = {}
        self._numbers = itertools.count(1)

    def new_ref(self) -> str:
        """Return a ref that no other request of this page has."""
        return f"r{next(self._numbers)}"

    def ask(self, ref: str, room_id: str, frame: UpFrame) -> None:
        """Send a request, and repeat it until answered() or the end of the link."""
        request = self._open[ref] = Request(ref, room_id, frame)
        self._try(request)

    def ask_later(self, ref: str, room_id: str, frame: UpFrame) -> None:
        """Send a request only after the deadline: another frame has just asked for the same."""
        request = self._open[ref] = Request(ref, room_id, frame)
        self._arm(request)

    def drop(self, kind: type[UpFrame], room_id: str) -> None:
        """Close the requests of this kind about the room."""
        for request in tuple(self._open.values()):
            if type(request.frame) is kind and request.room_id == room_id:
                self.answered(request.ref)

    def is_asking(self, kind: type[UpFrame], room_id: str | None = None) -> bool:
        """Return whether a request of this kind is open, about the room or (None) any room."""
        return any(type(r.frame) is kind and room_id in (None, r.room_id) for r in self._open.values())

    def answered(self, ref: str | None) -> Request | None:
        """Close and return the request with this ``ref``; None if there is none."""
        request = self._open.pop(ref, None) if ref is not None else None
        if request is not None and request.timer is not None:
            request.timer.cancel()
        return request

    def clear(self) -> None:
        """Close all requests: the link is lost."""
        for ref in tuple(self._open):
            self.answered(ref)

    def _try(self, request: Request) -> Changes:
        if request.tries >= MAX_TRIES:
            self.answered(request.ref)
            return self._give_up(request)
        if request.tries > 0:
            self._doubt()
        request.tries += 1
        self._arm(request)
        self._send(request.frame)
        return []

    def _arm(self, request: Request) -> None:
        request.timer = self._later.call_at(
            self._platform.now().monotonic + REQUEST_TIMEOUT, lambda: self._try(request)
        )
