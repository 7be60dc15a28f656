"""Rules of the list of rooms."""

from __future__ import annotations

from collections.abc import Sequence

_MAX_SHOWN = 99


def badge(unread: int) -> str:
    """Return the unread number beside a room's name, at most "99+"; empty for 0."""
    if unread <= 0:
        return ""
    return str(unread) if unread <= _MAX_SHOWN else f"{_MAX_SHOWN}+"


def only_appends(old: Sequence[str], new: Sequence[str]) -> bool:
    """Return whether ``new`` is ``old`` with items removed, and others added at its end."""
    kept = [name for name in old if name in new]
    return list(new[: len(kept)]) == kept
