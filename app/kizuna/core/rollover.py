"""Replacing a link before it ends by itself: the next one is open, proven and caught up before the old one goes.

API Gateway cuts every connection after two hours, and a token expires; both are known beforehand, so nobody has to
see them. While a link is replaced there are two: the candidate, until it is promoted, or the retiring one, afterwards.
"""

from __future__ import annotations

from collections.abc import Callable

from kizuna.options import Options

#: Seconds before a token's end at which it is renewed (SignalR's figure), or a quarter of a shorter life.
RENEWAL_LEAD = 300.0
#: Seconds until a candidate that failed is followed by another, while the old link still carries everything.
RETRY_AFTER = 30.0
#: Seconds between two candidates that doubts begin, where nothing answers a probe.
DOUBT_INTERVAL = 60.0


def due_in(options: Options, expires_in: float | None, random: Callable[[], float]) -> float | None:
    """Seconds from a link's proof until its replacement begins; None: it is never replaced.

    ``expires_in``: seconds until the token expires, as ``ready`` says. Spread, so that those who came together do
    not leave together.
    """
    ages = []
    if options.rollover_after > 0:
        ages.append(options.rollover_after + options.rollover_spread * (2 * random() - 1))
    if expires_in is not None and expires_in > 0:
        lead = min(RENEWAL_LEAD, expires_in / 4)
        ages.append(expires_in - lead * (1 - random() / 2))
    return max(0.0, min(ages)) if ages else None
