"""An event loop that runs what can run and then stands still: no clock, no thread, nothing from outside.

What runs belongs to a *life*: a page's, or nobody's (the browser, which outlives its pages). A life that has ended
runs no further: no ``except``, no ``finally``, nothing, as a process that was killed.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any

#: More turns than any burst of work takes: beyond it something goes round in circles.
MOST_TURNS = 100_000
#: Cancelling is done once, and once more for whoever began something else in its ``finally``.
MOST_UNWINDINGS = 10


class Life:
    """Responsible for one page's being there. Once it ``is_over`` all of its code stops where it stands."""

    def __init__(self) -> None:
        self.is_over = False
        self.is_frozen = False
        self.context = contextvars.copy_context()
        self.context.run(_LIFE.set, self)


_LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("life", default=None)
#: Where what belongs to nobody runs.
OUTSIDE = contextvars.Context()


class StepLoop(asyncio.BaseEventLoop):
    """Responsible for running callbacks and tasks in the order in which they became ready."""

    _ready: deque[asyncio.Handle]  # asyncio's own

    def __init__(self) -> None:
        super().__init__()
        self.set_exception_handler(self._complain)
        self.complaints: list[str] = []  #: what went wrong where nobody waited for it
        self._held: list[asyncio.Handle] = []  # what lives that are over or frozen would have done next
        self._is_closing = False
        self._tasks: list[asyncio.Task[Any]] = []  # asyncio itself forgets one that nobody else remembers

    # --- what a test does ---

    def run(self, turns: int = MOST_TURNS) -> None:
        """Let everything run that can, or ``turns`` callbacks of it."""
        self.call(self._run, turns)

    def call(self, act: Callable[..., object], *args: Any) -> None:
        """Call ``act`` as a callback of this loop."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            act(*args)
        finally:
            asyncio._set_running_loop(before)

    def call_now(self, life: Life, act: Callable[..., object], *args: Any) -> None:
        """Call ``act`` as part of this life: what it starts belongs to it."""
        self.call(life.context.copy().run, act, *args)

    def add(self, handle: asyncio.Handle) -> None:
        """Let this run in its turn."""
        self._ready.append(handle)

    def release(self) -> None:
        """Let go on what was held back, if its life is there again."""
        self._ready.extend(self._held)
        self._held.clear()

    def close(self) -> None:
        """Let all that still waits end as a cancelled task ends, whoever's it is: the test is over."""
        self._is_closing = True
        self.release()
        for _ in range(MOST_UNWINDINGS):
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
            life = None if self._is_closing else context.get(_LIFE)
            if life is not None and (life.is_over or life.is_frozen):
                self._held.append(handle)
            elif not handle.cancelled():
                handle._run()
        assert turns < MOST_TURNS, "something goes round in circles"

    def create_task(self, coro: Any, **named: Any) -> asyncio.Task[Any]:
        """Let a coroutine run, from the next turn on."""
        if len(self._tasks) > 1_000:
            self._tasks = [each for each in self._tasks if not each.done()]
        self._tasks.append(super().create_task(coro, **named))
        return self._tasks[-1]

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")
