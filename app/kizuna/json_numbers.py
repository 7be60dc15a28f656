"""The check of numbers that come from elsewhere: from servers, and from configuration files."""

from __future__ import annotations

from typing import Any


def finite_number(value: Any) -> float | None:
    """Return ``value`` if it is a finite number that a float holds exactly, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        return None
    return value
