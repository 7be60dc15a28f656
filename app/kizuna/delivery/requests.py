"""Requests to the server: each has a ref and a deadline, and is repeated until it is answered."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kizuna.delivery.changes import Changes, Later
from kizuna.platform import Instant, TimerHandle

#: Seconds until a request is repeated: an answer takes a round trip and a read of the store.
REQUEST_TIMEOUT = 5.0
#: A request is given up after so many tries. For a new link that is after 25 s, so that one channel cannot use up the
#: 30 s in which all have to catch up (Options.prepare_timeout).
MAX_TRIES = 4


@dataclass(slots=True)
class Request:
    """One open request about a channel."""

    ref: str
    channel: str
    action: str  #: join, sync or history
    data: Mapping[str, Any]
    tries: int = 0
    timer: TimerHandle | None = None


class Requests:
    """The open requests.

    Args:
        now: The current moment.
        later: Where the deadlines report.
        send: Sends an action with its data on the current link.
        doubt: Called when an answer is overdue.
        give_up: Called with a request after MAX_TRIES.
    """

    def __init__(
        self,
        now: Callable[[], Instant],
        later: Later,
        send: Callable[[str, Mapping[str, Any]], None],
        doubt: Callable[[], None],
        give_up: Callable[[Request], Changes],
    ) -> None:
        self._now = now
        self._later = later
        self._send = send
        self._doubt = doubt
        self._give_up = give_up
        self._open: dict[str, Request] = {}
        self._numbers = itertools.count(1)

    def ask(self, channel: str, action: str, data: Mapping[str, Any]) -> None:
        """Send a request, and repeat it until answered() or the end of the link."""
        self._try(self._new(channel, action, data))

    def ask_later(self, channel: str, action: str, data: Mapping[str, Any]) -> None:
        """Send a request only after the deadline: another frame has just asked for the same."""
        self._arm(self._new(channel, action, data))

    def drop(self, action: str, channel: str) -> None:
        """Close the requests with this action about the channel."""
        for request in tuple(self._open.values()):
            if request.action == action and request.channel == channel:
                self.answered(request.ref)

    def is_asking(self, action: str, channel: str) -> bool:
        """Return whether a request with this action about the channel is open."""
        return any(request.action == action and request.channel == channel for request in self._open.values())

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

    def _new(self, channel: str, action: str, data: Mapping[str, Any]) -> Request:
        ref = f"r{next(self._numbers)}"
        request = self._open[ref] = Request(ref, channel, action, {**data, "ref": ref})
        return request

    def _try(self, request: Request) -> Changes:
        if request.tries >= MAX_TRIES:
            self.answered(request.ref)
            return self._give_up(request)
        if request.tries > 0:
            self._doubt()
        request.tries += 1
        self._arm(request)
        self._send(request.action, request.data)
        return []

    def _arm(self, request: Request) -> None:
        request.timer = self._later.call_at(
            self._now().monotonic + REQUEST_TIMEOUT, lambda: self._try(request)
        )
