"""What is empty in a snapshot does not travel, and is there again where it arrives."""

from __future__ import annotations

import pytest

from tools.build.snapshot import PAGE_BYTES, packed, unpacked

EMPTY, FULL, NEARLY = bytes(PAGE_BYTES), b"x" * PAGE_BYTES, bytes(PAGE_BYTES - 1) + b"x"


@pytest.mark.parametrize(
    ("memory", "sent"),
    [
        (FULL + EMPTY + FULL, FULL + FULL),
        (EMPTY + NEARLY + EMPTY, NEARLY),
        (FULL + NEARLY + EMPTY * 3 + b"end", FULL + NEARLY + b"end"),
        (EMPTY, b""),
        (b"", b""),
        (b"\0\0x", b"\0\0x"),
    ],
)
def test_only_full_pages_are_sent_and_all_arrives(memory: bytes, sent: bytes):
    content, stretches = packed(memory)
    assert content == sent
    assert unpacked(content, stretches, len(memory)) == memory


def test_neighbouring_pages_are_one_stretch():
    assert packed(EMPTY + FULL * 3 + EMPTY + FULL)[1] == [
        (PAGE_BYTES, 3 * PAGE_BYTES),
        (5 * PAGE_BYTES, PAGE_BYTES),
    ]
