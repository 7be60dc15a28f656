"""How long to wait before the next attempt, and how many attempts there are.

The budget and the delay are two things. A server that answers gives the budget back; the delay starts again only
once a link has stood for a while, so that a server which accepts and drops is not hammered.
"""

from __future__ import annotations

import math
from collections.abc import Callable

#: The delay doubles this often: 1, 2, 4, 8, 16 (the article). A larger budget goes on at the last step, a smaller one
#: does not shorten it: in a hidden tab, and against a server that accepts and drops, attempts outnumber the budget.
DOUBLINGS = 4


class Backoff:
    """Responsible for the delay before each retry and for the budget of retries.

    >>> backoff = Backoff(first_delay=1, max_retries=5, jitter=0, random=lambda: 0.5)
    >>> [backoff.next_delay() for _ in range(6)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 16.0]

    ``first_delay`` in seconds, doubled by each step up to 16 times its value.
    ``jitter`` 0.5 spreads each delay evenly over ±50 % (socket.io's ``randomizationFactor``): without it a
    restart of the server brings everyone back in the same second. ``random`` returns numbers in [0, 1).
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
        """Whether the budget is spent."""
        return self.spent >= self._max_retries

    def spend(self) -> None:
        """Take one retry from the budget."""
        self.spent += 1

    def refill(self) -> None:
        """Give the budget back; the delay stays where it is."""
        self.spent = 0

    def reset_delay(self) -> None:
        """Begin the delay again at its first step."""
        self._step = 0

    def set_server_delay(self, now: float, seconds: float) -> None:
        """The server asks us to stay away from now on (monotonic seconds): it is alive, and a wait that it names is no
        end of the budget."""
        self.refill()
        self._not_before = now + self.jittered_up(seconds)

    def server_delay_left(self, now: float) -> float:
        """Seconds for which the server still asks us to stay away."""
        return max(0.0, self._not_before - now)

    def release(self) -> None:
        """Come back although the server asked for time: a person wants it."""
        self._not_before = -math.inf

    def next_delay(self) -> float:
        """Seconds until the next attempt, jittered; the one after it waits twice as long."""
        nominal = self._first_delay * 2**self._step
        self._step = min(self._step + 1, DOUBLINGS)
        return self.jittered(nominal)

    def jittered(self, seconds: float) -> float:
        """``seconds``, jittered around its value."""
        return seconds * (1 + self._jitter * (2 * self._random() - 1))

    def jittered_up(self, seconds: float) -> float:
        """``seconds`` as a minimum, jittered upwards."""
        return seconds * (1 + self._jitter * self._random())
