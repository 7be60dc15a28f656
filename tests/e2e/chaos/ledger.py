"""What was typed: every text once, with whether it has left the composer."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tests.e2e.chaos.verdict import Typed


class Ledger:
    """Responsible for giving out texts that nobody has typed before, and for remembering what became of them."""

    def __init__(self) -> None:
        self._typed: dict[str, Typed] = {}
        self._counts: Counter[str] = Counter()

    def next(self, person: str, thread: str) -> str:
        """A new text, such as "ada 17". Texts of one ``thread`` are promised to appear in the order given out."""
        self._counts[person] += 1
        text = f"{person.lower()} {self._counts[person]}"
        self._typed[text] = Typed(text, thread)
        return text

    def note_left(self, text: str) -> None:
        """The composer is empty again: the page has taken the text. KeyError for one that was never given out."""
        self._typed[text] = replace(self._typed[text], left=True)

    @property
    def typed(self) -> tuple[Typed, ...]:
        """All texts in the order given out."""
        return tuple(self._typed.values())
