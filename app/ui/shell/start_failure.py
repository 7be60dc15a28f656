"""What the splash screen shows when the page cannot start. Its progress is in static/boot/boot.js."""

from __future__ import annotations

import js

from ui.kit.dom import by_id


def show_failure(detail: str, *, cause: str = "error") -> None:
    """Show on the splash that the page cannot start. ``cause``: network, old, error or config, whose texts are in
    index.html; ``detail``: the exact error."""
    root = js.document.documentElement
    by_id("splash-detail").textContent = detail
    root.setAttribute("data-cause", cause)
    root.setAttribute("data-page", "failed")
