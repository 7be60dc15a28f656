"""Where the unread messages begin."""

from __future__ import annotations

from chat.timeline import Timeline


def first_unread(timeline: Timeline, unread: int) -> str | None:
    """Return the key of the first of the last ``unread`` messages of others; of the first loaded one if there are
    fewer."""
    key = None
    for entry in reversed(timeline.confirmed):
        if unread <= 0:
            break
        if not entry.own:
            key, unread = entry.key, unread - 1
    return key
