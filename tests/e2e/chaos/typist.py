"""Somebody who types without pause, in the page itself: also while the network is down and the test is busy.

The page asks for the next text, puts it into the composer, presses Enter, and tells when the composer is empty
again; what is told survives the page. A text that was still in the composer when the page went is told never.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.e2e.chaos.verdict import Typed

#: Seconds between a text that has left the composer and the next.
PAUSE = (0.3, 2.0)

#: `life` tells one life of a page from the next, after a reload. The typist waits for a composer to type in.
TYPE = """(async () => {
    const life = `${performance.timeOrigin}/${Math.random()}`;
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const composer = () => document.getElementById("composer-text");
    while (document.documentElement?.dataset.page !== "live" || !composer()?.checkVisibility()) await pause(50);
    for (;;) {
        const next = await window.nextText(life);
        if (next === null) return;
        const field = composer();
        field.value = next.text;
        field.dispatchEvent(new InputEvent("input", {bubbles: true}));
        field.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
        while (field.value === next.text) await pause(10);
        window.textLeft(next.text);
        await pause(next.pause * 1000);
    }
})()"""


class Typists:
    """Responsible for what all pages type, each text once, and for remembering what became of it. ``thread_of`` tells
    who types in a page's life and which thread it continues, or None where the page belongs to nobody any more."""

    def __init__(self, seed: int, thread_of: Callable[[Page, str], tuple[str, str] | None]) -> None:
        self.may_type = True
        self._random = Random(seed)
        self._thread_of = thread_of
        self._typed: dict[str, Typed] = {}
        self._counts: Counter[str] = Counter()
        self._in_hand: dict[Page, str] = {}  # what was given out to a page and has not left its composer

    def attend(self, context: BrowserContext) -> None:
        """Every page of this context types."""
        context.expose_binding("nextText", self._next)
        context.expose_binding("textLeft", self._left)
        context.add_init_script(TYPE)

    @property
    def typed(self) -> tuple[Typed, ...]:
        """All texts in the order given out."""
        return tuple(self._typed.values())

    def text_in_hand(self, page: Page) -> str | None:
        """The text that somebody is typing there, or about to type."""
        return self._in_hand.get(page)

    def _next(self, source: Mapping[str, Any], life: str) -> dict[str, Any] | None:
        whose = self._thread_of(source["page"], life)
        if whose is None or not self.may_type:
            return None
        person, thread = whose
        self._counts[person] += 1
        text = self._in_hand[source["page"]] = f"{person.lower()} {self._counts[person]}"
        self._typed[text] = Typed(text, thread)
        return {"text": text, "pause": self._random.uniform(*PAUSE)}

    def _left(self, source: Mapping[str, Any], text: str) -> None:
        self._typed[text] = replace(self._typed[text], left=True)
        self._in_hand.pop(source["page"], None)
