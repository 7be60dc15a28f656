"""Questions to the server: each has a reference, a deadline, and is asked again until it is answered."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from chat.protocol import UpFrame
from kizuna.platform import Platform, TimerHandle

#: Seconds until a question is asked again: an answer takes a round trip and a read of the store.
REQUEST_TIMEOUT = 5.0
#: A question without an answer after so many tries is given up: the server cannot serve it. Before a link counts that
#: is after 25 s, so that one room cannot use up the 30 s in which all have to be caught up (Options.prepare_timeout).
MAX_TRIES = 4


@dataclass(slots=True)
class Request:
    """One open question about a room."""

    ref: str
    room_id: str
    frame: UpFrame
    tries: int = 0
    timer: TimerHandle | None = None


class Requests:
    """Responsible for asking again. ``send`` sends a frame on the link that there is; ``doubt`` is called when an
    answer is overdue, ``give_up`` with a question that stayed without one."""

    def __init__(
        self,
        platform: Platform,
        send: Callable[[UpFrame], None],
        doubt: Callable[[], None],
        give_up: Callable[[Request], None],
    ) -> None:
        self._platform = platform
        self._send = send
        self._doubt = doubt
        self._give_up = give_up
        self._open: dict[str, Request] = {}
        self._numbers = itertools.count(1)

    def new_ref(self) -> str:
        """A reference that no other question of this page has."""
        return f"r{next(self._numbers)}"

    def ask(self, ref: str, room_id: str, frame: UpFrame) -> None:
        """Ask, and ask again until answered() or the end of the link."""
        request = self._open[ref] = Request(ref, room_id, frame)
        self._try(request)

    def ask_later(self, ref: str, room_id: str, frame: UpFrame) -> None:
        """Ask only after a deadline has passed: another frame has just asked the same."""
        request = self._open[ref] = Request(ref, room_id, frame)
        self._arm(request)

    def drop(self, kind: type[UpFrame], room_id: str) -> None:
        """Close such questions about the room: the answer is here, or a better question is asked."""
        for request in tuple(self._open.values()):
            if type(request.frame) is kind and request.room_id == room_id:
                self.answered(request.ref)

    def is_asking(self, kind: type[UpFrame], room_id: str | None = None) -> bool:
        """Whether such a question about the room, or about any, is open."""
        return any(type(r.frame) is kind and room_id in (None, r.room_id) for r in self._open.values())

    def answered(self, ref: str | None) -> Request | None:
        """The question that ``ref`` answers, now closed; None if there is none."""
        request = self._open.pop(ref, None) if ref is not None else None
        if request is not None and request.timer is not None:
            request.timer.cancel()
        return request

    def clear(self) -> None:
        """The link is gone, and every answer with it."""
        for ref in tuple(self._open):
            self.answered(ref)

    def _try(self, request: Request) -> None:
        if request.tries >= MAX_TRIES:
            self.answered(request.ref)
            self._give_up(request)
            return
        if request.tries > 0:
            self._doubt()
        request.tries += 1
        self._arm(request)
        self._send(request.frame)

    def _arm(self, request: Request) -> None:
        request.timer = self._platform.call_at(
            self._platform.now().monotonic + REQUEST_TIMEOUT, lambda: self._try(request)
        )
