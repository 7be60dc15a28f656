"""Retries after another writer's conflict."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from backend.store.base import Conflict

# 20 attempts wait 1.9 s on average and 3.9 s at most, and end before the 5 s after which the page asks again. That
# carries some 40 messages a second, each in a process of its own, through one room on DynamoDB: docs/scaling.md has
# the simulation.
ATTEMPTS = 20
BASE_SECONDS = 0.010
CAP_SECONDS = 0.250

T = TypeVar("T")


class Retry:
    """Retries with exponential, fully jittered pauses, so that rivals fall out of step.

    ``random`` gives a number in [0, 1); ``sleep`` takes seconds.

        appended = Retry().run(lambda: attempt_to_append(message))
    """

    def __init__(
        self, *, sleep: Callable[[float], None] = time.sleep, random: Callable[[], float] = random.random
    ) -> None:
        self._sleep = sleep
        self._random = random

    def run(self, operation: Callable[[], T]) -> T:
        """Return the result of ``operation``, called again after each Conflict. Raises the last Conflict."""
        for attempt in range(ATTEMPTS - 1):
            try:
                return operation()
            except Conflict:
                self._sleep(self._random() * min(CAP_SECONDS, BASE_SECONDS * 2**attempt))
        return operation()
