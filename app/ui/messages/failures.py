"""Why something was refused or not sent, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chat.names import INVISIBLE, MAX_ROOM_CHARACTERS
from chat.store import Notice
from chat.timeline import Failure
from ui.kit.texts import Texts

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def failure_text(failure: Failure | None, texts: Texts) -> str:
    """The catalogue's words for its code, else the words of whoever refused it, else that nobody gave any."""
    if failure is not None and texts.has(f"failure.{failure.code}"):
        return texts(f"failure.{failure.code}")
    words = failure.words if failure is not None else ""
    return texts("message.failed", reason=words or texts("message.failed_unknown"))


def notice_text(notice: Notice, texts: Texts) -> str:
    """The catalogue's words."""
    return refusal_text(f"notice.{notice.kind}", notice.params, texts)


def refusal_text(key: str, params: Mapping[str, str | int], texts: Texts) -> str:
    """The text of ``key``; what ``problem`` names is said in words too, with the same ``params``."""
    words = dict(params)
    if "problem" in words:
        words["problem"] = texts(f"problem.{words['problem']}", **params)
    if "room" in words:
        words["room"] = _quoted(str(words["room"]))
    return texts(key, **words)


def _quoted(name: str) -> str:
    """Any text, in a sentence: short, turning nothing around, and what cannot be seen shows as a sign."""
    visible = _INVISIBLE.sub("\ufffd", name[:MAX_ROOM_CHARACTERS])
    return f"{_FIRST_STRONG_ISOLATE}{visible}{_POP_ISOLATE}"
