"""What the banner says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chat.store import ChatState
from kizuna.states import Status
from ui.outage import Outage, Phase
from ui.texts import Texts


@dataclass(frozen=True, slots=True)
class Words:
    """A title and what there is to know beside it."""

    title: str
    text: str


def banner_words(
    state: ChatState, outage: Outage, texts: Texts, time_of: Callable[[float], str]
) -> Words | None:
    """The banner's words, or None for no banner. ``time_of`` writes a time of day, from milliseconds since 1970."""
    if outage.phase is Phase.SUCCESS:
        sent = outage.sent
        return Words(texts("banner.back"), texts("banner.sent", count=sent) if sent else "")
    if outage.phase is Phase.NONE:
        return None
    status = state.link.status
    if status is Status.REJECTED:
        return Words(
            texts("banner.rejected"), _join(reason_text(state, texts), texts("banner.rejected_action"))
        )
    safe = texts("banner.safe")
    if status is Status.EXHAUSTED:
        return Words(
            texts("banner.exhausted"),
            _join(reason_text(state, texts), texts("banner.exhausted_action"), safe),
        )
    if status is Status.OFFLINE:
        return Words(texts("banner.offline"), _join(safe, _last_connected(state, texts, time_of)))
    title = texts("banner.lost" if state.link.last_connected_at is not None else "banner.not_yet")
    return Words(title, _join(reason_text(state, texts), safe, _last_connected(state, texts, time_of)))


def reason_text(state: ChatState, texts: Texts) -> str:
    """Why, in words; empty when no reason is known."""
    reason = state.link.reason
    if reason is None:
        return ""
    key = f"reason.{reason}"
    return texts(key if texts.has(key) else "reason.unknown")


def _last_connected(state: ChatState, texts: Texts, time_of: Callable[[float], str]) -> str:
    at = state.link.last_connected_at
    return "" if at is None else texts("banner.last_connected", time=time_of(at * 1000))


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
