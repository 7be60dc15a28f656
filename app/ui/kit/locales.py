"""Which region's habits dates and times follow: the page speaks two languages, and has readers everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Language, script, region. Intl throws for some of the others, such as Chromium's en-US@posix.
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?")


def locales_of(language: str, spoken: Iterable[str]) -> tuple[str, str]:
    """The locale whose dates are shown, which speaks ``language``, and the one whose clock is (12 or 24 hours).
    ``spoken``: navigator.languages, what the reader likes most first."""
    tags = [tag for tag in spoken if _TAG.fullmatch(tag)]
    dates = next((tag for tag in tags if tag.lower().split("-")[0] == language), language)
    return dates, next(iter(tags), dates)
