"""Users who type without pause, by a script in the page, so that they go on while the network or the test is slow.

The script asks for the next text, puts it into the composer, presses Enter, and reports when the composer is empty
again. It does not report a text that was still in the composer when the page ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.e2e.chaos.delivery_check import Typed

#: Seconds from one text's leaving the composer to the next text.
PAUSE = (0.3, 2.0)

#: `life` tells a page from the one after a reload. The script waits until a composer is visible.
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


class TypingUsers:
    """The texts of all pages, each typed once, and whether they left the composer.

    ``thread_of``: returns the person and thread of a page's life, None for a page of no tab.
    """

    def __init__(self, seed: int, thread_of: Callable[[Page, str], tuple[str, str] | None]) -> None:
        self.may_type = True
        self._random = Random(seed)
        self._thread_of = thread_of
        self._typed: dict[str, Typed] = {}
        self._counts: Counter[str] = Counter()
        self._unsent: dict[Page, str] = {}  # the text of a page that has not left its composer

    def attach(self, context: BrowserContext, script: str = TYPE) -> None:
        """Let every page of this context type, by a script that calls these bindings."""
        context.expose_binding("nextText", self._next)
        context.expose_binding("textLeft", self._left)
        context.add_init_script(script)

    @property
    def typed(self) -> tuple[Typed, ...]:
        """All texts in the order in which they were typed."""
        return tuple(self._typed.values())

    def unsent_text(self, page: Page) -> str | None:
        """Return the text that is, or will soon be, in the composer of a page."""
        return self._unsent.get(page)

    def _next(self, source: Mapping[str, Any], life: str) -> dict[str, Any] | None:
        whose = self._thread_of(source["page"], life)
        if whose is None or not self.may_type:
            return None
        person, thread = whose
        self._counts[person] += 1
        text = self._unsent[source["page"]] = f"{person.lower()} {self._counts[person]}"
        self._typed[text] = Typed(text, thread)
        return {"text": text, "pause": self._random.uniform(*PAUSE)}

    def _left(self, source: Mapping[str, Any], text: str) -> None:
        self._typed[text] = replace(self._typed[text], left=True)
        self._unsent.pop(source["page"], None)
