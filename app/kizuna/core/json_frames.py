"""The reader of JSON texts, with a limit of nesting.

Python's JSON reader calls itself for every level of nesting. On CPython too many levels raise RecursionError; on
WebAssembly the stack overflows first, which ends the whole interpreter. So the depth is checked before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

#: Levels of nesting that a frame may have: this project's need three.
MAX_DEPTH = 64

_OUTSIDE_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?|([\[{])|([\]}])', re.DOTALL)


class NotAFrame(ValueError):
    """The text is not JSON, or not the kind of value that was expected."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse)
#: Reads one value at a place. ``decode()`` looks for space around it by two regular expressions, a third of its time.
_scan = _decoder.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NotAFrame("not UTF-8") from None


def _no_text(data: bytes) -> NoReturn:
    raise NotAFrame("a binary frame")


def _reader(kind: type, text_of: Callable[[bytes], str]) -> Callable[[str | bytes], Any]:
    """Return a reader of values of this kind. It is one function, since a call costs a sixth of reading a frame."""

    def read(data: str | bytes) -> Any:
        text = data if isinstance(data, str) else text_of(data)
        # Nearly every frame has few brackets: counting costs nothing.
        if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(text):
            raise NotAFrame(f"nested more than {MAX_DEPTH} levels deep")
        try:
            value, end = _scan(text, 0)
        except (StopIteration, ValueError):
            end = -1
        if end != len(text):  # there is space around it, or something is wrong with it
            value = _decode(text)
        if not isinstance(value, kind):
            raise NotAFrame("not a JSON object")
        return value

    return read


#: Return the JSON object in a text. Raise NotAFrame if it is something else, or nested more than MAX_DEPTH levels deep.
read_frame: Callable[[str | bytes], dict[str, Any]] = _reader(dict, _no_text)
#: Return the JSON value in a text, or in bytes of UTF-8. Raise NotAFrame as read_frame() does.
read_value = _reader(object, _utf8)


def _decode(text: str) -> Any:
    try:
        return _decoder.decode(text)
    except ValueError as error:
        raise NotAFrame(f"not valid JSON: {error}") from None


def _is_too_deep(text: str) -> bool:
    depth = 0
    for match in _OUTSIDE_STRINGS.finditer(text):
        if match[1]:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif match[2]:
            depth -= 1
    return False
