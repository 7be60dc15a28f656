"""The text of several copied messages."""

from __future__ import annotations

from collections.abc import Iterable


def copied_text(messages: Iterable[tuple[str, str, str]]) -> str:
    """Return a line for each message, of its time, sender and text: ``[02:00] Chiyo: text``."""
    return "\n".join(f"[{time}] {sender}: {text}" for time, sender, text in messages)
