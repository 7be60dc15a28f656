"""A chart of lines with logarithmic axes, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 220, 40, 50


class Line(NamedTuple):
    """A named line through points (x, y), all positive. ``dashed_to``: a point beyond the last one, of which only a
    lower bound is known."""

    name: str
    colour: str
    points: Sequence[tuple[float, float]]
    dashed_to: tuple[float, float] | None = None


def line_chart(title: str, x_name: str, y_name: str, lines: Sequence[Line]) -> str:
    """Return the chart, dark on white in every colour scheme."""
    scale = _Scale([point for line in lines for point in _points(line)])
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
            '<g font-family="sans-serif" font-size="12" fill="#1a1d26">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
            *scale.grid(),
            f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_name)}</text>',
            f'<text x="10" y="{TOP - 8}">{escape(y_name)}</text>',
            *(part for number, line in enumerate(lines) for part in _drawn(line, number, scale)),
            "</g></svg>\n",
        ]
    )


def _points(line: Line) -> list[tuple[float, float]]:
    return [*line.points, *([line.dashed_to] if line.dashed_to else [])]


class _Scale:
    """The place of a value: whole powers of ten from the least to the greatest."""

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        self._ranges = [
            (floor(log10(min(values))), max(ceil(log10(max(values))), floor(log10(min(values))) + 1))
            for values in zip(*points, strict=True)
        ]

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the place of a point."""
        (x_low, x_high), (y_low, y_high) = self._ranges
        right, up = (log10(x) - x_low) / (x_high - x_low), (log10(y) - y_low) / (y_high - y_low)
        place = LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)
        return round(place[0], 1), round(place[1], 1)

    def grid(self) -> Iterator[str]:
        """Yield a line and a number for each power of ten."""
        (x_low, x_high), (y_low, y_high) = self._ranges
        for power in range(x_low, x_high + 1):
            x, y = self.at(10.0**power, 10.0**y_low)
            yield f'<path d="M{x} {TOP}V{y}" stroke="#dcdee6"/>'
            yield f'<text x="{x}" y="{y + 16}" text-anchor="middle">{10.0**power:,g}</text>'
        for power in range(y_low, y_high + 1):
            x, y = self.at(10.0**x_low, 10.0**power)
            yield f'<path d="M{x} {y}H{WIDTH - RIGHT}" stroke="#dcdee6"/>'
            yield f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{10.0**power:,g}</text>'


def _drawn(line: Line, number: int, scale: _Scale) -> Iterator[str]:
    stroke = f'stroke="{line.colour}" stroke-width="2" fill="none"'
    places = [scale.at(*point) for point in line.points]
    if places:
        yield f'<path d="M{" L".join(f"{x} {y}" for x, y in places)}" {stroke}/>'
        yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{line.colour}"/>' for x, y in places)
    if line.dashed_to:
        x, y = scale.at(*line.dashed_to)
        start = places[-1] if places else (x, y)
        yield f'<path d="M{start[0]} {start[1]} L{x} {y}" stroke-dasharray="5 4" {stroke}/>'
        yield f'<path d="M{x - 5} {y + 5}L{x} {y - 4}L{x + 5} {y + 5}" {stroke}/>'
    y = TOP + 10 + 22 * number
    yield f'<path d="M{WIDTH - RIGHT + 15} {y}h22" {stroke}/>'
    yield f'<text x="{WIDTH - RIGHT + 43}" y="{y + 4}">{escape(line.name)}</text>'
