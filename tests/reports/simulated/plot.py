"""Line charts as SVG, by hand: the share of clients that are connected again, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 260  #: of one panel
LEFT, TOP, RIGHT, BOTTOM = 56, 34, 216, 40
FONT = 'font-family="system-ui, sans-serif" font-size="11" fill="#212529"'
#: Ours first. Told apart by dashes too, for those who see no colours.
STYLES = (
    ("#c2255c", ""),
    ("#c2255c", "6 3"),
    ("#c2255c", "2 3"),
    ("#495057", "2 3"),
    ("#e8590c", ""),
    ("#1971c2", ""),
    ("#495057", "8 3"),
    ("#2f9e44", ""),
    ("#6741d9", ""),
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: lines by name, each from 0 to 1 over seconds."""

    title: str
    seconds: float
    lines: Mapping[str, Sequence[tuple[float, float]]]


def picture(panels: Sequence[Panel]) -> str:
    """All panels, one below the other."""
    height = HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for index, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {HEIGHT * index})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> list[str]:
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = [f'<text x="{LEFT}" y="20" font-size="13" font-weight="600">{escape(panel.title)}</text>']
    for percent in (0, 25, 50, 75, 100):
        y = TOP + high * (1 - percent / 100)
        parts += [
            f'<path d="M{LEFT} {y:.1f}h{wide}" stroke="#dee2e6"/>',
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>',
        ]
    for step in range(7):
        x = LEFT + wide * step / 6
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - 20}" text-anchor="middle">{panel.seconds * step / 6:g} s</text>'
        )
    for index, ((name, line), (colour, dashes)) in enumerate(zip(panel.lines.items(), STYLES, strict=False)):
        stroke = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"'
        points = " ".join(
            f"{LEFT + wide * x / panel.seconds:.1f},{TOP + high * (1 - min(y, 1.0)):.1f}" for x, y in line
        )
        y = TOP + 8 + 20 * index
        parts += [
            f'<polyline points="{points}" {stroke}/>',
            f'<path d="M{WIDTH - RIGHT + 14} {y}h26" {stroke}/>',
            f'<text x="{WIDTH - RIGHT + 48}" y="{y + 4}">{escape(name)}</text>',
        ]
    return parts
