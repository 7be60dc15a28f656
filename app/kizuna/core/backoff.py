"""The delay before the next attempt, and the budget of retries.

The two are separate. A server that answers gives the budget back; the delay starts again only once a link has been
up for a while, so that a server which accepts and drops is not overloaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

#: How often the delay doubles: 1, 2, 4, 8, 16 (the article). Independent of the budget: in a hidden tab, and against a
#: server that accepts and drops, there are more attempts than retries in the budget.
DOUBLINGS = 4


class Backoff:
    """The delay before each retry, the budget of retries, and the time before which the server wants no attempt.

    >>> backoff = Backoff(first_delay=1, max_retries=5, jitter=0, random=lambda: 0.5)
    >>> [backoff.next_delay() for _ in range(6)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 16.0]

    Args:
        first_delay: Seconds, doubled by each step up to 16 times its value.
        max_retries: The budget.
        jitter: Share by which a delay is spread: 0.5 is ±50 % (socket.io's ``randomizationFactor``). Without it, a
            restart of the server brings every client back in the same second.
        random: Returns numbers in [0, 1).
    """

    def __init__(
        self, *, first_delay: float, max_retries: int, jitter: float, random: Callable[[], float]
    ) -> None:
        self._first_delay = first_delay
        self._max_retries = max_retries
        self._jitter = jitter
        self._random = random
        self._step = 0
        self._not_before = -math.inf  # monotonic seconds
        self.spent = 0  #: retries taken from the budget

    @property
    def exhausted(self) -> bool:
        """Return whether the budget is spent."""
        return self.spent >= self._max_retries

    def spend(self) -> None:
        """Take one retry from the budget."""
        self.spent += 1

    def refill(self) -> None:
        """Give the budget back; the delay stays where it is."""
        self.spent = 0

    def reset_delay(self) -> None:
        """Start the delay again at its first step."""
        self._step = 0

    def set_server_delay(self, now: float, seconds: float) -> None:
        """Allow no attempt for at least ``seconds`` from ``now`` (monotonic seconds), since the server asked for it.

        The budget is given back: a server that asks for time is alive.
        """
        self.refill()
        self._not_before = now + self.jittered_up(seconds)

    def server_delay_left(self, now: float) -> float:
        """Return for how many more seconds the server wants no attempt."""
        return max(0.0, self._not_before - now)

    def release(self) -> None:
        """Drop the server's delay, because a person wants an attempt now."""
        self._not_before = -math.inf

    def next_delay(self) -> float:
        """Return the seconds until the next attempt, with jitter, and double the delay for the one after it."""
        nominal = self._first_delay * 2**self._step
        self._step = min(self._step + 1, DOUBLINGS)
        return self.jittered(nominal)

    def jittered(self, seconds: float) -> float:
        """Return ``seconds`` with jitter in both directions."""
        return seconds * (1 + self._jitter * (2 * self._random() - 1))

    def jittered_up(self, seconds: float) -> float:
        """Return ``seconds`` with jitter upwards only."""
        return seconds * (1 + self._jitter * self._random())
