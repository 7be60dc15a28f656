"""Texts of failures and refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chat.names import INVISIBLE, MAX_ROOM_CHARACTERS
from chat.store import Notice
from kizuna.delivery import Failure
from ui.kit.texts import Texts

_INVISIBLE = re.compile(f"[{INVISIBLE}]")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def failure_text(failure: Failure | None, texts: Texts) -> str:
    """Return the catalogue's text for the code, else the server's words, else a general text."""
    if failure is not None and texts.has(f"failure.{failure.code}"):
        return texts(f"failure.{failure.code}")
    words = failure.words if failure is not None else ""
    return texts("message.failed", reason=words or texts("message.failed_unknown"))


def notice_text(notice: Notice, texts: Texts) -> str:
    """Return the text of a notice."""
    return refusal_text(f"notice.{notice.kind}", notice.params, texts)


def refusal_text(key: str, params: Mapping[str, str | int], texts: Texts) -> str:
    """Return the text of ``key`` with ``params``, of which ``problem`` is a key of a text too."""
    words = dict(params)
    if "problem" in words:
        words["problem"] = texts(f"problem.{words['problem']}", **params)
    if "room" in words:
        words["room"] = _quoted(str(words["room"]))
    return texts(key, **words)


def _quoted(name: str) -> str:
    """Return any text for a sentence: shortened, isolated in direction, invisible characters replaced."""
    visible = _INVISIBLE.sub("\ufffd", name[:MAX_ROOM_CHARACTERS])
    return f"{_FIRST_STRONG_ISOLATE}{visible}{_POP_ISOLATE}"
