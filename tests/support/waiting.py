"""Waiting for conditions, with a deadline: what these tests have instead of sleeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

#: Browsers start Python on two busy cores; nothing that works takes longer than this.
PATIENCE = 30.0


def eventually(
    ask: Callable[[], Answer], within: float = PATIENCE, *, every: float = 0.05, what: str = ""
) -> Answer:
    """Ask until the answer is true, and return it; AssertionError with the last answer when time is up.

    An AssertionError that `ask` raises is an answer like another.
    """
    deadline = time.monotonic() + within
    pause = threading.Event()
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
        pause.wait(every)


def throughout(holds: Callable[[], bool], seconds: float, *, every: float = 0.1, what: str) -> None:
    """AssertionError as soon as it does not hold. For what must not happen where no event tells that it did not."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        assert holds(), what
        pause.wait(every)
