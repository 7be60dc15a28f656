"""The reader of text frames: one JSON object, with a limit of nesting.

Python's JSON reader calls itself for every level of nesting. On CPython too many levels raise RecursionError; on
WebAssembly the stack overflows first, which ends the whole interpreter. So the depth is checked before.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: Levels of nesting that a frame may have: this project's need three.
MAX_DEPTH = 64

_OUTSIDE_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"?|([\[{])|([\]}])', re.DOTALL)


class NotAFrame(ValueError):
    """The text is not one JSON object."""


def read_frame(text: str) -> dict[str, Any]:
    """Return the JSON object in ``text``.

    Raises:
        NotAFrame: It is something else, or nested more than MAX_DEPTH levels deep.
    """
    if _is_too_deep(text):
        raise NotAFrame(f"nested more than {MAX_DEPTH} levels deep")
    try:
        frame = json.loads(text)
    except ValueError as error:
        raise NotAFrame(f"not valid JSON: {error}") from None
    if not isinstance(frame, dict):
        raise NotAFrame("not a JSON object")
    return frame


def _is_too_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:  # nearly every frame: counting costs nothing
        return False
    depth = 0
    for match in _OUTSIDE_STRINGS.finditer(text):
        if match[1]:
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif match[2]:
            depth -= 1
    return False
