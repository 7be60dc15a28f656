"""The figures of the inspector: what it says in numbers, and the drawing of the round trips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chat.store import ChatState
from kizuna import Statistics, Status
from kizuna.delivery import DeliveryStatistics
from ui.kit.texts import Texts

#: Close codes that have words of their own, in static/i18n as close.*.
CLOSE_CODES = (1000, 1001, 1006, 1008, 1009, 1011, 1012, 1013, 3000, 4401, 4403)
#: Round trips that are drawn.
DRAWN = 60


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``name``: for data-figure, and the key of its label, in static/i18n as figure.*."""

    name: str
    words: str


def state_figures(
    state: ChatState, statistics: Statistics, close_code: int | None, now: float, texts: Texts
) -> list[Figure]:
    """Return how the connection is now. ``now``: monotonic seconds."""
    connection, none = state.connection, texts("figure.none")
    since, retry_at = connection.connected_since, connection.retry_at
    is_waiting = connection.status is Status.WAITING and retry_at is not None
    return [
        Figure("uptime", none if since is None else duration(now - since, texts)),
        Figure("share", share_words(statistics, texts)),
        Figure("attempt", str(connection.attempt) if connection.attempt else none),
        Figure("next_try", duration(max(0.0, (retry_at or 0.0) - now), texts) if is_waiting else none),
        Figure("close_code", none if close_code is None else close_words(close_code, texts)),
        Figure("outbox", str(state.waiting)),
    ]


def count_figures(statistics: Statistics, delivery: DeliveryStatistics) -> list[Figure]:
    """Return what was counted since the page opened."""
    counts = {
        "sent": delivery.sent,
        "acknowledged": delivery.acknowledged,
        "resent": delivery.resent,
        "received": delivery.received,
        "duplicates": delivery.duplicates,
        "gaps": delivery.gaps_filled,
        "fetched": delivery.fetched,
        "attempts": statistics.attempts,
        "drops": statistics.drops,
        "rollovers": statistics.rollovers,
        "frames": statistics.frames_received,
    }
    return [Figure(name, f"{count:,}") for name, count in counts.items()]


def share_words(statistics: Statistics, texts: Texts) -> str:
    """Return the share of the time that the connection stood, rounded down: only all of it is 100 %."""
    if not statistics.seconds:
        return texts("figure.none")
    tenths = int(1000 * min(1.0, statistics.seconds_connected / statistics.seconds))
    return texts("figure.percent", share=f"{tenths / 10:g}")


def close_words(code: int, texts: Texts) -> str:
    """Return a close code with its meaning."""
    meaning = texts(f"close.{code}" if code in CLOSE_CODES else "close.other")
    return texts("figure.close_code_words", code=code, meaning=meaning)


def round_trip_words(statistics: Statistics, texts: Texts) -> str:
    """Return the round trips in words."""
    last, median, p95 = statistics.rtt_last, statistics.rtt_median, statistics.rtt_p95
    if last is None or median is None or p95 is None:
        return texts("rtt.none")
    return texts("rtt.words", now=milliseconds(last), median=milliseconds(median), p95=milliseconds(p95))


def milliseconds(seconds: float) -> str:
    """Return a round trip in milliseconds, with a decimal where there are few."""
    value = seconds * 1000
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def sparkline(values: Sequence[float], width: float, height: float) -> str:
    """Return the points of a polyline through the latest values, from zero up; empty for less than two."""
    drawn = values[-DRAWN:]
    if len(drawn) < 2:
        return ""
    most = max(drawn) or 1.0
    step = width / (len(drawn) - 1)
    return " ".join(
        f"{number * step:.1f},{height - value / most * height:.1f}" for number, value in enumerate(drawn)
    )


def duration(seconds: float, texts: Texts) -> str:
    """Return a duration in its two largest units."""
    whole = int(seconds)
    if whole < 60:
        return texts("duration.seconds", seconds=whole)
    if whole < 3600 and whole % 60 == 0:
        return texts("duration.whole_minutes", minutes=whole // 60)
    if whole < 3600:
        return texts("duration.minutes", minutes=whole // 60, seconds=whole % 60)
    return texts("duration.hours", hours=whole // 3600, minutes=whole % 3600 // 60)
