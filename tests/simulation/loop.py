"""An event loop that runs what can run and then stands still: no clock, no thread, nothing from outside.

What runs belongs to a *life*: a page's, or nobody's (the browser, which outlives its pages). A life that has ended
runs no further: no ``except``, no ``finally``, nothing, as a process that was killed.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Ready = tuple[asyncio.Handle, contextvars.Context]
#: More turns than any burst of work takes: beyond it something goes round in circles.
MOST_TURNS = 100_000
#: Cancelling is done once, and once more for whoever began something else in its ``finally``.
MOST_UNWINDINGS = 10


class Life:
    """Responsible for one page's being there. ``end()`` stops all of its code where it stands."""

    def __init__(self) -> None:
        self.is_over = False
        self.is_frozen = False
        self.deferred: list[Ready] = []  #: what waits for it to thaw
        self._context = contextvars.copy_context()
        self._context.run(_LIFE.set, self)

    def run(self, act: Callable[..., T], *args: Any) -> T:
        """Call ``act`` as part of this life: what it starts belongs to it."""
        return self._context.copy().run(act, *args)

    def end(self) -> None:
        """Nothing of it runs any more."""
        self.is_over = True


_LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)
#: Where what belongs to nobody runs.
OUTSIDE = contextvars.Context()


class StepLoop(asyncio.AbstractEventLoop):
    """Responsible for running callbacks and tasks in the order in which they became ready."""

    def __init__(self) -> None:
        self.complaints: list[str] = []  #: what went wrong where nobody waited for it
        self._ready: deque[Ready] = deque()
        self._left: list[Ready] = []  # what lives that are over would have done next
        self._frozen: list[Life] = []
        self._tasks: list[asyncio.Task[Any]] = []

    # --- what a test does ---

    def run(self, turns: int = MOST_TURNS) -> None:
        """Let everything run that can, or ``turns`` callbacks of it."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            for _ in range(turns):
                if not self._ready:
                    return
                handle, context = self._ready.popleft()
                life = context.get(_LIFE)
                if life is not None and life.is_over:
                    self._left.append((handle, context))
                elif life is not None and life.is_frozen:
                    life.deferred.append((handle, context))
                elif not handle.cancelled():
                    handle._run()
        finally:
            asyncio._set_running_loop(before)
        assert turns < MOST_TURNS, "something goes round in circles"

    def freeze(self, life: Life) -> None:
        """Let it stand still."""
        life.is_frozen = True
        self._frozen.append(life)

    def thaw(self, life: Life) -> None:
        """Let it go on where it stood."""
        life.is_frozen = False
        self._frozen.remove(life)
        self._ready.extend(life.deferred)
        life.deferred.clear()

    def call(self, act: Callable[..., T], *args: Any) -> T:
        """Call ``act`` as a callback of this loop."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            return act(*args)
        finally:
            asyncio._set_running_loop(before)

    def close(self) -> None:
        """Let all that still waits end as a cancelled task ends, whoever's it is: the test is over."""
        for life in tuple(self._frozen):
            self.thaw(life)
        for _ in range(MOST_UNWINDINGS):
            self._ready.extend(self._left)
            self._left.clear()
            self.call(self._run_all)
            waiting = [task for task in self._tasks if not task.done()]
            if not waiting:
                return
            for task in waiting:
                task.cancel()
        raise AssertionError("tasks that refuse to be cancelled")

    def _run_all(self) -> None:
        while self._ready:
            handle, _ = self._ready.popleft()
            if not handle.cancelled():
                handle._run()

    # --- what asyncio asks for ---

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """Call back in the next turn."""
        context = context if context is not None else contextvars.copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append((handle, context))
        return handle

    def create_task(
        self, coro: Any, *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        """Let a coroutine run, from the next turn on."""
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        if len(self._tasks) > 1_000:
            self._tasks = [each for each in self._tasks if not each.done()]
        self._tasks.append(task)
        return task

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def get_debug(self) -> bool:
        """No."""
        return False

    def is_running(self) -> bool:
        """As far as anybody can ask."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what was raised for the test to find."""
        error = context.get("exception")
        self.complaints.append(f"{context.get('message')}: {error!r}")
