"""The rollover: when to replace a link before it ends by itself.

API Gateway closes every connection after two hours, and a token expires; both are known beforehand. The next link is
open, proven and caught up before the old one closes. During a rollover there are two links: the current one and the
candidate, then the retiring one and the current one.

From begin to end, with the functions in ``actions.py`` and ``connection.py``:

1. ROLLOVER_DUE, or a doubt where the server answers no probe: ``begin_rollover`` opens the candidate. Nothing that
   the application sees changes, and no retry is spent.
2. Each step of the candidate (token, opening, ready, preparation) has a deadline, the timer CANDIDATE.
3. The candidate is proven: ``promote``. It is the current link now, and gets the heartbeat and the next rollover.
   The old link retires: its last frames are delivered until the timer RETIRE, or not at all where the application
   could not recognise a frame that arrives over both.
4. The candidate fails at any step: ``drop_candidate``. The old link stays, and another candidate follows. It can
   neither reject the connection nor exhaust its budget.
5. The old link ends first: ``_link_lost`` fires ADOPTED, and ``adopt_candidate`` makes the candidate the attempt,
   with what is left of its deadline. From here it can fail and be refused as any attempt. A refusal of the old link
   means nothing while a candidate is out, since a server that allows one session closes the older one.
6. The server names a time before which it wants no attempt: a candidate that it has not accepted is dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from kizuna.core import token_renewal
from kizuna.options import Numbers

#: Seconds between a candidate that failed and the next one.
RETRY_AFTER = 30.0
#: Seconds from the begin of a candidate until a doubt may begin another, where the server answers no probe.
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
