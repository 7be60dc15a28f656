"""The icon of the tab."""

from __future__ import annotations


def tab_icon(unread: int, *, in_trouble: bool) -> str:
    """Return which icon the tab shows: "offline", "unread", or "" for the plain one."""
    if in_trouble:
        return "offline"
    return "unread" if unread else ""
