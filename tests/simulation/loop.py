"""An event loop that runs what can run and then stops: without a clock, threads or input.

Callbacks belong to the lifetime of a page, or to the browser. Once a lifetime is over, nothing of it runs, not even
``except`` and ``finally``, as in a process that was killed.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any

#: More callbacks than any burst of work has: beyond it there is an endless loop.
MAX_TURNS = 100_000
#: Rounds of cancelling: a task may start another one in its ``finally``.
MAX_CANCEL_ROUNDS = 10


class Lifetime:
    """The lifetime of one page, whose code stops at once when it ``is_over``."""

    def __init__(self) -> None:
        self.is_over = False
        self.is_frozen = False
        self.context = contextvars.copy_context()
        self.context.run(_LIFETIME.set, self)


_LIFETIME: contextvars.ContextVar[Lifetime | None] = contextvars.ContextVar("life", default=None)
#: The context of callbacks that belong to no page.
OUTSIDE = contextvars.Context()


class StepLoop(asyncio.BaseEventLoop):
    """An event loop that runs callbacks and tasks in the order in which they became ready."""

    _ready: deque[asyncio.Handle]  # asyncio's own

    def __init__(self) -> None:
        super().__init__()
        self.set_exception_handler(self._note_error)
        self.errors: list[str] = []  #: errors of tasks that were not awaited
        self._held: list[asyncio.Handle] = []  # callbacks of lifetimes that are over or frozen
        self._is_closing = False
        self._tasks: list[asyncio.Task[Any]] = []  # asyncio holds tasks weakly

    # --- for tests ---

    def run(self, turns: int = MAX_TURNS) -> None:
        """Run everything that can run, or ``turns`` callbacks of it."""
        self.call(self._run, turns)

    def call(self, act: Callable[..., object], *args: Any) -> None:
        """Call ``act`` as a callback of this loop."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            act(*args)
        finally:
            asyncio._set_running_loop(before)

    def call_now(self, lifetime: Lifetime, act: Callable[..., object], *args: Any) -> None:
        """Call ``act`` as part of a lifetime, to which everything that it starts belongs."""
        self.call(lifetime.context.copy().run, act, *args)

    def add(self, handle: asyncio.Handle) -> None:
        """Queue a callback."""
        self._ready.append(handle)

    def release(self) -> None:
        """Queue the callbacks that were held back, which run if their lifetime goes on."""
        self._ready.extend(self._held)
        self._held.clear()

    def close(self) -> None:
        """Cancel all tasks, those of ended lifetimes too, and close."""
        self._is_closing = True
        self.release()
        for _ in range(MAX_CANCEL_ROUNDS):
            self.run()
            waiting = [task for task in self._tasks if not task.done()]
            for task in waiting:
                task.cancel()
            if not waiting:
                break
        assert not waiting, "tasks that refuse to be cancelled"
        super().close()

    def _run(self, turns: int) -> None:
        for _ in range(turns):
            if not self._ready:
                return
            handle = self._ready.popleft()
            context: contextvars.Context = handle._context  # type: ignore[attr-defined]
            lifetime = None if self._is_closing else context.get(_LIFETIME)
            if lifetime is not None and (lifetime.is_over or lifetime.is_frozen):
                self._held.append(handle)
            elif not handle.cancelled():
                handle._run()
        assert turns < MAX_TURNS, "an endless loop"

    def create_task(self, coro: Any, **named: Any) -> asyncio.Task[Any]:
        """Start a coroutine in the next turn."""
        if len(self._tasks) > 1_000:
            self._tasks = [each for each in self._tasks if not each.done()]
        self._tasks.append(super().create_task(coro, **named))
        return self._tasks[-1]

    def _note_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")
