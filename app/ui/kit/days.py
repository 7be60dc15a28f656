"""Days and times that come from the network, and so may be anything."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

_MAX_MS = (
    253_402_214_400_000  # the last day of the year 9999: what Python's and JavaScript's dates can both hold
)


def clamp_timestamp(milliseconds: float) -> float:
    """The nearest time that can be written as a date."""
    return min(max(milliseconds, 0), _MAX_MS)


def iso(milliseconds: float) -> str:
    """For ``<time datetime>``: UTC, to the second."""
    return datetime.fromtimestamp(clamp_timestamp(milliseconds) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def relative_day(day: str, today: str) -> str | None:
    """``day.today``, ``day.yesterday``, or None; both days as ISO dates."""
    if day == today:
        return "day.today"
    if date.fromisoformat(day) == date.fromisoformat(today) - timedelta(days=1):
        return "day.yesterday"
    return None
