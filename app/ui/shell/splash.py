"""The screen before the page is alive, when it cannot become alive."""

from __future__ import annotations

import js

from ui.kit.dom import by_id


def show_failure(detail: str, *, cause: str = "error") -> None:
    """Say on the splash that the page cannot open. ``cause``: network, old, error or config, whose words are in
    index.html; ``detail``: what exactly, for whoever can correct it."""
    root = js.document.documentElement
    by_id("splash-detail").textContent = detail
    root.setAttribute("data-cause", cause)
    root.setAttribute("data-page", "failed")
