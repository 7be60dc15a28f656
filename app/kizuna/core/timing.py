"""The times that a connection goes by: when it tries again, for how long, and whether the machine slept."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from kizuna.core import states
from kizuna.core.events import CancelTimer, Command, SetTimer, Timer
from kizuna.core.states import ConnectionState, Status
from kizuna.platform import Instant
from kizuna.wire import Numbers


class Context:
    """The time, the page, the timers that are set, the state that the application sees, and the commands."""

    def __init__(self) -> None:
        self.now = Instant(0.0, 0.0)  #: time of the event that is being handled
        self.visible = True  #: whether the page can be seen
        self.online = True  #: whether the browser reports a network
        self.state = ConnectionState()
        self.timers: dict[Timer, float] = {}  #: deadlines of the timers that are set, monotonic seconds
        self.changed_timers: set[Timer] = set()  #: set or cancelled since the event began
        self.commands: list[Command] = []  #: what to do about the event, in order

    def begin(self, now: Instant) -> None:
        """Begin with the next event."""
        self.now = now
        self.commands = []
        self.changed_timers.clear()

    def do(self, command: Command) -> None:
        """Add a command."""
        self.commands.append(command)

    def set_timer(self, timer: Timer, seconds: float) -> None:
        """Set ``timer``, in place of an earlier one of its kind, to fire in ``seconds``."""
        at = self.now.monotonic + seconds
        self.timers[timer] = at
        self.changed_timers.add(timer)
        self.do(SetTimer(timer, at))
        if timer is Timer.RETRY and self.state.status is Status.WAITING:
            self.change(retry_at=at)

    def cancel_timer(self, timer: Timer) -> None:
        """Cancel ``timer`` if it is set."""
        if self.timers.pop(timer, None) is not None:
            self.changed_timers.add(timer)
            self.do(CancelTimer(timer))

    def change(self, **parts: Any) -> None:
        """Change parts of the state."""
        self.state = self.state._replace(**parts)

    def enter(self, status: Status, link: int | None) -> None:
        """Enter ``status``, and cancel every timer that it does not allow. ``link``: the current one's number."""
        for timer in self.timers.keys() - states.TIMERS[status]:
            self.cancel_timer(timer)
        is_connected = status in states.CONNECTED_STATUSES
        self.change(
            status=status,
            link=link if is_connected else None,
            retry_at=None,
            rtt=self.state.rtt if is_connected else None,
            connected_since=self.state.connected_since if is_connected else None,
        )


#: How often the delay doubles: 1, 2, 4, 8, 16 (the article). Independent of the budget: in a hidden tab, and against a
#: server that accepts and drops, there are more attempts than retries in the budget.
DOUBLINGS = 4


class Backoff:
    """The delay before each retry, the budget of retries, and the time before which the server wants no attempt.

    >>> backoff = Backoff(first_delay=1, max_retries=5, jitter=0, random=lambda: 0.5)
    >>> [backoff.next_delay() for _ in range(6)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 16.0]

    Args:
        first_delay: Seconds, doubled by each step up to 16 times its value.
        max_retries: The budget.
        jitter: Share by which a delay is spread, so that clients do not come back to a restarted server all at once.
        random: Returns numbers in [0, 1).
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
        """Return whether the budget is spent."""
        return self.spent >= self._max_retries

    def spend(self) -> None:
        """Take one retry from the budget."""
        self.spent += 1

    def refill(self) -> None:
        """Give the budget back; the delay stays where it is."""
        self.spent = 0

    def reset_delay(self) -> None:
        """Start the delay again at its first step."""
        self._step = 0

    def set_server_delay(self, now: float, seconds: float) -> None:
        """Allow no attempt for at least ``seconds`` from ``now`` (monotonic seconds), since the server asked for it.

        The budget is given back: a server that asks for time is alive.
        """
        self.refill()
        self._not_before = now + self.jittered_up(seconds)

    def server_delay_left(self, now: float) -> float:
        """Return for how many more seconds the server wants no attempt."""
        return max(0.0, self._not_before - now)

    def release(self) -> None:
        """Drop the server's delay, because a person wants an attempt now."""
        self._not_before = -math.inf

    def next_delay(self) -> float:
        """Return the seconds until the next attempt, with jitter, and double the delay for the one after it."""
        nominal = self._first_delay * 2**self._step
        self._step = min(self._step + 1, DOUBLINGS)
        return self.jittered(nominal)

    def jittered(self, seconds: float) -> float:
        """Return ``seconds`` with jitter in both directions."""
        return seconds * (1 + self._jitter * (2 * self._random() - 1))

    def jittered_up(self, seconds: float) -> float:
        """Return ``seconds`` with jitter upwards only."""
        return seconds * (1 + self._jitter * self._random())


#: The longest deadline of a step, as a multiple of ``Options.connect_timeout``: 40 s by default.
MAX_FACTOR = 4


class AttemptLimits:
    """The deadline of one step (token, opening, ready), and the age at which an attempt is stale. Seconds.

    They are longer on a network that was slow before, such as a satellite's.
    Both double with each attempt that they cut short, up to MAX_FACTOR times ``connect_timeout``, and are at least
    twice what the slowest step of the last proven link took.
    """

    def __init__(self, connect_timeout: float, stale_attempt_after: float) -> None:
        self._connect_timeout = connect_timeout
        self._stale_attempt_after = stale_attempt_after
        self._timed_out = 0  # attempts in a row
        self._restarted = 0
        self._slowest = 0.0  # step of the last proven link

    @property
    def deadline(self) -> float:
        """Return how many seconds a step may take."""
        return self._bounded(self._connect_timeout, self._timed_out)

    @property
    def stale_attempt_after(self) -> float:
        """Return the seconds without progress after which an attempt is restarted when the page comes back."""
        return self._bounded(self._stale_attempt_after, self._restarted)

    def _bounded(self, seconds: float, doublings: int) -> float:
        # Bounded, since a tab may fail for weeks, and a step may include the machine's sleep.
        wished = max(seconds * 2.0 ** min(doublings, 10), 2 * self._slowest)
        return min(wished, MAX_FACTOR * self._connect_timeout)

    def note_timeout(self) -> None:
        """Note that an attempt was ended by its deadline."""
        self._timed_out += 1

    def note_restart(self) -> None:
        """Note that an attempt was restarted because the page came back."""
        self._restarted += 1

    def note_proven(self, slowest_step: float) -> None:
        """Note that a link is proven, whose slowest step took ``slowest_step`` seconds."""
        self._slowest = slowest_step
        self._timed_out = self._restarted = 0


#: Seconds between a candidate that failed and the next one.
CANDIDATE_RETRY_AFTER = 30.0
#: Seconds from the begin of a candidate until a doubt may begin another, where the server answers no probe.
CANDIDATE_INTERVAL = 60.0


def rollover_due_in(numbers: Numbers, expires_in: float | None, random: Callable[[], float]) -> float | None:
    """Return the seconds from a link's proof until its replacement begins; None: it is never replaced.

    Args:
        numbers: ``rollover_after`` and ``rollover_spread``.
        expires_in: Seconds until the token expires, from ``ready``.
        random: Returns numbers in [0, 1), so that clients that came together do not leave together.
    """
    ages = []
    if numbers.rollover_after > 0:
        ages.append(numbers.rollover_after + numbers.rollover_spread * (2 * random() - 1))
    if expires_in is not None and expires_in > 0:
        ages.append(renewal_due_in(expires_in, random))
    return max(0.0, min(ages)) if ages else None


#: Seconds before a token expires at which it is renewed (as SignalR), or a quarter of its life if that is less.
RENEWAL_LEAD = 300.0


def renewal_due_in(expires_in: float, random: Callable[[], float]) -> float:
    """Return the seconds until a token that expires in ``expires_in`` seconds is renewed, by a rollover."""
    lead = min(RENEWAL_LEAD, expires_in / 4)
    return expires_in - lead * (1 - random() / 2)


#: Seconds that a tick of a hidden page without a worker may be late: Chromium runs its timers once a minute.
THROTTLE_SECONDS = 60.0
#: Seconds between two reports of a worker that are acted on.
MIN_REPORT_INTERVAL = 30.0
#: Seconds by which a deadline is late when the page was busy: the answer may have arrived unread, since browsers have
#: separate queues for timers and frames. Such a deadline is postponed once, by POSTPONED_BY seconds.
LATE = 0.5
POSTPONED_BY = 1.0


class SleepDetector:
    """What the page's clocks say about sleep: whether the machine slept or the page was only busy.

    A worker beside the page runs while the page computes, and not in sleep: it reports :class:`MachineSlept` itself.
    On some systems the monotonic clock stops during sleep while the wall clock goes on.

    Args:
        gap: Seconds by which the clocks may differ.
    """

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._offset: float | None = None
        self._was_hidden = False
        self._reported_at: float | None = None

    def slept(self, now: Instant) -> bool:
        """Return whether the machine slept since the last call."""
        offset = now.wall - now.monotonic
        drift = 0.0 if self._offset is None else offset - self._offset
        self._offset = offset
        return drift > self._gap

    def may_have_slept(self, tick_late: float) -> bool:
        """Return whether a tick that came ``tick_late`` seconds late is a reason for doubt, where no worker runs."""
        return tick_late - (THROTTLE_SECONDS if self._was_hidden else 0.0) > self._gap

    def accept_worker_report(self, now: Instant) -> bool:
        """Return whether to act on a worker's report of sleep: a worker that gets no processor time repeats it."""
        is_new = self._reported_at is None or now.monotonic - self._reported_at >= MIN_REPORT_INTERVAL
        if is_new:
            self._reported_at = now.monotonic
        return is_new

    def page_hidden(self) -> None:
        """Note that from now on the browser may delay the page's timers."""
        self._was_hidden = True

    def tick_armed(self, *, visible: bool) -> None:
        """Note that a new tick was set."""
        self._was_hidden = not visible
