"""The locales of dates and times: the page has two languages, and readers in all regions."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Language, script, region. Intl throws for some other tags, such as Chromium's en-US@posix.
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")


def locales_of(language: str, spoken: Iterable[str]) -> tuple[str, str]:
    """Return the locale of dates, which has this ``language``, and the locale of the clock (12 or 24 hours).
    ``spoken``: navigator.languages, by preference."""
    tags = [tag for tag in spoken if _TAG.fullmatch(tag)]
    dates = next((tag for tag in tags if tag.lower().split("-")[0] == language), language)
    return dates, next(iter(tags), dates)
