"""The store: one immutable state, and subscriptions to its parts.

    >>> store = Store(1)
    >>> unsubscribe = store.subscribe(lambda value: value % 2, print)
    >>> store.update(lambda value: value + 1)
    0
    >>> store.update(lambda value: value + 2)   # the selected part is the same: no listener is called
    >>> unsubscribe()

A function that returns the very state it was given changes nothing and calls no listener, so a duplicate message
costs no rendering.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

logger = logging.getLogger("kizuna.store")

State = TypeVar("State")
Part = TypeVar("Part")


def _log(where: str, error: Exception) -> None:
    logger.error("%s", where, exc_info=error)


class Store(Generic[State]):
    """One immutable state; listeners are called when their part of it changes.

    Args:
        initial: The first state.
        report: Takes the error of a listener, which affects no other. None: it is logged.
    """

    def __init__(self, initial: State, report: Callable[[str, Exception], None] | None = None) -> None:
        self._report = report or _log
        self._state = initial
        self._is_held = False
        self._known = initial  # by the listeners, while they are not called
        self._subscriptions: list[_Subscription[State]] = []

    @property
    def state(self) -> State:
        """Return the current state."""
        return self._state

    def update(self, change: Callable[[State], State]) -> None:
        """Replace the state by ``change(state)``, and call the listeners whose part changed.

        A listener may update the store again: the other listeners get both states in order, or only the last.
        """
        before, self._state = self._state, change(self._state)
        if not self._is_held and self._state is not before:
            self._notify()

    @property
    def is_held(self) -> bool:
        """Whether no listener is called for now: between hold() and release()."""
        return self._is_held

    def hold(self) -> None:
        """Call no listener until release(): further updates are seen as one."""
        self._is_held, self._known = True, self._state

    def release(self) -> None:
        """End hold(), and call the listeners whose part changed since."""
        self._is_held = False
        if self._state is not self._known:
            self._notify()

    def _notify(self) -> None:
        for subscription in tuple(self._subscriptions):
            subscription.notify(self, self._report)

    def subscribe(
        self, selector: Callable[[State], Part], listener: Callable[[Part], object]
    ) -> Callable[[], None]:
        """Call ``listener(part)`` whenever ``selector(state)`` changes; return the unsubscribe function.

        Parts are compared by identity first, then by equality. An error in a listener affects no other.

        Raises:
            TypeError: No two functions, or a listener that is async: nobody would await it.
        """
        if not callable(selector):
            raise TypeError(
                f"subscribe() needs a selector such as lambda state: state.status, not {selector!r}"
            )
        if not callable(listener):
            raise TypeError(f"subscribe() needs a function that takes the part, not {listener!r}")
        if inspect.iscoroutinefunction(listener):
            raise TypeError("subscribe() needs a plain function, not an async one: let it create a task")
        subscription = _Subscription(selector, listener, selector(self._state))
        self._subscriptions.append(subscription)

        def unsubscribe() -> None:
            subscription.active = False
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

        return unsubscribe


class _Subscription(Generic[State]):
    """One listener and the part that it got last."""

    def __init__(
        self, selector: Callable[[State], Any], listener: Callable[[Any], object], seen: Any
    ) -> None:
        self._selector = selector
        self._listener = listener
        self._seen = seen
        self.active = True

    def notify(self, store: Store[State], report: Callable[[str, Exception], None]) -> None:
        if not self.active:  # unsubscribed by a listener that was called before it
            return
        try:
            part = self._selector(store.state)
            if part is self._seen or part == self._seen:
                return
            self._seen = part
            self._listener(part)
        except Exception as error:  # noqa: BLE001 - the user's function may raise anything
            report("error in a listener", error)
