"""The numbers of a connection, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypedDict

from kizuna.errors import ConfigurationError


class Options(TypedDict, total=False):
    """Numbers of a connection that differ from the defaults: each is a field of :class:`Numbers`."""

    first_retry_delay: float
    max_retries: int
    jitter: float
    heartbeat_interval: float
    pong_timeout: float
    probe_timeout: float
    connect_timeout: float
    prepare_timeout: float
    stable_after: float
    offline_interval: float
    stale_attempt_after: float
    try_now_interval: float
    rollover_after: float
    rollover_spread: float
    retire_after: float
    idle_retry_interval: float
    max_retry_after: float
    sleep_threshold: float
    max_frame_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """The numbers of a connection, in seconds unless the name says otherwise.

    Raises:
        ConfigurationError: A number that cannot work.
    """

    first_retry_delay: float = 1.0  #: before the first retry; doubles with each: 1, 2, 4, 8, 16
    max_retries: int = 5  #: quick retries in a row; after these the status is `exhausted`
    jitter: float = 0.5  #: each delay is drawn from ±50 % around it, as socket.io does
    heartbeat_interval: float = 30.0  #: between two pings; API Gateway closes after ten idle minutes
    pong_timeout: float = 10.0  #: silence after a ping until the link is doubted
    probe_timeout: float = 5.0  #: silence after a probe until the link is replaced
    connect_timeout: float = 10.0  #: for each of token, opening, ready; browsers themselves wait far longer
    prepare_timeout: float = 30.0  #: for what `before_connected()` was given, once the server is ready
    #: uptime after which the delay starts again at its first step (reconnecting-websocket's minUptime)
    stable_after: float = 5.0
    #: between attempts while the browser reports no network: it may be wrong; they cost no retry
    offline_interval: float = 30.0
    #: an attempt without progress for so long is restarted when the page comes back
    stale_attempt_after: float = 2.0
    try_now_interval: float = 1.0  #: `try_now()` acts at most this often
    #: a link of this age is replaced by a new one, without a gap; 0: never
    rollover_after: float = 0.0
    rollover_spread: float = 300.0  #: earlier or later by up to this: not all links are replaced at once
    retire_after: float = 5.0  #: a replaced link may still deliver for this long
    #: between quiet attempts once exhausted, while the page is visible; 0: none
    idle_retry_interval: float = 30.0
    max_retry_after: float = 300.0  #: the longest delay that a server may ask for
    #: clocks this far apart: the machine slept; a timer this late: a reason to doubt the link
    sleep_threshold: float = 3.0
    max_frame_bytes: int = 0  #: the largest frame that is sent; 0: any

    @classmethod
    def of(cls, *layers: Mapping[str, object]) -> Numbers:
        """Return the numbers with these options; a later layer overrides an earlier one.

        Raises:
            ConfigurationError: An option that is not known, or a number that cannot work.
        """
        chosen: dict[str, Any] = {}
        for layer in layers:
            chosen.update(layer)
        known = [item.name for item in fields(cls)]
        for name in chosen:
            if name not in known:
                hint = "give it beside the options" if name == "wire" else f"known are {', '.join(known)}"
                raise ConfigurationError(name, f"is not known; {hint}")
        return cls(**chosen)

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item.name, getattr(self, item.name), whole=item.type == "int")
        if self.jitter > 1:
            raise ConfigurationError("jitter", "must be from 0 to 1")


# None of these may be zero: a timer would spin, or nothing could ever succeed.
_POSITIVE = {
    "first_retry_delay",
    "heartbeat_interval",
    "pong_timeout",
    "probe_timeout",
    "connect_timeout",
    "prepare_timeout",
    "offline_interval",
    "sleep_threshold",
}


def _check(key: str, value: Any, *, whole: bool) -> None:
    if finite_number(value) is None:
        raise ConfigurationError(key, f"must be a number, not {value!r}")
    if whole and value != int(value):
        raise ConfigurationError(key, f"must be a whole number, not {value!r}")
    if value < 0 or (value == 0 and key in _POSITIVE):
        raise ConfigurationError(
            key, f"must be {'more than' if key in _POSITIVE else 'at least'} 0, not {value!r}"
        )


def finite_number(value: Any) -> float | None:
    """Return ``value`` if it is a finite number that a float holds exactly, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return value
