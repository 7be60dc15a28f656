"""The stored drafts of a person who is renamed or forgotten."""

from __future__ import annotations

from kizuna.browser import TabSettings
from ui.kit.demo_mode import storage_prefix

#: Precedes the room, "/" and the person's name in the key of a draft.
DRAFT = "kizuna.draft."


def move_drafts(before: str | None, after: str | None) -> None:
    """Give the drafts of one name to another. None: no person, who has no drafts."""
    if before is None or after is None or before == after:
        return
    tab = TabSettings(storage_prefix())
    for room, key in _drafts_of(before, tab):
        tab.set(f"{DRAFT}{room}/{after}", tab.get(key) or "")
        tab.delete(key)


def delete_drafts(name: str) -> None:
    """Delete the drafts of a name."""
    tab = TabSettings(storage_prefix())
    for _, key in _drafts_of(name, tab):
        tab.delete(key)


def _drafts_of(name: str, tab: TabSettings) -> list[tuple[str, str]]:
    """Return room and key of each draft of a name."""
    keys = [key.partition("/") for key in tab.names(DRAFT)]
    return [(room, f"{DRAFT}{room}/{name}") for room, _, owner in keys if owner == name]
