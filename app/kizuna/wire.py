"""The wire: what ping, pong, ready and bye look like on one kind of server, and the numbers of a connection to it.

A server that answers ``{"op": "ping"}`` with ``{"op": "pong"}``, and one that answers a text:

    >>> own = Wire(ping={"op": "ping"}, pong={"op": "pong"})
    >>> own.kind_of({"op": "pong", "load": 0.3}), own.kind_of({"op": "chat"})
    (<FrameKind.PONG: 'pong'>, <FrameKind.OTHER: 'other'>)
    >>> Wire(ping="ping", pong="pong").kind_of("pong")
    <FrameKind.PONG: 'pong'>
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypedDict, Unpack

from kizuna.errors import ConfigurationError
from kizuna.platform import Record


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


class Numbers(Record):
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

    def __init__(self, **options: Unpack[Options]) -> None:
        for name, value in options.items():
            if name not in self._fields:
                known = ", ".join(self._fields)
                hint = "give it beside the options" if name == "wire" else f"known are {known}"
                raise ConfigurationError(name, f"is not known; {hint}")
            _check(name, value, whole=type(getattr(Numbers, name)) is int)
        super().__init__(**options)

    @classmethod
    def of(cls, *layers: Mapping[str, object]) -> Numbers:
        """Return the numbers with these options; a later layer overrides an earlier one.

        Raises:
            ConfigurationError: An option that is not known, or a number that cannot work.
        """
        chosen: dict[str, Any] = {}
        for layer in layers:
            chosen.update(layer)
        return cls(**chosen)


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
    if key == "jitter" and value > 1:
        raise ConfigurationError(key, "must be from 0 to 1")


def finite_number(value: Any) -> float | None:
    """Return ``value`` if it is a finite number that a float holds exactly, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return value


class FrameKind(Enum):
    """What a frame is to the connection. Every frame is delivered to the application."""

    READY = "ready"  #: the server has accepted this link
    PONG = "pong"  #: answer to a ping
    BYE = "bye"  #: the server ends the connection
    OTHER = "other"  #: the application's


class Wire(Record):
    """The frames that belong to the connection itself, as values of the codec. None: this server has no such frame.

    ``ready``, ``pong`` and ``bye`` are compared with what arrives. An object matches a frame that has all its keys with
    the same values, and perhaps more; any other value matches its equal. ``ping`` is sent; a function is called for
    each with ``t``, an int in milliseconds, which the pong repeats: the round trip is measured by it.

    Without ``ready`` only uptime proves an open socket. Without ``pong`` a half-open connection is not noticed, and a
    candidate is opened beside a doubted link. Without ``has_seq`` a replaced link closes at once, since the application
    could not recognise a frame that arrives twice.

    Raises:
        ConfigurationError: A ``pong`` without a ``ping``, or an empty object, which would match every object.
    """

    name: str  #: for people
    ping: Any  #: the heartbeat: a value, or a function of ``t`` that returns one
    ready: Any  #: an ``expiresIn`` in it is the seconds until the token expires
    pong: Any
    bye: Any  #: its ``reason``, ``reconnect`` and ``retryAfter`` are respected
    has_seq: bool
    defaults: Options  #: numbers that this server needs

    __eq__ = object.__eq__  # words may be lists, which have no hash
    __hash__ = object.__hash__

    def __init__(
        self,
        *,
        name: str = "",
        ping: Any = None,
        ready: Any = None,
        pong: Any = None,
        bye: Any = None,
        has_seq: bool = False,
        defaults: Options | None = None,
    ) -> None:
        for key, word in (("ready", ready), ("pong", pong), ("bye", bye)):
            if isinstance(word, Mapping) and not word:
                raise ConfigurationError(key, "must have a key: {} would match every object")
        if pong is not None and ping is None:
            raise ConfigurationError("pong", "needs a ping: without one no pong is awaited")
        super().__init__(name, ping, ready, pong, bye, has_seq, defaults or Options())

    def kind_of(self, frame: Any) -> FrameKind:
        """Return what ``frame`` is to the connection."""
        if _matches(frame, self.ready):
            return FrameKind.READY
        if _matches(frame, self.pong):
            return FrameKind.PONG
        return FrameKind.BYE if _matches(frame, self.bye) else FrameKind.OTHER

    def ping_at(self, t: float) -> Any:
        """Return the ping to send at ``t`` (monotonic seconds)."""
        return self.ping(round(t * 1000)) if callable(self.ping) else self.ping

    @property
    def pong_mark(self) -> str:
        """Return a piece of text that every pong has in it; perhaps empty."""
        texts = self.pong.values() if isinstance(self.pong, Mapping) else (self.pong,)
        words = (text for text in texts if isinstance(text, str) and text.isascii() and text.isalnum())
        return max(words, key=len, default="")

    def ordinary_test(self) -> Callable[[Any], bool]:
        """Return a function that says whether a frame is the application's: a flood asks it for each frame."""
        words = [word for word in (self.ready, self.pong, self.bye) if word is not None]
        if not words:
            return lambda frame: True
        key, values = _shared_key(words)
        if not values:
            return lambda frame: self.kind_of(frame) is FrameKind.OTHER

        def is_ordinary(frame: Any) -> bool:
            if type(frame) is dict:
                value = frame.get(key)
                if type(value) is not str or value not in values:
                    return True
            return self.kind_of(frame) is FrameKind.OTHER

        return is_ordinary


def _matches(frame: Any, word: Any) -> bool:
    if isinstance(word, Mapping):
        return isinstance(frame, Mapping) and all(
            key in frame and frame[key] == value for key, value in word.items()
        )
    return word is not None and type(frame) is type(word) and bool(frame == word)


def _shared_key(words: list[Any]) -> tuple[str, frozenset[str]]:
    """Return a key that all words have with a text as its value, and these texts; none if there is no such key."""
    if all(isinstance(word, Mapping) for word in words):
        for key in words[0]:
            values = [word.get(key) for word in words]
            if all(type(value) is str for value in values):
                return key, frozenset(values)
    return "", frozenset()


def _timed_ping(t: int) -> dict[str, Any]:
    return {"action": "ping", "t": t}


# Limits of API Gateway: it closes the connection for a larger frame, and each after two hours.
_GATEWAY = Options(max_frame_bytes=32 * 1024, rollover_after=110 * 60.0)

#: Any server: it is sent nothing, and need say nothing. A half-open connection is not noticed.
PLAIN = Wire(name="plain")
#: This project's server.
KIZUNA = Wire(
    name="kizuna",
    ping=_timed_ping,
    ready={"type": "ready"},
    pong={"type": "pong"},
    bye={"type": "bye"},
    has_seq=True,
    defaults=_GATEWAY,
)
#: The article's server: it sends neither ready nor pong. The article tries five times, and then stops.
ARTICLE = Wire(
    name="article",
    ping={"action": "ping"},
    defaults=Options(**_GATEWAY, max_retries=5, idle_retry_interval=0.0),
)
