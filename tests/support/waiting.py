"""Waiting for conditions, with a deadline: what these tests have instead of sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

#: Seconds. Nothing that works takes longer, on however busy a machine; what does not work has a `what`.
PATIENCE = 120.0


def let_pass(seconds: float) -> None:
    """Wait, and do nothing meanwhile."""
    threading.Event().wait(seconds)


def eventually(
    ask: Callable[[], Answer],
    within: float = PATIENCE,
    *,
    every: float = 0.05,
    what: str = "",
    pause: Callable[[float], None] = let_pass,
) -> Answer:
    """Ask until the answer is true, and return it; AssertionError with the last answer when time is up.

    An AssertionError that `ask` raises is an answer like another. ``pause`` passes the time between two questions.
    """
    deadline = time.monotonic() + within
    while True:
        answer: Answer | AssertionError
        try:
            answer = ask()
            if answer:
                return answer
        except AssertionError as refusal:
            answer = refusal
        if time.monotonic() >= deadline:
            raise AssertionError(
                f"{what or 'the condition'} did not hold within {within} s; last: {answer!r}"
            )
        pause(every)


def throughout(holds: Callable[[], bool], seconds: float, *, every: float = 0.1, what: str) -> None:
    """AssertionError as soon as it does not hold. For what must not happen where no event tells that it did not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert holds(), what
        let_pass(every)
