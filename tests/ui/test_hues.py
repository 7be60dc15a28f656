"""The colours of people keep their contrast in every mode, computed from the style sheets."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from ui.messages.avatars import HUES

CSS = Path(__file__).parents[2] / "static" / "css"
MESSAGES = (CSS / "messages.css").read_text(encoding="utf-8")
TOKENS = (CSS / "tokens.css").read_text(encoding="utf-8")
#: What WCAG asks of text.
CONTRAST = 4.5

Colour = tuple[float, float, float]
_OKLCH = r"oklch\((\d+)% ([\d.]+) var\(--hue\)\)"


def hues() -> dict[int, int]:
    """Return number -> degrees, as the style sheet has them."""
    found = re.findall(r'\[data-hue="(\d+)"\] \{ --hue: (\d+); \}', MESSAGES)
    return {int(number): int(degrees) for number, degrees in found}


def rule(selector: str, name: str) -> list[tuple[float, float]]:
    """Return lightness and chroma of a property in light and dark mode."""
    body = re.search(rf"^{re.escape(selector)} {{\n(.*?)^}}", MESSAGES, re.MULTILINE | re.DOTALL)
    assert body is not None, selector
    value = re.search(rf"^  {name}: light-dark\({_OKLCH}, {_OKLCH}\);", body[1], re.MULTILINE)
    assert value is not None, f"{selector} has no {name} for both modes"
    numbers = [float(number) for number in value.groups()]
    return [(numbers[0] / 100, numbers[1]), (numbers[2] / 100, numbers[3])]


def token(name: str) -> list[Colour]:
    """Return a colour of tokens.css in light and dark mode."""
    value = re.search(rf"--{name}: light-dark\((#\w{{6}}), (#\w{{6}})\);", TOKENS)
    assert value is not None, name
    return [linear_of(value[1]), linear_of(value[2])]


def linear_of(text: str) -> Colour:
    red, green, blue = (int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return _decoded(red), _decoded(green), _decoded(blue)


def _decoded(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def linear(lightness: float, chroma: float, degrees: float) -> Colour:
    """Return linear sRGB of an OKLCH colour, clipped to what a screen shows."""
    a, b = chroma * math.cos(math.radians(degrees)), chroma * math.sin(math.radians(degrees))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    clipped = [min(1.0, max(0.0, value)) for value in (red, green, blue)]
    return clipped[0], clipped[1], clipped[2]


def contrast(one: Colour, other: Colour) -> float:
    lights = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (one, other))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def test_there_are_24_hues_15_degrees_apart():
    assert hues() == {number: 15 * number for number in range(HUES)}
    assert HUES == 24


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("degrees", range(0, 360, 15))
def test_each_hue_can_be_read(mode: int, degrees: int):
    name = linear(*rule(".byline", "color")[mode], degrees)
    assert contrast(name, token("ground")[mode]) >= CONTRAST
    letter, disc = (linear(*rule(".avatar", each)[mode], degrees) for each in ("color", "background"))
    assert contrast(letter, disc) >= CONTRAST


def test_more_contrast_and_forced_colours_take_the_colours_of_text():
    more = MESSAGES[MESSAGES.index("@media (prefers-contrast: more)") :]
    assert re.search(r"\.byline \{\s+color: var\(--text\);", more)
    forced = MESSAGES[MESSAGES.index("@media (forced-colors: active)") :]
    assert re.search(r"\.byline,\s+\.avatar \{\s+background: Canvas;\s+color: CanvasText;", forced)


def test_the_contrast_of_known_colours_is_the_known_one():
    white, black = linear_of("#ffffff"), linear_of("#000000")
    assert contrast(white, black) == pytest.approx(21)
    assert contrast(linear(1, 0, 0), linear(0, 0, 0)) == pytest.approx(21, rel=0.01)
    assert linear(0.627955, 0.257683, 29.234) == pytest.approx((1.0, 0.0, 0.0), abs=0.001)
