"""The tour "Watch it heal": it breaks the connection in every way, writes on, and counts what arrived.

Its messages go into a room of its own. Each step waits for what it wants to see, at most for some seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from chat.store import ChatState
from kizuna import Status
from kizuna.delivery import DeliveryStatistics
from kizuna.testing import Fault
from ui.kit.texts import Texts

#: Seconds after which no further fault begins, and until the tour ends whatever happens.
LAST_BEGIN, LONGEST = 50.0, 60.0
#: Seconds of patience for a step to heal.
_HEALS_WITHIN = 10.0
#: In this order; each is a text in static/i18n, tour.*.
STEPS = (
    None,  # nothing is broken yet
    Fault.DROP,
    Fault.DUPLICATES,
    Fault.SLOW,
    Fault.OFFLINE,
    Fault.CLOCK_JUMP,
    Fault.REFUSE,
    Fault.BLACK_HOLE,
    Fault.FIREWALL,
)
_SLOW_SECONDS = 0.7
#: Seconds that a fault is armed at least, so that a person sees it, and at most.
_SHOWN_FOR, _ARMED_FOR = 1.3, 14.0


class World(Protocol):
    """What the tour does."""

    def send(self, text: str) -> None:
        """Send a message into the tour's room."""

    def arm(self, fault: Fault, seconds: float | None = None) -> None:
        """Let a fault happen."""

    def lift(self, fault: Fault) -> None:
        """End a fault."""

    def try_now(self) -> None:
        """Try to connect at once."""


@dataclass(frozen=True, slots=True)
class Result:
    """What the tour counted in its room. ``is_over``: it ran to its end."""

    written: int
    stored: int  #: acknowledged by the server, and shown once at least
    twice: int  #: shown more often than written
    is_over: bool

    @property
    def lost(self) -> int:
        """How many messages are not there."""
        return self.written - self.stored

    @property
    def is_whole(self) -> bool:
        """Whether each message is there exactly once."""
        return not self.lost and not self.twice


class _Wait(NamedTuple):
    """A condition of the tour, and the time at which it waits no longer."""

    holds: Callable[[ChatState], bool]
    until: float


class Tour:
    """One tour. ``update()`` may be called at any time.

    ``name`` returns the text of the message for a step.
    """

    def __init__(self, world: World, name: Callable[[Fault | None, int], str]) -> None:
        self.step = 0  #: the number of the present one
        self.is_over = False
        self._world = world
        self._name = name
        self._texts: list[str] = []
        self._now = self._began = 0.0
        self._script: Iterator[_Wait] | None = None
        self._wait: _Wait | None = None
        self._armed: list[Fault] = []

    def update(self, state: ChatState, now: float) -> float | None:
        """Go on as far as possible. Return when to call again without a change; None once it is over."""
        self._now = now
        if self._script is None:
            self._began = now
            self._script = self._play()
        while not self.is_over:
            if self._wait is not None and not self._wait.holds(state) and now < self._wait.until:
                return self._wait.until
            self._wait = next(self._script, None)
            self.is_over = self._wait is None
        return None

    def cancel(self) -> None:
        """End it now, and every fault."""
        self._lift()
        self.is_over = True

    def result(self, state: ChatState) -> Result:
        """Return what is counted so far, in the tour's room."""
        shown = Counter(entry.content for entry in state.timeline.confirmed if entry.own)
        stored = sum(1 for text in self._texts if shown[text])
        twice = sum(max(0, shown[text] - 1) for text in self._texts)
        return Result(len(self._texts), stored, twice, self.is_over)

    # --- the script ---

    def _play(self) -> Iterator[_Wait]:
        for self.step, fault in enumerate(STEPS):
            if self._now - self._began >= LAST_BEGIN:
                break
            yield from self._break(fault)
            yield self._within(self._is_whole, _HEALS_WITHIN)
        yield self._within(self._is_whole, LONGEST)

    def _break(self, fault: Fault | None) -> Iterator[_Wait]:
        if fault is None:
            self._say(fault)
            return
        self._arm(fault)
        if fault in (Fault.REFUSE, Fault.FIREWALL):
            self._world.arm(Fault.DROP)
        self._say(fault)
        if fault is Fault.DROP:
            yield self._within(lambda state: not state.is_connected, _SHOWN_FOR)
            return
        yield self._within(lambda _: False, _SHOWN_FOR)
        yield self._within(_SEEN.get(fault, self._is_whole), _ARMED_FOR)
        self._lift()
        if fault in _SEEN:
            self._world.try_now()

    def _is_whole(self, state: ChatState) -> bool:
        """Return whether the page is connected, and everything written is there."""
        return state.is_connected and state.caught_up and not self.result(state).lost

    def _within(self, holds: Callable[[ChatState], bool], seconds: float) -> _Wait:
        return _Wait(holds, min(self._now + seconds, self._began + LONGEST))

    def _say(self, fault: Fault | None) -> None:
        text = self._name(fault, len(self._texts) + 1)
        self._texts.append(text)
        self._world.send(text)

    def _arm(self, fault: Fault) -> None:
        self._armed.append(fault)
        self._world.arm(fault, _SLOW_SECONDS if fault is Fault.SLOW else None)

    def _lift(self) -> None:
        while self._armed:
            self._world.lift(self._armed.pop())


#: What is to be seen before a fault is lifted; of others, that all is there.
_SEEN: dict[Fault, Callable[[ChatState], bool]] = {
    Fault.REFUSE: lambda state: state.connection.attempt >= 2,
    Fault.FIREWALL: lambda state: state.connection.attempt >= 1 and state.connection.status is Status.WAITING,
    Fault.BLACK_HOLE: lambda state: not state.is_connected,
}


def key_of(fault: Fault | None) -> str:
    """Return the end of the keys of a step's texts."""
    return "nothing" if fault is None else str(fault).replace(" ", "_")


def result_words(result: Result, before: DeliveryStatistics, after: DeliveryStatistics, texts: Texts) -> str:
    """Return what the tour counted, and what delivery counted from its begin to its end."""
    counts = {"written": result.written, "stored": result.stored, "lost": result.lost, "twice": result.twice}
    found = texts("tour.whole" if result.is_whole else "tour.broken", **counts)
    names = ("acknowledged", "resent", "received", "duplicates", "fetched")
    passed = {name: getattr(after, name) - getattr(before, name) for name in names}
    return f"{found}{texts('sentences.between')}{texts('tour.counted', **passed)}"
