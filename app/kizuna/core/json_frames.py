"""The reader of text frames: one JSON object, with a limit of nesting.

Python's JSON reader calls itself for every level of nesting. On CPython too many levels raise RecursionError; on
WebAssembly the stack overflows first, which ends the whole interpreter. So the depth is checked before.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

#: Levels of nesting that a frame may have: this project's need three.
MAX_DEPTH = 64

_OUTSIDE_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?|([\[{])|([\]}])', re.DOTALL)


class NotAFrame(ValueError):
    """The text is not one JSON object."""


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse)
#: Reads one value at a place. ``decode()`` looks for space around it by two regular expressions, a third of its time.
_scan = _decoder.scan_once  # type: ignore[attr-defined]  # typeshed leaves it out


def read_frame(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``.

    Raises:
        NotAFrame: It is something else, or nested more than MAX_DEPTH levels deep.
    """
    # Nearly every frame has few brackets: counting costs nothing.
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_too_deep(text):
        raise NotAFrame(f"nested more than {MAX_DEPTH} levels deep")
    try:
        frame, end = _scan(text, 0)
    except (StopIteration, ValueError):
        end = -1
    if end != len(text):  # there is space around it, or something is wrong with it
        frame = _decode(text)
    if not isinstance(frame, dict):
        raise NotAFrame("not a JSON object")
    return frame


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
