"""A link: one WebSocket, from the request for its token until it is abandoned; and how the server ended it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from kizuna.codec import NotAFrame, read_frame
from kizuna.core.events import AbandonLink, FetchToken, Timer, TokenFailed
from kizuna.core.states import LinkSignal, LinkState, Reason, ReasonKind, Status, Trigger, next_link_state
from kizuna.core.timing import Context
from kizuna.wire import finite_number


class Heartbeat:
    """The time of a link's last ping, and whether anything has arrived since. Monotonic seconds.

    Pings go out while other frames arrive, too, since an answer must be provoked. Any frame proves the link alive.
    """

    def __init__(self) -> None:
        self._pinged_at: float | None = None
        self._answered = True
        self._pongs_due = 0
        self.rtt: float | None = None  #: seconds from the last ping to its pong

    def ping_sent(self, now: float) -> None:
        """Note that a ping was sent."""
        self._pinged_at = now
        self._answered = False
        self._pongs_due += 1

    def frame_received(self) -> None:
        """Note that a frame arrived."""
        self._answered = True

    def pong_received(self, now: float, pinged_at: float | None) -> None:
        """Note that a pong arrived ``now``, and measure the round trip if it answers the last ping.

        ``pinged_at``: the time that it repeats from its ping. A pong of an earlier ping measures nothing.
        """
        if pinged_at is not None and self._pinged_at is not None and abs(pinged_at - self._pinged_at) < 0.001:
            self.rtt = max(0.0, now - self._pinged_at)
            self._pinged_at = None  # a repeated pong measures nothing

    def pong_without_time_received(self, now: float) -> None:
        """Note that a pong arrived ``now`` that repeats no time; it measures the round trip if no other pong is due."""
        if self._pongs_due == 1:
            self.pong_received(now, self._pinged_at)
        self._pongs_due = max(0, self._pongs_due - 1)

    @property
    def awaits_pong(self) -> bool:
        """Return whether the pong of the last ping has not been handled yet."""
        return self._pinged_at is not None

    def silence_means(self, status: Status) -> Trigger | None:
        """Return what it means that the time for an answer is over, in this status of the connection.

        DOUBTED for a link that was trusted, LOST for one that was doubted; None if a frame arrived in time.
        """
        if not self.is_silent:
            return None
        return Trigger.DOUBTED if status is Status.CONNECTED else Trigger.LOST

    @property
    def is_silent(self) -> bool:
        """Return whether nothing has arrived since the last ping."""
        return not self._answered


class Link:
    """What is known about one link, from ``started_at`` on. Times are monotonic seconds.

    ``number``: by which events and commands name it. ``needs_ready``: the server accepts a link by a ``ready`` frame.
    """

    def __init__(self, number: int, started_at: float, heartbeat: Heartbeat, *, needs_ready: bool) -> None:
        self.number = number
        self.active_at = started_at  #: time of its last step, or frame until it is proven
        self.heartbeat = heartbeat
        self.state = LinkState.OPENING
        #: Seconds from ready until its token expires, where ready says so.
        self.expires_in: float | None = None
        self.slowest_step = 0.0  #: seconds of the slowest of token, opening and ready
        self.is_postponed = False  #: its deadline came late and was set once more
        self._has_token = False
        self._ready = not needs_ready
        self._prepared = False

    def apply(self, signal: LinkSignal) -> None:
        """Change the state as the table says."""
        self.state = next_link_state(self.state, signal)

    @property
    def is_open(self) -> bool:
        """Return whether frames can be sent over it."""
        return self.state in (LinkState.PROVING, LinkState.LIVE, LinkState.DOUBTED)

    @property
    def is_ready(self) -> bool:
        """Return whether no ``ready`` frame is awaited: it came, or this server sends none."""
        return self._ready

    @property
    def is_accepted(self) -> bool:
        """Return whether it is open, and the server has accepted it."""
        return self.is_open and self._ready

    @property
    def is_heard(self) -> bool:
        """Return whether another frame would prove nothing: proven, undoubted, and heard since its last ping."""
        return self.state is LinkState.LIVE and not self.heartbeat.is_silent and not self.is_postponed

    def note_token(self, now: float) -> bool:
        """Note that the token arrived. Return whether that was expected: one link opens one socket."""
        if self.state is not LinkState.OPENING or self._has_token:
            return False
        self._has_token = True
        self._note_progress(now)
        return True

    def note_opened(self, now: float) -> bool:
        """Note that the handshake succeeded. Return whether that was expected."""
        if self.state is not LinkState.OPENING:
            return False
        self._note_progress(now)
        self.apply(LinkSignal.OPENED)
        return True

    def note_frame(self, now: float) -> bool:
        """Note that a frame arrived, which proves the link alive. Return whether that ends a doubt."""
        self._note_progress(now)
        self.heartbeat.frame_received()
        if self.state is not LinkState.DOUBTED:
            return False
        self.apply(LinkSignal.HEARD)
        return True

    def note_ready(self) -> bool:
        """Note that the server accepted the link. Return whether it is proven now."""
        self._ready = True
        return self._prove()

    def note_prepared(self) -> bool:
        """Note that the application has prepared the link. Return whether it is proven now."""
        self._prepared = True
        return self._prove()

    def _note_progress(self, now: float) -> None:
        if self.state is LinkState.OPENING or not self._ready:
            self.slowest_step = max(self.slowest_step, now - self.active_at)
        self.active_at = now
        self.is_postponed = False

    def _prove(self) -> bool:
        if self.state is not LinkState.PROVING or not (self._ready and self._prepared):
            return False
        self.apply(LinkSignal.PROVED)
        return True


class Links:
    """The current link, the candidate and the retiring link. ``context``: where the commands go."""

    def __init__(self, context: Context, *, needs_ready: bool) -> None:
        self._context = context
        self.current: Link | None = None  #: carries the application's frames, or will
        self.candidate: Link | None = None  #: will replace the current one
        self.retiring: Link | None = None  #: was replaced; its last frames may still arrive
        self._needs_ready = needs_ready
        self._count = 0

    @property
    def all(self) -> list[Link]:
        """Return every link that was not abandoned."""
        return [link for link in (self.current, self.candidate, self.retiring) if link is not None]

    def find(self, number: int) -> Link | None:
        """Return the link of this number; None for one that was abandoned."""
        for link in (self.current, self.candidate, self.retiring):
            if link is not None and link.number == number:
                return link
        return None

    @property
    def required(self) -> Link:
        """Return the current link, in a status that always has one."""
        assert self.current is not None
        return self.current

    def open(self, seconds: float) -> None:
        """Begin a new current link in place of all others; its first step may take ``seconds``."""
        self.abandon()
        self.current = self._new()
        self._context.change(attempt=self._context.state.attempt + 1)
        self._context.set_timer(Timer.CONNECT, seconds)
        self._context.do(FetchToken(self.current.number))

    def open_candidate(self, seconds: float) -> None:
        """Begin a candidate beside the current link; its first step may take ``seconds``."""
        self.candidate = self._new()
        self._context.set_timer(Timer.CANDIDATE, seconds)
        self._context.do(FetchToken(self.candidate.number))

    def abandon(self) -> None:
        """End every link."""
        for link in self.all:
            self.end(link)

    def end(self, link: Link | None) -> None:
        """End ``link``: cancel its deadline and abandon its socket. Without effect for None."""
        if link is not None:
            self._context.cancel_timer(self._remove(link))
            link.apply(LinkSignal.ENDED)
            self._context.do(AbandonLink(link.number))

    def promote(self) -> None:
        """Make the candidate the current link, and the current link, if there still is one, the retiring one."""
        self.retiring, self.current, self.candidate = self.current, self.candidate, None

    def deadline_of(self, link: Link) -> Timer:
        """Return the timer that limits the next step of ``link``; it changes with the link's part in a rollover."""
        if link is self.candidate:
            return Timer.CANDIDATE
        return Timer.RETIRE if link is self.retiring else Timer.CONNECT

    def timed_by(self, timer: Timer) -> Link | None:
        """Return the link whose deadline ``timer`` is; None for timers that are no deadline."""
        match timer:
            case Timer.CONNECT | Timer.SILENCE:
                return self.current
            case Timer.CANDIDATE:
                return self.candidate
            case Timer.RETIRE:
                return self.retiring
        return None

    def _new(self) -> Link:
        self._count += 1
        return Link(self._count, self._context.now.monotonic, Heartbeat(), needs_ready=self._needs_ready)

    def _remove(self, link: Link) -> Timer:
        """Remove ``link``, and return the timer of its deadline."""
        timer = self.deadline_of(link)
        if link is self.current:
            self.current = None
        elif link is self.candidate:
            self.candidate = None
        else:
            self.retiring = None
        return timer


#: For codes that mean "try again later": they name no time (RFC 6455); pusher and centrifugo wait at least a second.
RETRY_LATER_SECONDS = 5.0


class Policy(StrEnum):
    """What to do after a close."""

    RETRY = "retry"  #: within the budget
    RETRY_LATER = (
        "retry later"  #: after RETRY_LATER_SECONDS at least; the budget is given back: the server lives
    )
    RENEW_TOKEN = "renew the token"  #: every attempt does; a second refusal in a row is a rejection
    STOP = "stop"  #: no further attempt


# The IANA registry; for 4xxx the usage of pusher, centrifugo and graphql-ws. Other codes are retried.
_POLICIES: dict[int, Policy] = {
    1008: Policy.STOP,  # policy violation
    1010: Policy.STOP,  # a mandatory extension is missing
    1013: Policy.RETRY_LATER,  # try again later
    3000: Policy.RENEW_TOKEN,  # unauthorized (IANA)
    3003: Policy.STOP,  # forbidden (IANA)
    4400: Policy.STOP,  # 4000 + HTTP's status, as graphql-ws has it
    4401: Policy.RENEW_TOKEN,
    4403: Policy.STOP,
    4429: Policy.RETRY_LATER,
    4503: Policy.RETRY_LATER,
}

_WORDS: dict[int, str] = {
    1000: "the server closed the connection",
    1001: "the server is going away",
    1003: "the server does not take this kind of frame",
    1006: "the connection broke",
    1008: "the server refused the connection",
    1009: "a frame was too large for the server",
    1011: "the server failed",
    1012: "the server is restarting",
    1013: "the server is busy",
    3000: "the server does not accept the token",
    3003: "the server forbids the connection",
    4401: "the server does not accept the token",
    4403: "the server forbids the connection",
    4429: "the server asks to try later",
}


def close_policy(code: int) -> Policy:
    """Return what to do after a close with ``code``."""
    return _POLICIES.get(code, Policy.RETRY)


def close_words(code: int) -> str:
    """Return what a close with ``code`` means, in words for a person."""
    return _WORDS.get(code, f"the server closed the connection (code {code})")


class ServerClose(NamedTuple):
    """How the server ended a link. ``retry_after``: seconds before which it wants no attempt.

    It says so in a ``bye`` frame, or in the same JSON object as close reason; else the close code decides.
    """

    reason: Reason
    policy: Policy
    retry_after: float | None = None


def from_bye(frame: Mapping[str, Any]) -> ServerClose:
    """Return what a ``bye`` frame says."""
    words = text(frame.get("reason")) or "the server closed the connection"
    return _decide(Reason(ReasonKind.SERVER_RESTARTING, words), frame, Policy.RETRY)


def from_close(code: int, reason: str) -> ServerClose:
    """Return what the close of an open socket with ``code`` and ``reason`` says."""
    payload = _parse(reason)
    kind = ReasonKind.SERVER_RESTARTING if payload else ReasonKind.CLOSED_BY_SERVER
    words = text(payload.get("reason")) or close_words(code)
    return _decide(Reason(kind, words, code), payload, close_policy(code))


def from_token_failure(event: TokenFailed) -> ServerClose:
    """Return what the failure of the token provider says."""
    if event.unauthorized:
        reason = Reason(ReasonKind.UNAUTHORIZED, "the identity provider refused a token")
        return ServerClose(reason, Policy.STOP)
    if event.unreachable:
        return ServerClose(Reason(ReasonKind.UNREACHABLE, "the server cannot be reached"), Policy.RETRY)
    words = event.detail or "no token could be fetched"
    return ServerClose(Reason(ReasonKind.TOKEN_UNAVAILABLE, words), Policy.RETRY, event.retry_after)


def text(value: Any) -> str:
    """Return ``value`` if it is text, else ""."""
    return value if isinstance(value, str) else ""


def _decide(reason: Reason, payload: Mapping[str, Any], policy: Policy) -> ServerClose:
    match payload.get("reconnect"):
        case False:
            policy = Policy.STOP
        case True:
            policy = Policy.RETRY
    if policy is Policy.STOP:
        kind = ReasonKind.UNSUPPORTED if reason.words == ReasonKind.UNSUPPORTED else ReasonKind.REJECTED
        reason = reason._replace(kind=kind)
    retry_after = finite_number(payload.get("retryAfter"))
    if retry_after is None or retry_after <= 0:  # no word, or none that asks for time
        retry_after = RETRY_LATER_SECONDS if policy is Policy.RETRY_LATER else None
    return ServerClose(reason, policy, retry_after)


def _parse(reason: str) -> Mapping[str, Any]:
    """Return the JSON object in a close reason; empty if there is none."""
    try:
        return read_frame(reason)
    except NotAFrame:
        return {}
