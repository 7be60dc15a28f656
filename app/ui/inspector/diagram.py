"""The geometry of the state diagram: ten statuses on a ring, and an arrow for each way from one to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import hypot

from kizuna import Status, Transition

WIDTH, HEIGHT = 360, 234
#: Half of a box.
HALF_WIDTH, HALF_HEIGHT = 47, 13
_CENTRE = (WIDTH / 2, HEIGHT / 2)

#: The middle of each box: nothing lies inside of the ring but arrows.
PLACES: Mapping[Status, tuple[float, float]] = {
    Status.IDLE: (60, 16),
    Status.CONNECTING: (180, 16),
    Status.CONNECTED: (300, 16),
    Status.SUSPECT: (310, 84),
    Status.WAITING: (310, 150),
    Status.OFFLINE: (300, 218),
    Status.EXHAUSTED: (180, 218),
    Status.SUSPENDED: (60, 218),
    Status.CLOSED: (50, 150),
    Status.REJECTED: (50, 84),
}
#: How far an arrow bends to the centre, as a share of the way there, and away from the opposite one, in units.
_BEND, _APART = 0.5, 7.0
_HEAD = 6.0


@dataclass(frozen=True, slots=True)
class Arrow:
    """One arrow, as the data of two SVG paths: the line and its head."""

    source: Status
    target: Status
    line: str
    head: str


def arrows(transitions: Iterable[Transition]) -> list[Arrow]:
    """Return an arrow for each pair of different statuses that a transition joins."""
    pairs = dict.fromkeys(
        (each.source, each.target) for each in transitions if each.source is not each.target
    )
    return [_arrow(source, target) for source, target in pairs]


def ways_from(status: Status, transitions: Iterable[Transition]) -> list[Status]:
    """Return the statuses that may follow."""
    return list(
        dict.fromkeys(each.target for each in transitions if each.source is status is not each.target)
    )


def _arrow(source: Status, target: Status) -> Arrow:
    start, end = PLACES[source], PLACES[target]
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    length = hypot(end[0] - start[0], end[1] - start[1])
    beside = ((end[1] - start[1]) / length * _APART, (start[0] - end[0]) / length * _APART)
    bend = tuple(
        at + (centre - at) * _BEND + aside for at, centre, aside in zip(middle, _CENTRE, beside, strict=True)
    )
    first, last = _edge(start, (bend[0], bend[1])), _edge(end, (bend[0], bend[1]))
    line = f"M{_pair(first)}Q{_pair((bend[0], bend[1]))} {_pair(last)}"
    return Arrow(source, target, line, _head((bend[0], bend[1]), last))


def _edge(box: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Return where the line from the middle of a box leaves it."""
    across, down = towards[0] - box[0], towards[1] - box[1]
    share = min(
        HALF_WIDTH / abs(across) if across else 1.0,
        HALF_HEIGHT / abs(down) if down else 1.0,
    )
    return box[0] + across * share, box[1] + down * share


def _head(come_from: tuple[float, float], tip: tuple[float, float]) -> str:
    length = hypot(tip[0] - come_from[0], tip[1] - come_from[1])
    along = ((tip[0] - come_from[0]) / length * _HEAD, (tip[1] - come_from[1]) / length * _HEAD)
    left = (tip[0] - along[0] - along[1] / 2, tip[1] - along[1] + along[0] / 2)
    right = (tip[0] - along[0] + along[1] / 2, tip[1] - along[1] - along[0] / 2)
    return f"M{_pair(tip)}L{_pair(left)}L{_pair(right)}Z"


def _pair(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
