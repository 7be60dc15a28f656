"""The packed form of a snapshot, without the empty half of Python's memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

#: The unit of WebAssembly's memory; smaller ones would save hardly anything.
PAGE_BYTES = 65_536

#: The start of a stretch in the memory, and its length.
Stretch = tuple[int, int]


def packed(memory: bytes) -> tuple[bytes, list[Stretch]]:
    """Return the pages that are not empty, joined, and the stretches to which they belong."""
    starts = range(0, len(memory), PAGE_BYTES)
    stretches = []
    for is_full, group in groupby(starts, key=lambda start: any(memory[start : start + PAGE_BYTES])):
        if is_full:
            pages = list(group)
            stretches.append((pages[0], min(pages[-1] + PAGE_BYTES, len(memory)) - pages[0]))
    return b"".join(memory[start : start + length] for start, length in stretches), stretches


def unpacked(content: bytes, stretches: Sequence[Stretch], size: int) -> bytes:
    """Return the memory, as static/boot/interpreter.js does."""
    memory = bytearray(size)
    position = 0
    for start, length in stretches:
        memory[start : start + length] = content[position : position + length]
        position += length
    return bytes(memory)
