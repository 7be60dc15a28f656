"""The icons that are made from static/icons/kizuna.svg: `python -m tools.build.icons` writes them.

Home screens want pictures of a fixed size (PNG), and the tab's icon shows unread messages and a lost connection. The
files are committed, and a test compares them with what this module makes.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("static", "icons")
SOURCE = FOLDER / "kizuna.svg"
#: The side of the drawing, by its viewBox.
SIDE = 64
#: File -> its pixels a side, and the size of the rings in it. Systems cut a maskable one down to a circle.
PICTURES = {
    "touch-icon.png": (180, 1.0),
    "icon-192.png": (192, 1.0),
    "icon-512.png": (512, 1.0),
    "maskable-512.png": (512, 0.8),
}
#: File -> what is drawn over the icon.
MARKS = {
    "kizuna-unread.svg": '<circle cx="51" cy="13" r="12" fill="#ff5c47" stroke="#ffffff" stroke-width="3"/>',
    "kizuna-offline.svg": '<path d="M8 56 56 8" stroke="#23255c" stroke-width="14"/>'
    '<path d="M8 56 56 8" stroke="#f3c274" stroke-width="6"/>',
}

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle's line, or a part of it clockwise between two angles (radians)."""

    x: float
    y: float
    radius: float
    colour: Colour
    angles: tuple[float, float] | None = None

    def distance(self, x: float, y: float) -> float:
        """Return the distance of a point from the middle of the line; infinite beside a part."""
        dx, dy = x - self.x, y - self.y
        if self.angles is not None:
            begin, end = self.angles
            if (math.atan2(dy, dx) - begin) % math.tau > (end - begin) % math.tau:
                return math.inf
        return abs(math.hypot(dx, dy) - self.radius)


@dataclass(frozen=True, slots=True)
class Drawing:
    """The icon: a ground, and rings drawn one over the other."""

    ground: Colour
    rings: tuple[Ring, ...]
    width: float  #: of the rings' lines

    def colour_at(self, x: float, y: float, pixel: float) -> Colour:
        """Return the colour of a pixel of this side, with smooth edges."""
        colour = self.ground
        for ring in self.rings:
            share = min(1.0, max(0.0, 0.5 + (self.width / 2 - ring.distance(x, y)) / pixel))
            if share:
                colour = _mixed(colour, ring.colour, share)
        return colour


def _mixed(below: Colour, above: Colour, share: float) -> Colour:
    red, green, blue = (round(low + (high - low) * share) for low, high in zip(below, above, strict=True))
    return red, green, blue


def read_drawing(svg: str) -> Drawing:
    """Return the drawing of an SVG with the shape of kizuna.svg: a rect, circles, and arcs of the first circle."""
    fill = re.search(r'<rect [^>]*fill="(#\w{6})"', svg)
    width = re.search(r'stroke-width="([\d.]+)"', svg)
    assert fill is not None
    assert width is not None
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)" stroke="(#\w{6})"/>', svg)
    rings = [Ring(float(x), float(y), float(r), _colour(stroke)) for x, y, r, stroke in circles]
    first = rings[0]
    for path, stroke in re.findall(r'<path d="([^"]+)" stroke="(#\w{6})"/>', svg):
        numbers = [float(number) for number in re.findall(r"[\d.]+", path)]
        ends = [
            math.atan2(y - first.y, x - first.x)
            for x, y in ((numbers[0], numbers[1]), (numbers[-2], numbers[-1]))
        ]
        rings.append(Ring(first.x, first.y, first.radius, _colour(stroke), (ends[0], ends[1])))
    return Drawing(_colour(fill[1]), tuple(rings), float(width[1]))


def _colour(text: str) -> Colour:
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def rows_of(drawing: Drawing, pixels: int, scale: float) -> Iterator[bytes]:
    """Yield the rows of a picture, three bytes a pixel. ``scale``: the size of the rings in it."""
    pixel = SIDE / pixels / scale
    places = [SIDE / 2 + (number + 0.5 - pixels / 2) * pixel for number in range(pixels)]
    for y in places:
        yield bytes(channel for x in places for channel in drawing.colour_at(x, y, pixel))


def png(rows: Iterator[bytes], pixels: int) -> bytes:
    """Return a square picture as PNG (RFC 2083): 8 bits for each of three colours, no filter."""
    header = struct.pack(">IIBBBBB", pixels, pixels, 8, 2, 0, 0, 0)
    content = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def makers(root: Path) -> dict[str, Callable[[], bytes]]:
    """Return file -> a function that makes its content."""
    svg = (root / SOURCE).read_text(encoding="utf-8")
    drawing = read_drawing(svg)

    def picture(pixels: int, scale: float) -> Callable[[], bytes]:
        return lambda: png(rows_of(drawing, pixels, scale), pixels)

    def marked(mark: str) -> Callable[[], bytes]:
        return lambda: svg.replace("</svg>", f"  {mark}\n</svg>").encode()

    return {
        **{name: picture(*shape) for name, shape in PICTURES.items()},
        **{name: marked(mark) for name, mark in MARKS.items()},
    }


def main() -> None:
    """Write all icons."""
    for name, make in makers(ROOT).items():
        (ROOT / FOLDER / name).write_bytes(make())


if __name__ == "__main__":
    main()
