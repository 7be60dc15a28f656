"""Who else is there, in words."""

from __future__ import annotations

from collections.abc import Sequence

from ui.kit.texts import Texts

_MAX_NAMED = 2
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"  # a name of either direction turns nothing around it


def present_words(count: int, or_more: bool, texts: Texts) -> tuple[str, str]:
    """How many people are here, in short and in words. ``or_more``: so many at least."""
    if or_more:
        return texts("present.short_or_more", count=count), texts("present.words_or_more", count=count)
    return texts("present.short", count=count), texts("present.words", count=count)


def typing_words(names: Sequence[str], texts: Texts) -> str:
    """Who is writing; empty when nobody is."""
    if not names:
        return ""
    if len(names) > _MAX_NAMED:
        return texts("typing.several")
    one, *others = [f"{_FIRST_STRONG_ISOLATE}{name}{_POP_ISOLATE}" for name in names]
    return texts("typing.two", name=one, other=others[0]) if others else texts("typing.one", name=one)
