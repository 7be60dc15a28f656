"""Dates of timestamps from the network, which may be any number."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

# The last day of the year 9999, the last that both Python and JavaScript can represent.
_MAX_MS = 253_402_214_400_000


def clamp_timestamp(milliseconds: float) -> float:
    """Return the nearest timestamp that can be written as a date."""
    return min(max(milliseconds, 0), _MAX_MS)


def iso(milliseconds: float) -> str:
    """Return the text for ``<time datetime>``: UTC, to the second."""
    return datetime.fromtimestamp(clamp_timestamp(milliseconds) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def relative_day(day: str, today: str) -> str | None:
    """Return ``day.today``, ``day.yesterday`` or None. Both days are ISO dates."""
    if day == today:
        return "day.today"
    if date.fromisoformat(day) == date.fromisoformat(today) - timedelta(days=1):
        return "day.yesterday"
    return None
