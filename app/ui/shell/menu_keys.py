"""Rules of the menu's keys."""

from __future__ import annotations


def focus_after(key: str, index: int | None, count: int, tag: str) -> int | None:
    """Return the control to focus after a key; None: the browser handles it.

    ``index``: the control that has the focus, of ``count``; None if it is the menu itself. ``tag``: what has the focus.
    Fields and choices need these keys themselves.
    """
    if tag in ("input", "select") or not count:
        return None
    if key == "ArrowDown":
        return 0 if index is None else (index + 1) % count
    if key == "ArrowUp":
        return count - 1 if index is None else (index - 1) % count
    if key == "Home":
        return 0
    return count - 1 if key == "End" else None
