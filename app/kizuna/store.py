"""A value, a way to replace it, and a way to be told.

    >>> store = Store(1)
    >>> unsubscribe = store.subscribe(lambda value: value % 2, print)
    >>> store.update(lambda value: value + 1)
    0
    >>> store.update(lambda value: value + 2)   # the selected part is the same: nobody is told
    >>> unsubscribe()

The state is meant to be immutable. A function that returns the very state it was given changes nothing and
tells nobody: that is how a duplicate message costs no rendering.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

logger = logging.getLogger("kizuna.store")

State = TypeVar("State")
Part = TypeVar("Part")


class Store(Generic[State]):
    """Responsible for holding one immutable state and telling listeners which parts of it changed."""

    def __init__(self, initial: State) -> None:
        self._state = initial
        self._subscriptions: list[_Subscription[State]] = []

    @property
    def state(self) -> State:
        """The state as it stands."""
        return self._state

    def update(self, change: Callable[[State], State]) -> None:
        """Replace the state by ``change(state)``, then tell the listeners whose part is another one.

        A listener that updates the store again is served in turn: the others see both states, in order or merged.
        """
        state = change(self._state)
        if state is self._state:
            return
        self._state = state
        for subscription in tuple(self._subscriptions):
            subscription.notify(self)

    def subscribe(
        self, selector: Callable[[State], Part], listener: Callable[[Part], object]
    ) -> Callable[[], None]:
        """Call ``listener(part)`` whenever ``selector(state)`` becomes another value; returns the unsubscribe.

        Parts are compared by identity first, then by equality. An error in a listener is logged and stops no other.
        """
        subscription = _Subscription(selector, listener, selector(self._state))
        self._subscriptions.append(subscription)

        def unsubscribe() -> None:
            subscription.active = False
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

        return unsubscribe


class _Subscription(Generic[State]):
    """Responsible for remembering the part that one listener saw last."""

    def __init__(
        self, selector: Callable[[State], Any], listener: Callable[[Any], object], seen: Any
    ) -> None:
        self._selector = selector
        self._listener = listener
        self._seen = seen
        self.active = True

    def notify(self, store: Store[State]) -> None:
        if not self.active:  # unsubscribed by a listener that was told before it
            return
        try:
            part = self._selector(store.state)
            if part is self._seen or part == self._seen:
                return
            self._seen = part
            self._listener(part)
        except Exception:
            logger.exception("a listener failed; the others go on")
