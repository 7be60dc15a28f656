"""Rules of the field that one writes in."""

from __future__ import annotations

from chat.protocol import MAX_CONTENT_BYTES

IME_KEY_CODE = 229  #: WebKit reports the Enter that ends a composition after its end, but with this code
_COUNTED_FROM = MAX_CONTENT_BYTES * 3 // 4
_MOST_BYTES_PER_CHARACTER = 4


def sends(key: str, *, shift: bool, other_modifier: bool, composing: bool, key_code: int) -> bool:
    """Whether this key sends the message: Enter alone, and never an input method's Enter."""
    return key == "Enter" and not (shift or other_modifier or composing or key_code == IME_KEY_CODE)


def to_send(text: str) -> str:
    """What is sent of what was typed: without empty lines around it and spaces behind it. May be empty."""
    return text.strip("\n").rstrip() if text.strip() else ""


def bytes_left(text: str) -> int | None:
    """How many bytes more the message may take, negative when it is too long; None while that is far away."""
    if len(text) * _MOST_BYTES_PER_CHARACTER < _COUNTED_FROM:
        return None
    size = len(text.encode("utf-8", "surrogatepass"))
    return MAX_CONTENT_BYTES - size if size >= _COUNTED_FROM else None
