"""The rollover: when to replace a link before it ends by itself.

API Gateway closes every connection after two hours, and a token expires; both are known beforehand. The next link is
open, proven and caught up before the old one closes. During a rollover there are two links: the current one and the
candidate, then the retiring one and the current one.
"""

from __future__ import annotations

from collections.abc import Callable

from kizuna.core import token_renewal
from kizuna.options import Numbers

#: Seconds between a candidate that failed and the next one.
RETRY_AFTER = 30.0
#: Seconds between two candidates that are begun by doubts, where the server answers no probe.
DOUBT_INTERVAL = 60.0


def due_in(numbers: Numbers, expires_in: float | None, random: Callable[[], float]) -> float | None:
    """Return the seconds from a link's proof until its replacement begins; None: it is never replaced.

    Args:
        numbers: ``rollover_after`` and ``rollover_spread``.
        expires_in: Seconds until the token expires, from ``ready``.
        random: Returns numbers in [0, 1): the times are spread, so that clients that came together do not leave
            together.
    """
    ages = []
    if numbers.rollover_after > 0:
        ages.append(numbers.rollover_after + numbers.rollover_spread * (2 * random() - 1))
    if expires_in is not None and expires_in > 0:
        ages.append(token_renewal.due_in(expires_in, random))
    return max(0.0, min(ages)) if ages else None
