"""The form in which a snapshot is sent: half of Python's memory is empty, and what is empty need not travel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

#: The unit of WebAssembly's memory; smaller ones would save next to nothing.
PAGE_BYTES = 65_536

#: Where a stretch begins in the memory, and how long it is.
Stretch = tuple[int, int]


def packed(memory: bytes) -> tuple[bytes, list[Stretch]]:
    """The pages that are not empty, one after the other, and where each stretch of them belongs."""
    starts = range(0, len(memory), PAGE_BYTES)
    stretches = []
    for is_full, group in groupby(starts, key=lambda start: any(memory[start : start + PAGE_BYTES])):
        if is_full:
            pages = list(group)
            stretches.append((pages[0], min(pages[-1] + PAGE_BYTES, len(memory)) - pages[0]))
    return b"".join(memory[start : start + length] for start, length in stretches), stretches


def unpacked(content: bytes, stretches: Sequence[Stretch], size: int) -> bytes:
    """The memory again, as static/boot/interpreter.js lays it out."""
    memory = bytearray(size)
    position = 0
    for start, length in stretches:
        memory[start : start + length] = content[position : position + length]
        position += length
    return bytes(memory)
