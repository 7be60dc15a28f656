"""Why a message was not sent, in words."""

from __future__ import annotations

from chat.timeline import Failure
from ui.texts import Texts


def failure_text(failure: Failure | None, texts: Texts) -> str:
    """The catalogue's words for its code, else the words of whoever refused it, else that nobody gave any."""
    if failure is not None and texts.has(f"failure.{failure.code}"):
        return texts(f"failure.{failure.code}")
    words = failure.words if failure is not None else ""
    return texts("message.failed", reason=words or texts("message.failed_unknown"))
