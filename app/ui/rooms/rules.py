"""Rules of the bar of rooms."""

from __future__ import annotations

from collections.abc import Sequence

_MAX_SHOWN = 99


def badge(unread: int) -> str:
    """The number beside a room's name, as short as a number that nobody counts can be; empty for none."""
    if unread <= 0:
        return ""
    return str(unread) if unread <= _MAX_SHOWN else f"{_MAX_SHOWN}+"


def only_appends(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether ``new`` is ``old`` without some and with others at its end: then what stays keeps its place."""
    kept = [name for name in old if name in new]
    return list(new[: len(kept)]) == kept
