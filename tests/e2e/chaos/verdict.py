"""Was everything delivered exactly once, in order, to everybody? Pure: lists come in, complaints come out.

The server's log is the truth. A screen is compared with it at the end; while things are breaking a screen can only
be compared with itself and with what other screens have shown at the same places.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Self

#: So many complaints of a kind are written out; the rest is counted.
WRITTEN_OUT = 12


@dataclass(frozen=True, slots=True)
class Typed:
    """A text that was put into a composer. One that is not known to have left it may or may not have been sent."""

    text: str
    thread: str  #: texts of one thread must stand in the order typed
    left: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A message on a screen or in the log. Without ``seq`` it waits for the server."""

    text: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, in sentences, by kind."""

    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    out_of_order: tuple[str, ...] = ()
    different: tuple[str, ...] = ()  #: one screen shows what the log or another screen does not have
    other: tuple[str, ...] = ()  #: a page that does not come back, or complains

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not any(getattr(self, field.name) for field in fields(self))

    def __add__(self, more: Self) -> Verdict:
        return Verdict(*(getattr(self, field.name) + getattr(more, field.name) for field in fields(self)))

    def __str__(self) -> str:
        counts = ", ".join(f"{_name(field.name)} {len(getattr(self, field.name))}" for field in fields(self))
        lines = [f"{'holds' if self.holds else 'BROKEN'}: {counts}"]
        for field in fields(self):
            complaints: tuple[str, ...] = getattr(self, field.name)
            lines += [f"  {_name(field.name)}: {complaint}" for complaint in complaints[:WRITTEN_OUT]]
            if len(complaints) > WRITTEN_OUT:
                lines.append(f"  {_name(field.name)}: and {len(complaints) - WRITTEN_OUT} more")
        return "\n".join(lines)


def judge(typed: Sequence[Typed], log: Sequence[Line], screens: Mapping[str, Sequence[Line]]) -> Verdict:
    """At the end, when nothing breaks and nothing waits any more: every screen is the log, and the log is what was
    typed."""
    verdict = _missing(typed, log) + judge_log(typed, log)
    for name, screen in screens.items():
        verdict += judge_screen(name, screen) + _compare(name, screen, log)
    return verdict


def judge_log(typed: Sequence[Typed], log: Sequence[Line]) -> Verdict:
    """What is wrong with a log, also with one that is not complete yet: a thread's texts follow one another, so a
    text is lost when a later one of its thread is in the log."""
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
    return Verdict(
        lost=tuple(
            f"{text.text!r} left its composer; the log has {typed[last[text.thread]].text!r}, typed later, not it"
            for number, text in enumerate(typed)
            if text.left and number < last[text.thread] and not times[text.text]
        ),
        duplicated=tuple(f"{text!r} is in the log {n} times" for text, n in times.items() if n > 1),
        out_of_order=tuple(disorder),
        different=tuple(f"the log has {text!r}, which nobody typed" for text in times if text not in place),
    )


def judge_screen(name: str, screen: Sequence[Line]) -> Verdict:
    """What is wrong with a screen by itself, at any moment: a text stands once, places ascend without a gap."""
    times = Counter(line.text for line in screen)
    places = [(line.seq, line.text) for line in screen if line.seq is not None]
    return Verdict(
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


class Gathered:
    """Responsible for the log as the screens have shown it so far: each place, and what stood there."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._different: dict[int, str] = {}

    def add(self, name: str, screen: Iterable[Line]) -> None:
        """Another look at a screen."""
        for line in screen:
            if line.seq is None:
                continue
            known = self._texts.setdefault(line.seq, line.text)
            if known != line.text:
                self._different[line.seq] = (
                    f"at {line.seq} {name}'s screen has {line.text!r}, another {known!r}"
                )

    def judge(self, typed: Sequence[Typed]) -> Verdict:
        """What is wrong so far with the beginning of the log that is known without a gap."""
        log: list[Line] = []
        while (seq := len(log) + 1) in self._texts:
            log.append(Line(self._texts[seq], seq))
        return judge_log(typed, log) + Verdict(different=tuple(self._different.values()))


def _missing(typed: Sequence[Typed], log: Sequence[Line]) -> Verdict:
    """What the log lacks; what a later text of its thread gives away is told by judge_log."""
    there = {line.text for line in log}
    last = {text.thread: number for number, text in enumerate(typed) if text.text in there}
    return Verdict(
        lost=tuple(
            f"{text.text!r} left its composer and is not in the log"
            for number, text in enumerate(typed)
            if text.left and text.text not in there and number > last.get(text.thread, -1)
        )
    )


def _compare(name: str, screen: Sequence[Line], log: Sequence[Line]) -> Verdict:
    """What a screen lacks at its two ends (its gaps are told already), and what it has that the log has not."""
    seqs = [line.seq for line in screen if line.seq is not None]
    ends = [line for line in log if not seqs or not min(seqs) <= (line.seq or 0) <= max(seqs)]
    there = set(log)
    return Verdict(
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
