"""The icons in the tree are those that the tool makes, and the manifest names icons that exist."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import pytest

from tools.build.icons import FOLDER, MARKS, PICTURES, makers
from tools.build.site import IN_MANIFEST, MANIFEST

ROOT = Path(__file__).parents[3]
MADE = json.loads((ROOT / "static" / MANIFEST).read_text(encoding="utf-8"))


def size_and_pixels(png: bytes) -> tuple[tuple[int, int], bytes]:
    """Return the content of a PNG with one chunk of data: compressors differ, pictures do not."""
    begin = png.index(b"IDAT")
    (length,) = struct.unpack(">I", png[begin - 4 : begin])
    return struct.unpack(">II", png[16:24]), zlib.decompress(png[begin + 4 : begin + 4 + length])


@pytest.mark.parametrize("name", ["touch-icon.png", "icon-192.png"])
def test_a_picture_in_the_tree_is_the_one_that_is_made(name: str):
    made, committed = makers(ROOT)[name](), (ROOT / FOLDER / name).read_bytes()
    assert size_and_pixels(made) == size_and_pixels(committed)


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_has_the_size_that_it_is_named_for(name: str):
    pixels = PICTURES[name][0]
    assert size_and_pixels((ROOT / FOLDER / name).read_bytes())[0] == (pixels, pixels)


@pytest.mark.parametrize("name", MARKS)
def test_a_marked_icon_in_the_tree_is_the_one_that_is_made(name: str):
    assert (ROOT / FOLDER / name).read_bytes() == makers(ROOT)[name]()


def test_the_rings_of_a_maskable_icon_are_in_the_shown_circle():
    (side, _), pixels = size_and_pixels((ROOT / FOLDER / "maskable-512.png").read_bytes())
    ground = pixels[1:4]
    row_length = 1 + 3 * side
    for y in range(0, side, 4):
        for x in range(0, side, 4):
            at = y * row_length + 1 + 3 * x
            if (x - side / 2) ** 2 + (y - side / 2) ** 2 > (0.4 * side) ** 2:
                assert pixels[at : at + 3] == ground


def test_the_manifest_names_icons_that_exist_and_can_be_installed():
    assert [icon["src"] for icon in MADE["icons"]] == list(IN_MANIFEST)
    for icon in MADE["icons"]:
        assert (ROOT / "static" / icon["src"]).is_file()
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in MADE["icons"]}
    assert [icon["purpose"] for icon in MADE["icons"] if "purpose" in icon] == ["maskable"]
    assert MADE["start_url"] == MADE["scope"] == "../", "the page's folder, from static/ and from assets/"
