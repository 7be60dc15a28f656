"""The wire: what ping, pong, ready and bye look like on one kind of server.

A server that answers ``{"op": "ping"}`` with ``{"op": "pong"}``, and one that answers a text:

    >>> own = Wire(ping={"op": "ping"}, pong={"op": "pong"})
    >>> own.kind_of({"op": "pong", "load": 0.3}), own.kind_of({"op": "chat"})
    (<FrameKind.PONG: 'pong'>, <FrameKind.OTHER: 'other'>)
    >>> Wire(ping="ping", pong="pong").kind_of("pong")
    <FrameKind.PONG: 'pong'>
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from kizuna.errors import ConfigurationError
from kizuna.options import Options


class FrameKind(Enum):
    """What a frame is to the connection. Every frame is delivered to the application."""

    READY = "ready"  #: the server has accepted this link
    PONG = "pong"  #: answer to a ping
    BYE = "bye"  #: the server ends the connection
    OTHER = "other"  #: the application's


Test: TypeAlias = Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wire:
    """The frames that belong to the connection itself, as values of the codec. None: this server has no such frame.

    ``ready``, ``pong`` and ``bye`` are compared with what arrives. An object matches a frame that has all its keys with
    the same values, and perhaps more; any other value matches its equal. ``ping`` is sent. If it is a function, it is
    called for each ping with ``t``, an int in milliseconds, which the server returns as ``t`` of its pong: the round
    trip is measured by it.

    Without ``ready`` an open socket counts at once, but only uptime proves it. Without ``pong`` silence proves nothing:
    a half-open connection is not noticed, and a candidate is opened beside a doubted link. Without ``has_seq`` a
    replaced link closes at once, since the application could not recognise a frame that arrives twice.

    Raises:
        ConfigurationError: A ``pong`` without a ``ping``, or an empty object, which would match every object.
    """

    name: str = ""  #: for people
    ping: Any = None  #: the heartbeat: a value, or a function of ``t`` that returns one
    ready: Any = None  #: an ``expiresIn`` in it is the seconds until the token expires
    pong: Any = None
    bye: Any = None  #: its ``reason``, ``reconnect`` and ``retryAfter`` are respected
    has_seq: bool = False
    defaults: Options = field(default_factory=Options)  #: numbers that this server needs
    #: Whether a frame is the application's. A flood asks for each frame, so it is made for this wire.
    is_ordinary: Test = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name, word in (("ready", self.ready), ("pong", self.pong), ("bye", self.bye)):
            if isinstance(word, Mapping) and not word:
                raise ConfigurationError(name, "must have a key: {} would match every object")
        if self.pong is not None and self.ping is None:
            raise ConfigurationError("pong", "needs a ping: without one no pong is awaited")
        object.__setattr__(self, "is_ordinary", self._ordinary_test())

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

    def _ordinary_test(self) -> Test:
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
