"""The text of the banner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chat.identity import BANNED
from chat.store import ChatState
from kizuna import ReasonKind, Status
from ui.connection.outage import Outage, Phase
from ui.kit.texts import Texts


@dataclass(frozen=True, slots=True)
class BannerText:
    """The banner's title and text. ``reloads``: with a "Reload" button."""

    title: str
    text: str
    reloads: bool = False


def banner_text(
    state: ChatState, outage: Outage, texts: Texts, time_of: Callable[[float], str], origin: str = ""
) -> BannerText | None:
    """Return the banner's text, or None for no banner. ``time_of`` formats a time of day from milliseconds since 1970;
    ``origin`` is the page's."""
    if outage.phase is Phase.NONE:
        return None
    if outage.phase is Phase.SUCCESS:
        title = texts("banner.back" if outage.was_connected else "banner.connected")
        return BannerText(title, _back_text(outage, texts))
    title, sentences = _outage_text(state, texts, time_of, origin)
    text = texts("sentences.between").join(sentence for sentence in sentences if sentence)
    return BannerText(title, text, reloads=_is_unsupported(state))


def _back_text(outage: Outage, texts: Texts) -> str:
    sent, received = outage.sent, outage.received
    if sent and received:
        return texts("banner.sent_and_received", sent=sent, received=received)
    if received:
        return texts("banner.received", count=received)
    return texts("banner.sent", count=sent) if sent else ""


def _is_unsupported(state: ChatState) -> bool:
    """Return whether only another version of the page can connect."""
    return state.connection.status is Status.REJECTED and state.reason == ReasonKind.UNSUPPORTED


def reason_text(state: ChatState, texts: Texts, origin: str = "") -> str:
    """Return the text of the reason; empty if there is none."""
    reason = state.reason
    if reason is None:
        return ""
    if reason == "forbidden_origin":
        return texts("reason.forbidden_origin", origin=origin)
    key = f"reason.{reason}"
    return texts(key if texts.has(key) else "reason.unknown")


def _outage_text(
    state: ChatState, texts: Texts, time_of: Callable[[float], str], origin: str
) -> tuple[str, tuple[str, ...]]:
    status, at = state.connection.status, state.last_connected_at
    reason, safe = reason_text(state, texts, origin), texts("banner.safe")
    last = "" if at is None else texts("banner.last_connected", time=time_of(at * 1000))
    if _is_unsupported(state):
        return texts("banner.unsupported"), (reason, texts("banner.unsupported_action"))
    if status is Status.REJECTED and state.reason == BANNED:
        return texts("banner.rejected"), (reason, texts("banner.banned_action"))
    if status is Status.REJECTED:
        return texts("banner.rejected"), (reason, texts("banner.rejected_action"))
    if status is Status.EXHAUSTED:
        return texts("banner.exhausted"), (reason, texts("banner.exhausted_action"), safe, last)
    if state.catching_up:  # a link is open, and nothing is lost any longer
        return texts("status.catching_up"), ()
    if status is Status.OFFLINE:
        return texts("banner.offline"), (safe, last)
    return texts("banner.not_yet" if at is None else "banner.lost"), (reason, safe, last)
