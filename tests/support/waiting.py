"""Waiting for conditions with a deadline, instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

#: Seconds until a wait fails: far more than anything needs on a busy machine.
PATIENCE = 120.0


def let_pass(seconds: float) -> None:
    """Wait this many seconds."""
    threading.Event().wait(seconds)


def eventually(
    ask: Callable[[], Answer],
    within: float = PATIENCE,
    *,
    every: float = 0.05,
    what: str = "",
    pause: Callable[[float], None] = let_pass,
) -> Answer:
    """Call `ask` until it returns something true, and return that. Raises AssertionError with the last answer.

    An AssertionError of `ask` counts as false. ``pause``: waits ``every`` seconds between two calls.
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
    """Raise AssertionError as soon as the condition fails, where no event shows that something did not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert holds(), what
        let_pass(every)
