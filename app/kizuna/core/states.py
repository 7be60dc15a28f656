"""The states of a connection and of a link, and every transition, as data.

A row of the status table names an action, which is a method in ``actions.py``, and the statuses that it may lead to:
most lead to one, some decide by the budget or by what the server said. The link table is about one socket. A pair that
is not in a table is ignored, so no event of a browser raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from kizuna.core.events import Timer


class Status(StrEnum):
    """What an application shows about the connection."""

    IDLE = "idle"  #: never asked to connect
    CONNECTING = "connecting"  #: fetching a token, opening a socket, or preparing it
    CONNECTED = "connected"  #: open, proven and prepared
    SUSPECT = "suspect"  #: open but doubted: a probe was sent, or a candidate is opened, now or soon
    WAITING = "waiting"  #: until the deadline of the next attempt
    OFFLINE = "offline"  #: the browser says that there is no network
    SUSPENDED = "suspended"  #: closed while the page is frozen or left; reconnects by itself
    EXHAUSTED = "exhausted"  #: the retry budget is spent
    REJECTED = "rejected"  #: the server said not to come back
    CLOSED = "closed"  #: by disconnect(); only connect() ends it


#: A link is open and proven: the application can send.
CONNECTED_STATUSES = frozenset({Status.CONNECTED, Status.SUSPECT})


class Trigger(StrEnum):
    """What can change a status."""

    CONNECT = "connect()"
    DISCONNECT = "disconnect()"
    TRY_NOW = "Try now"
    RETRY_DUE = "retry due"
    PROVEN = "link proven"
    DOUBTED = "link doubted"
    TRUSTED = "link trusted"
    LOST = "link lost"
    REFUSED = "link refused"
    ROLLOVER_DUE = "rollover due"
    PROMOTED = "next link proven"
    ADOPTED = "link lost, the next one goes on"
    SHOWN = "page shown"
    ONLINE = "online"
    OFFLINE = "offline"
    SUSPENDED = "page suspended"
    RESUMED = "page resumed"
    WOKE = "woke from sleep"


class Action(StrEnum):
    """What can be done about a trigger: the methods of :class:`kizuna.core.actions.Actions`."""

    IGNORE = "ignore"
    START = "start"
    ATTEMPT = "attempt"
    RETRY = "retry"
    ATTEMPT_QUIETLY = "attempt_quietly"
    RESTART_STALE_ATTEMPT = "restart_stale_attempt"
    RESTART_STALE_ATTEMPT_NOW = "restart_stale_attempt_now"
    RESTART = "restart"
    RETRY_WITH_FULL_BUDGET = "retry_with_full_budget"
    RETRY_ANEW = "retry_anew"
    TRY_NOW = "try_now"
    BECOME_CONNECTED = "become_connected"
    BEGIN_ROLLOVER = "begin_rollover"
    PROMOTE = "promote"
    ADOPT_CANDIDATE = "adopt_candidate"
    PROBE = "probe"
    DOUBT = "doubt"
    CONFIRM_ALIVE = "confirm_alive"
    REPLACE = "replace"
    SCHEDULE_RETRY = "schedule_retry"
    SCHEDULE_IDLE_RETRY = "schedule_idle_retry"
    GO_OFFLINE = "go_offline"
    SUSPEND = "suspend"
    REJECT = "reject"
    CLOSE = "close"


class Row(NamedTuple):
    """What a trigger does in a status: an action, and the statuses that it may lead to."""

    action: Action
    to: tuple[Status, ...]


IGNORED = Row(Action.IGNORE, ())

_BEGIN = Row(Action.START, (Status.CONNECTING,))
_CLOSE = Row(Action.CLOSE, (Status.CLOSED,))
_RESTART_STALE = Row(Action.RESTART_STALE_ATTEMPT, (Status.CONNECTING,))
_RESTART = Row(Action.RESTART, (Status.CONNECTING,))  # an attempt begun before the sleep is lost
_PROBE = Row(Action.PROBE, (Status.SUSPECT, Status.CONNECTED))  # CONNECTED: this wire answers no probe
_DOUBT = Row(Action.DOUBT, (Status.SUSPECT,))  # a probe, or a rollover where this wire answers none
_RETRY_FULL = Row(Action.RETRY_WITH_FULL_BUDGET, (Status.CONNECTING, Status.WAITING))
_RETRY_ANEW = Row(Action.RETRY_ANEW, (Status.CONNECTING, Status.WAITING))
_PROMOTE = Row(Action.PROMOTE, (Status.CONNECTED,))
_ADOPT = Row(Action.ADOPT_CANDIDATE, (Status.CONNECTING,))
_RETRY_LATER = Row(Action.SCHEDULE_RETRY, (Status.WAITING, Status.OFFLINE, Status.EXHAUSTED))
_REJECT = Row(Action.REJECT, (Status.REJECTED,))
_GO_OFFLINE = Row(Action.GO_OFFLINE, (Status.OFFLINE,))
_SUSPEND = Row(Action.SUSPEND, (Status.SUSPENDED,))


def _try_now(status: Status) -> Row:
    return Row(Action.TRY_NOW, (Status.CONNECTING, status))  # the status itself: tried again too soon


STATUS_TABLE: Mapping[Status, Mapping[Trigger, Row]] = {
    Status.IDLE: {
        Trigger.CONNECT: _BEGIN,
        Trigger.DISCONNECT: _CLOSE,
    },
    Status.CONNECTING: {
        Trigger.DISCONNECT: _CLOSE,
        Trigger.TRY_NOW: Row(Action.RESTART_STALE_ATTEMPT_NOW, (Status.CONNECTING,)),
        Trigger.PROVEN: Row(Action.BECOME_CONNECTED, (Status.CONNECTED,)),
        Trigger.LOST: _RETRY_LATER,
        Trigger.REFUSED: _REJECT,
        Trigger.SHOWN: _RESTART_STALE,
        Trigger.ONLINE: _RESTART_STALE,
        Trigger.RESUMED: _RESTART_STALE,
        Trigger.WOKE: _RESTART,
        Trigger.OFFLINE: _GO_OFFLINE,
        Trigger.SUSPENDED: _SUSPEND,
    },
    Status.CONNECTED: {
        Trigger.DISCONNECT: _CLOSE,
        Trigger.DOUBTED: _DOUBT,
        Trigger.ROLLOVER_DUE: Row(Action.BEGIN_ROLLOVER, (Status.CONNECTED,)),
        Trigger.PROMOTED: _PROMOTE,
        Trigger.ADOPTED: _ADOPT,
        Trigger.LOST: _RETRY_LATER,
        Trigger.REFUSED: _REJECT,
        Trigger.SHOWN: _PROBE,
        Trigger.ONLINE: _PROBE,
        Trigger.OFFLINE: _PROBE,
        Trigger.RESUMED: _DOUBT,
        Trigger.WOKE: _DOUBT,
        Trigger.SUSPENDED: _SUSPEND,
    },
    Status.SUSPECT: {
        Trigger.DISCONNECT: _CLOSE,
        Trigger.TRUSTED: Row(Action.CONFIRM_ALIVE, (Status.CONNECTED,)),
        Trigger.ROLLOVER_DUE: Row(Action.BEGIN_ROLLOVER, (Status.SUSPECT,)),
        Trigger.PROMOTED: _PROMOTE,
        Trigger.ADOPTED: _ADOPT,
        Trigger.LOST: Row(
            Action.REPLACE, (Status.CONNECTING, Status.WAITING, Status.OFFLINE, Status.EXHAUSTED)
        ),
        Trigger.REFUSED: _REJECT,
        Trigger.RESUMED: _DOUBT,
        Trigger.WOKE: _DOUBT,
        Trigger.SUSPENDED: _SUSPEND,
    },
    Status.WAITING: {
        Trigger.CONNECT: _try_now(Status.WAITING),
        Trigger.DISCONNECT: _CLOSE,
        Trigger.TRY_NOW: _try_now(Status.WAITING),
        Trigger.RETRY_DUE: Row(Action.RETRY, (Status.CONNECTING,)),
        Trigger.SHOWN: _RETRY_FULL,
        Trigger.ONLINE: _RETRY_FULL,
        Trigger.RESUMED: _RETRY_FULL,
        Trigger.WOKE: _RETRY_FULL,
        Trigger.OFFLINE: _GO_OFFLINE,
        Trigger.SUSPENDED: _SUSPEND,
    },
    Status.OFFLINE: {
        Trigger.CONNECT: _try_now(Status.OFFLINE),
        Trigger.DISCONNECT: _CLOSE,
        Trigger.TRY_NOW: _try_now(Status.OFFLINE),
        Trigger.RETRY_DUE: Row(Action.ATTEMPT, (Status.CONNECTING,)),
        Trigger.SHOWN: _RETRY_FULL,
        Trigger.ONLINE: _RETRY_FULL,
        Trigger.RESUMED: _RETRY_FULL,
        Trigger.WOKE: _RETRY_FULL,
        Trigger.SUSPENDED: _SUSPEND,
    },
    Status.SUSPENDED: {
        Trigger.CONNECT: _try_now(Status.SUSPENDED),
        Trigger.DISCONNECT: _CLOSE,
        Trigger.TRY_NOW: _try_now(Status.SUSPENDED),
        Trigger.SHOWN: _RETRY_FULL,
        Trigger.ONLINE: _RETRY_FULL,
        Trigger.RESUMED: _RETRY_FULL,
        Trigger.WOKE: _RETRY_FULL,
    },
    Status.EXHAUSTED: {
        Trigger.CONNECT: _BEGIN,
        Trigger.DISCONNECT: _CLOSE,
        Trigger.TRY_NOW: _try_now(Status.EXHAUSTED),
        Trigger.RETRY_DUE: Row(Action.ATTEMPT_QUIETLY, (Status.EXHAUSTED,)),
        Trigger.PROVEN: Row(Action.BECOME_CONNECTED, (Status.CONNECTED,)),
        Trigger.LOST: Row(Action.SCHEDULE_IDLE_RETRY, (Status.EXHAUSTED,)),
        Trigger.REFUSED: _REJECT,
        Trigger.SHOWN: _RETRY_ANEW,
        Trigger.ONLINE: _RETRY_ANEW,
        Trigger.RESUMED: _RETRY_ANEW,
        Trigger.WOKE: _RETRY_ANEW,
        Trigger.OFFLINE: _GO_OFFLINE,
        Trigger.SUSPENDED: _SUSPEND,
    },
    Status.REJECTED: {
        Trigger.CONNECT: _BEGIN,
        Trigger.DISCONNECT: _CLOSE,
    },
    Status.CLOSED: {
        Trigger.CONNECT: _BEGIN,
    },
}

_OPEN_LINK_TIMERS = frozenset(
    {
        Timer.HEARTBEAT,
        Timer.SILENCE,
        Timer.STABLE,
        Timer.TICK,
        Timer.ROLLOVER,
        Timer.CANDIDATE,
        Timer.RETIRE,
    }
)

#: Which timers may run in a status. Entering a status cancels all others.
TIMERS: Mapping[Status, frozenset[Timer]] = {
    Status.IDLE: frozenset(),
    Status.CONNECTING: frozenset({Timer.CONNECT}),
    Status.CONNECTED: _OPEN_LINK_TIMERS,
    Status.SUSPECT: _OPEN_LINK_TIMERS,
    Status.WAITING: frozenset({Timer.RETRY}),
    Status.OFFLINE: frozenset({Timer.RETRY}),
    Status.SUSPENDED: frozenset(),
    Status.EXHAUSTED: frozenset({Timer.RETRY, Timer.CONNECT}),
    Status.REJECTED: frozenset(),
    Status.CLOSED: frozenset(),
}


def row(status: Status, trigger: Trigger) -> Row:
    """Return what ``trigger`` does in ``status``; :data:`IGNORED` for a pair that is not in the table."""
    return STATUS_TABLE[status].get(trigger, IGNORED)


class Transition(NamedTuple):
    """One arrow of the status diagram: ``trigger`` may lead from a status to another one, or to the same."""

    source: Status
    trigger: Trigger
    target: Status


def transitions() -> tuple[Transition, ...]:
    """Return every transition of the status table, in its order."""
    return tuple(
        Transition(status, trigger, target)
        for status, rows in STATUS_TABLE.items()
        for trigger, row in rows.items()
        for target in row.to
    )


class LinkState(StrEnum):
    """The state of one link."""

    OPENING = "opening"  #: a token is fetched, then the handshake runs
    PROVING = "proving"  #: open; the server's ready and the application's prepare are awaited
    LIVE = "live"  #: carries the application's frames both ways
    DOUBTED = "doubted"  #: still carries them, but an answer is overdue
    CLOSING = "closing"  #: abandoned: handlers detached, nothing is expected from it


class LinkSignal(StrEnum):
    """What can change a link's state."""

    OPENED = "opened"
    PROVED = "proved"
    HEARD = "heard"
    DOUBT = "doubt"
    ENDED = "ended"


LINK_TABLE: Mapping[LinkState, Mapping[LinkSignal, LinkState]] = {
    LinkState.OPENING: {
        LinkSignal.OPENED: LinkState.PROVING,
        LinkSignal.ENDED: LinkState.CLOSING,
    },
    LinkState.PROVING: {
        LinkSignal.PROVED: LinkState.LIVE,
        LinkSignal.ENDED: LinkState.CLOSING,
    },
    LinkState.LIVE: {
        LinkSignal.DOUBT: LinkState.DOUBTED,
        LinkSignal.ENDED: LinkState.CLOSING,
    },
    LinkState.DOUBTED: {
        LinkSignal.HEARD: LinkState.LIVE,
        LinkSignal.ENDED: LinkState.CLOSING,
    },
    LinkState.CLOSING: {},
}


def next_link_state(state: LinkState, signal: LinkSignal) -> LinkState:
    """Return where ``signal`` leads from ``state``; the same state for a pair that is not in the table."""
    return LINK_TABLE[state].get(signal, state)


class ReasonKind(StrEnum):
    """Why a connection is down, for programs; :attr:`Reason.words` is for a person."""

    UNREACHABLE = "unreachable"  #: the socket never opened
    TIMEOUT = "timeout"  #: token, opening and ready took too long
    CLOSED_BY_SERVER = "closed_by_server"
    SERVER_RESTARTING = "server_restarting"  #: ``bye`` that allows another attempt
    SILENCE = "silence"  #: no answer to a probe
    TOKEN_UNAVAILABLE = "token_unavailable"
    UNAUTHORIZED = "unauthorized"
    REJECTED = "rejected"  #: it wants no further attempt
    UNSUPPORTED = "unsupported"  #: it does not speak our version: only a newer page can connect
    PREPARE_FAILED = "prepare_failed"


class Reason(NamedTuple):
    """Why a connection is down. ``code``: the WebSocket close code, where there was one."""

    kind: ReasonKind
    words: str
    code: int | None = None


class ConnectionState(NamedTuple):
    """What an application can show. Times are seconds on the clock of ``time.monotonic()``.

    So ``state.retry_at - time.monotonic()`` is the time until the next attempt, and
    ``time.monotonic() - state.connected_since`` the time since it is connected.
    """

    status: Status = Status.IDLE
    attempt: int = 0  #: attempts since the connection was up
    retry_at: float | None = None  #: when the next attempt begins; None unless the status is WAITING
    rtt: float | None = (
        None  #: seconds from the last ping to its pong; None until this connection has measured one
    )
    reason: Reason | None = None
    connected_since: float | None = None  #: when it came to be connected; None while it is not
    link: int | None = None  #: number of the current link; changes when it is replaced

    @property
    def is_connected(self) -> bool:
        """Return whether a link is open, though it may be doubted."""
        return self.status in CONNECTED_STATUSES
