"""Draws horizontal bars as SVG, without any library: for the pictures of docs/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT = 860, 190, 60
ROW, GAP, TOP, BOTTOM = 22, 34, 74, 34
#: Of a reader who likes it light, and of one who likes it dark; the stages go from the first to the last.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1a1d26 }
.title { font-weight: 600; font-size: 15px }
.group { font-weight: 600 }
.axis { stroke: #c4c7d4 }
.stage0 { fill: #0f9d76 } .stage1 { fill: #4b3fb5 } .stage2 { fill: #a99fe8 }
@media (prefers-color-scheme: dark) {
  text { fill: #e8e9f0 } .axis { stroke: #4a4e5c } .stage1 { fill: #8478f0 } .stage2 { fill: #5b53a0 }
}
"""


@dataclass(frozen=True)
class Row:
    """One bar: where each of its stages ends, None for a stage that it does not have. They grow."""

    name: str
    ends: Sequence[float | None]


@dataclass(frozen=True)
class Group:
    """Bars under one heading."""

    name: str
    rows: Sequence[Row]


def step(greatest: float) -> float:
    """A round distance between the lines of an axis, of which there are then at most ten."""
    rough = max(greatest, 1e-9) / 10
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)


def drawing(title: str, stages: Sequence[str], groups: Sequence[Group]) -> str:
    """The picture: at most three stages, all bars on one axis that begins at zero."""
    greatest = max((end for group in groups for row in group.rows for end in row.ends if end), default=1.0)
    scale = (WIDTH - LEFT - RIGHT) / greatest
    parts, y = [], TOP
    for group in groups:
        parts.append(_text(12, y + 15, group.name, "group"))
        y += ROW
        for row in group.rows:
            parts += _bar(row, y, scale)
            y += ROW
        y += GAP - ROW
    axis = _axis(greatest, scale, y)
    height = y + BOTTOM
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height}">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        _text(12, 24, title, "title"),
        *_legend(stages),
    ]
    return "\n".join([*head, *axis, *parts, "</svg>", ""])


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    shape = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{shape}>{escape(words)}</text>'


def _legend(stages: Sequence[str]) -> list[str]:
    parts, x = [], 12.0
    for number, stage in enumerate(stages):
        parts.append(f'<rect class="stage{number}" x="{x:.1f}" y="40" width="12" height="12"/>')
        parts.append(_text(x + 18, 51, f"until {stage}"))
        x += 40 + 8 * len(f"until {stage}")
    return parts


def _bar(row: Row, y: float, scale: float) -> list[str]:
    parts, start = [_text(LEFT - 8, y + 15, row.name, anchor="end")], 0.0
    for number, end in enumerate(row.ends):
        if end is None:
            continue
        width = max(0.0, end - start) * scale
        shape = f'x="{LEFT + start * scale:.1f}" y="{y + 4}" width="{width:.1f}" height="{ROW - 8}"'
        parts.append(f'<rect class="stage{number}" {shape}/>')
        start = max(start, end)
    parts.append(_text(LEFT + start * scale + 6, y + 15, f"{start:.2f}"))
    return parts


def _axis(greatest: float, scale: float, bottom: float) -> list[str]:
    parts, distance = [], step(greatest)
    for number in range(int(greatest / distance) + 1):
        x = LEFT + number * distance * scale
        parts.append(f'<line class="axis" x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(_text(x, bottom + 18, f"{number * distance:g}", anchor="middle"))
    return parts
