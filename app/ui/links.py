"""Links in what people say: web addresses only, found in plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINK = re.compile(r"\b(?:https?://|mailto:)[^\s<>\"'`{}|\\^\u3000-\u303f\uff01-\uff60]+", re.IGNORECASE)
_CLOSING = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text; ``link`` is set when it is an address."""

    text: str
    link: str | None = None


def pieces(text: str) -> list[Piece]:
    """``text`` in pieces that together are ``text`` again."""
    found: list[Piece] = []
    at = 0
    for match in _LINK.finditer(text):
        address = _without_punctuation(match[0])
        if address.rstrip("/").endswith(":"):  # "https://" and nothing behind it
            continue
        if match.start() > at:
            found.append(Piece(text[at : match.start()]))
        found.append(Piece(address, address))
        at = match.start() + len(address)
    if at < len(text) or not found:
        found.append(Piece(text[at:]))
    return found


def _without_punctuation(address: str) -> str:
    """A full stop ends the sentence, not the address; a bracket belongs to it only if it was opened in it."""
    while address:
        last = address[-1]
        if last in ".,:;!?*_~" or (last in _CLOSING and address.count(last) > address.count(_CLOSING[last])):
            address = address[:-1]
        else:
            break
    return address
