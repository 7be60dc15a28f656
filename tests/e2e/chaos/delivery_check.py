"""Checks that every message was delivered once and in order to everybody: pure functions over lists.

At the end each screen is compared with the server's log. During the faults a screen can only be compared with itself
and with what other screens have shown at the same sequence numbers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Self

#: Complaints of a kind that are printed; the rest is counted.
MAX_PRINTED = 12


@dataclass(frozen=True, slots=True)
class Typed:
    """A text that was typed into a composer. If it is not known to have left it, it may have been sent or not."""

    text: str
    thread: str  #: texts of one thread must keep the order in which they were typed
    left: bool = False


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A message on a screen or in the log. Without ``seq`` it is pending."""

    text: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Complaints by kind."""

    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    out_of_order: tuple[str, ...] = ()
    different: tuple[str, ...] = ()  #: one screen shows what the log or another screen has not
    other: tuple[str, ...] = ()  #: a page reported a problem, or nothing was tested

    @property
    def ok(self) -> bool:
        """Whether there is no complaint."""
        return not any(getattr(self, field.name) for field in fields(self))

    def __add__(self, more: Self) -> CheckResult:
        return CheckResult(*(getattr(self, field.name) + getattr(more, field.name) for field in fields(self)))

    def __str__(self) -> str:
        counts = ", ".join(f"{_name(field.name)} {len(getattr(self, field.name))}" for field in fields(self))
        lines = [f"{'ok' if self.ok else 'FAILED'}: {counts}"]
        for field in fields(self):
            complaints: tuple[str, ...] = getattr(self, field.name)
            lines += [f"  {_name(field.name)}: {complaint}" for complaint in complaints[:MAX_PRINTED]]
            if len(complaints) > MAX_PRINTED:
                lines.append(f"  {_name(field.name)}: and {len(complaints) - MAX_PRINTED} more")
        return "\n".join(lines)


def check(
    typed: Sequence[Typed], log: Sequence[LogEntry], screens: Mapping[str, Sequence[LogEntry]]
) -> CheckResult:
    """Check the end of a run: every screen equals the log, and the log is what was typed."""
    result = _missing(typed, log) + check_log(typed, log)
    for name, screen in screens.items():
        result += check_screen(name, screen) + _compare(name, screen, log)
    return result


def check_log(typed: Sequence[Typed], log: Sequence[LogEntry]) -> CheckResult:
    """Check a log that may be incomplete: a text is lost if a later one of its thread is in the log."""
    place = {text.text: number for number, text in enumerate(typed)}
    times = Counter(line.text for line in log)
    last: dict[str, int] = defaultdict(lambda: -1)  # of each thread: the latest text that the log has so far
    disorder = []
    for line in log:
        number = place.get(line.text)
        if number is None or times[line.text] > 1:
            continue
        thread = typed[number].thread
        if number < last[thread]:
            disorder.append(f"in the log {line.text!r} follows {typed[last[thread]].text!r}, typed later")
        last[thread] = max(last[thread], number)
    return CheckResult(
        lost=tuple(
            f"{text.text!r} left its composer; the log has {typed[last[text.thread]].text!r}, typed later, not it"
            for number, text in enumerate(typed)
            if text.left and number < last[text.thread] and not times[text.text]
        ),
        duplicated=tuple(f"{text!r} is in the log {n} times" for text, n in times.items() if n > 1),
        out_of_order=tuple(disorder),
        different=tuple(f"the log has {text!r}, which nobody typed" for text in times if text not in place),
    )


def check_screen(name: str, screen: Sequence[LogEntry]) -> CheckResult:
    """Check a screen by itself: each text once, sequence numbers ascending without a gap."""
    times = Counter(line.text for line in screen)
    places = [(line.seq, line.text) for line in screen if line.seq is not None]
    return CheckResult(
        lost=tuple(
            f"{name}'s screen lacks {_span(before + 1, after - 1)}, between {earlier!r} and {later!r}"
            for (before, earlier), (after, later) in pairwise(places)
            if after > before + 1
        ),
        duplicated=tuple(f"{name}'s screen has {text!r} {n} times" for text, n in times.items() if n > 1),
        out_of_order=tuple(
            f"on {name}'s screen {later!r} ({after}) follows {earlier!r} ({before})"
            for (before, earlier), (after, later) in pairwise(places)
            if after < before
        ),
    )


class ObservedLog:
    """The log as far as the screens have shown it: the text at each sequence number."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._different: dict[int, str] = {}

    def add(self, name: str, screen: Iterable[LogEntry]) -> None:
        """Add what a screen shows."""
        for line in screen:
            if line.seq is None:
                continue
            known = self._texts.setdefault(line.seq, line.text)
            if known != line.text:
                self._different[line.seq] = (
                    f"at {line.seq} {name}'s screen has {line.text!r}, another {known!r}"
                )

    def check(self, typed: Sequence[Typed]) -> CheckResult:
        """Check the beginning of the log that is known without a gap."""
        log: list[LogEntry] = []
        while (seq := len(log) + 1) in self._texts:
            log.append(LogEntry(self._texts[seq], seq))
        return check_log(typed, log) + CheckResult(different=tuple(self._different.values()))


def _missing(typed: Sequence[Typed], log: Sequence[LogEntry]) -> CheckResult:
    """Return texts that the log lacks, except those that check_log finds by a later text of their thread."""
    there = {line.text for line in log}
    last = {text.thread: number for number, text in enumerate(typed) if text.text in there}
    return CheckResult(
        lost=tuple(
            f"{text.text!r} left its composer and is not in the log"
            for number, text in enumerate(typed)
            if text.left and text.text not in there and number > last.get(text.thread, -1)
        )
    )


def _compare(name: str, screen: Sequence[LogEntry], log: Sequence[LogEntry]) -> CheckResult:
    """Compare a screen with the log at its two ends (check_screen finds gaps), and find what the log has not."""
    seqs = [line.seq for line in screen if line.seq is not None]
    ends = [line for line in log if not seqs or not min(seqs) <= (line.seq or 0) <= max(seqs)]
    there = set(log)
    return CheckResult(
        lost=tuple(f"{name}'s screen lacks {line.text!r} ({line.seq})" for line in ends),
        different=tuple(
            f"{name}'s screen has {line.text!r} ({line.seq or 'waiting'}), the log has not"
            for line in screen
            if line not in there
        ),
    )


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _name(field: str) -> str:
    return field.replace("_", " ")
