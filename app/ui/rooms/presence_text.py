"""Texts of presence and typing."""

from __future__ import annotations

from collections.abc import Sequence

from ui.kit.texts import Texts

_MAX_NAMED = 2
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"  # around a name of either direction


def present_words(count: int, or_more: bool, texts: Texts) -> tuple[str, str]:
    """Return the number of people, as short and as full text. ``or_more``: there may be more."""
    if or_more:
        return texts("present.short_or_more", count=count), texts("present.words_or_more", count=count)
    return texts("present.short", count=count), texts("present.words", count=count)


def typing_words(names: Sequence[str], texts: Texts) -> str:
    """Return the text of who is typing; empty for no one."""
    if not names:
        return ""
    if len(names) > _MAX_NAMED:
        return texts("typing.several")
    one, *others = [f"{_FIRST_STRONG_ISOLATE}{name}{_POP_ISOLATE}" for name in names]
    return texts("typing.two", name=one, other=others[0]) if others else texts("typing.one", name=one)
