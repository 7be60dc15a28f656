"""One event, one published state: whatever an event changes, views see the state once, at its end."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from kizuna.store import Store

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class EventScope:
    """The event that is being handled, if any.

    ``show`` puts what is derived from other parts into the store's state; it is called at most once for an event.
    """

    def __init__(self, store: Store[Any], show: Callable[[], None]) -> None:
        self._store = store
        self._show = show
        self._is_open = False
        self._is_stale = False

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
            if self._is_stale:
                self._show()
            return result
        finally:
            self._is_open = self._is_stale = False
            self._store.release()

    def mark_stale(self) -> None:
        """Let ``show`` be called at the end of the event."""
        if self._is_open:
            self._is_stale = True
        else:
            self.run(self.mark_stale)


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
