"""When a token is renewed: by a rollover, since a link keeps the token that it was opened with."""

from __future__ import annotations

from collections.abc import Callable

#: Seconds before a token expires at which it is renewed (as SignalR), or a quarter of its life if that is less.
RENEWAL_LEAD = 300.0


def due_in(expires_in: float, random: Callable[[], float]) -> float:
    """Return the seconds until a token that expires in ``expires_in`` seconds is renewed.

    ``random`` returns numbers in [0, 1): clients that came together renew at different times.
    """
    lead = min(RENEWAL_LEAD, expires_in / 4)
    return expires_in - lead * (1 - random() / 2)
