"""Dates and times in the person's language, region and time zone."""

from __future__ import annotations

from typing import NamedTuple

import js

from ui.kit.days import clamp_timestamp, iso, relative_day
from ui.kit.locales import locales_of
from ui.kit.texts import Texts

# Every time zone differs from UTC by whole quarters of an hour, so a day begins with one.
_QUARTER_MS = 15 * 60 * 1000
#: Seconds whose texts are remembered: more than the rows of two screens have.
_MAX_MOMENTS = 500


class Moment(NamedTuple):
    """The texts for one point in time, to the second."""

    iso: str  #: for ``<time datetime>``
    time: str  #: the time of day
    full: str  #: day and time, for a tooltip


class Formats:
    """Formatters. Create it when the page opens: the start snapshot cannot contain JavaScript objects."""

    def __init__(self, texts: Texts) -> None:
        make = js.Intl.DateTimeFormat.new
        dates, clock = locales_of(texts.language, js.navigator.languages)
        cycle = make(clock, hour="numeric").resolvedOptions().hourCycle
        self._texts = texts
        self._time = make(dates, hour="numeric", minute="2-digit", hourCycle=cycle)
        self._full = make(dates, dateStyle="full", timeStyle="medium", hourCycle=cycle)
        self._date = make(dates, weekday="long", day="numeric", month="long")
        self._date_and_year = make(dates, dateStyle="long")
        self._days: dict[int, str] = {}
        self._moments: dict[int, Moment] = {}

    def time(self, milliseconds: float) -> str:
        """Return the time of day."""
        return self._time.format(clamp_timestamp(milliseconds))

    def moment(self, milliseconds: float) -> Moment:
        """Return the texts for this second."""
        second = int(clamp_timestamp(milliseconds) // 1000)
        moment = self._moments.get(second)
        if moment is None:
            if len(self._moments) == _MAX_MOMENTS:
                self._moments.clear()
            full = self._full.format(second * 1000)
            moment = self._moments[second] = Moment(iso(second * 1000), self.time(second * 1000), full)
        return moment

    def day(self, milliseconds: float) -> str:
        """Return the local day, as ISO date."""
        milliseconds = clamp_timestamp(milliseconds)
        quarter = int(milliseconds // _QUARTER_MS)
        day = self._days.get(quarter)
        if day is None:
            date = js.Date.new(milliseconds)
            day = f"{date.getFullYear():04}-{date.getMonth() + 1:02}-{date.getDate():02}"
            self._days[quarter] = day
        return day

    def today(self) -> str:
        """Return the current local day, as ISO date."""
        return self.day(js.Date.now())

    def seconds_to_midnight(self) -> float:
        """Return the seconds until the next local day."""
        now = js.Date.new()
        midnight = js.Date.new(now.getFullYear(), now.getMonth(), now.getDate() + 1)
        return (midnight.getTime() - now.getTime()) / 1000

    def day_words(self, milliseconds: float, today: str) -> str:
        """Return the day as a heading: today, yesterday, or its date, with the year if that is another one."""
        day = self.day(milliseconds)
        key = relative_day(day, today)
        if key is not None:
            return self._texts(key)
        date = self._date if day[:4] == today[:4] else self._date_and_year
        return date.format(clamp_timestamp(milliseconds))
