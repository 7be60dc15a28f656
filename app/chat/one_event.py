"""One event, one published state: whatever an event changes, views see the state once, at its end.

Events are actions of the person, frames of the server, changes of the connection, and what timers and storage bring.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from kizuna import Platform, Store, TimerHandle
from kizuna.delivery import Changes, TaskSet

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class EventScope:
    """The event that is being handled, if any; and the later events of the session's parts.

    ``apply`` takes the changes that a part reports. ``end`` is called once at the end of an event, to put what
    is derived from the parts into the store's state.
    """

    def __init__(
        self,
        store: Store[Any],
        platform: Platform,
        apply: Callable[[Changes], None],
        end: Callable[[], None],
    ) -> None:
        self._store = store
        self._platform = platform
        self._apply = apply
        self._end = end
        self._is_open = False
        self._tasks = TaskSet()

    def run(
        self, handle: Callable[Arguments, Result], *args: Arguments.args, **named: Arguments.kwargs
    ) -> Result:
        """Call ``handle``, then publish what it changed. An event that causes others is one with them."""
        if self._is_open:
            return handle(*args, **named)
        self._is_open = True
        self._store.hold()
        try:
            result = handle(*args, **named)
            self._end()
            return result
        finally:
            self._is_open = False
            self._store.release()

    # --- kizuna.delivery.Later ---

    def call_at(self, deadline: float, handle: Callable[[], Changes]) -> TimerHandle:
        """Call ``handle`` at ``deadline`` (monotonic seconds), and apply the changes that it returns."""
        return self._platform.call_at(deadline, lambda: self.run(lambda: self._apply(handle())))

    def start(self, work: Coroutine[Any, Any, Changes]) -> None:
        """Run ``work`` in the background, and apply the changes that it returns, if any."""
        self._tasks.start(self._finish(work))

    def write(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` in the background, which changes nothing on the page."""
        self._tasks.start(work)

    async def _finish(self, work: Coroutine[Any, Any, Changes]) -> None:
        changes = await work
        if changes:
            self.run(self._apply, changes)


class HandlesEvents(Protocol):
    """An object whose methods handle events."""

    @property
    def scope(self) -> EventScope:
        """Return where its events are handled."""


Handler = TypeVar("Handler", bound=HandlesEvents)


def one_event(
    handle: Callable[Concatenate[Handler, Arguments], Result],
) -> Callable[Concatenate[Handler, Arguments], Result]:
    """Let a method handle one event."""

    @functools.wraps(handle)
    def handled(handler: Handler, /, *args: Arguments.args, **named: Arguments.kwargs) -> Result:
        return handler.scope.run(handle, handler, *args, **named)

    return handled
