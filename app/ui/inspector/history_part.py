"""What happened: drawn over the last minutes, and as a list, the newest first."""

from __future__ import annotations

from typing import Any

import js

from chat.diagnosis import Diagnosis
from chat.store import ChatState
from ui.inspector.elements import Line, html, section, svg
from ui.inspector.figures import duration
from ui.inspector.happenings import Happening, Look, Strip, happenings, strip
from ui.kit.days import iso
from ui.kit.locales import locales_of
from ui.kit.texts import Texts

#: Lines of the list.
_MOST = 100
_WIDTH, _HEIGHT = 360, 28
#: The better, the higher: not told by colour alone.
_HEIGHTS = {Look.OK: 20, Look.BUSY: 14, Look.WARN: 9, Look.BAD: 6, Look.IDLE: 3}


class HistoryPart:
    """The section "What happened"."""

    def __init__(self, texts: Texts, diagnosis: Diagnosis) -> None:
        self._texts = texts
        _, clock = locales_of(texts.language, js.navigator.languages)
        self._clock = js.Intl.DateTimeFormat.new(clock, timeStyle="medium")
        self._diagnosis = diagnosis
        self._drawn: list[Happening] = []
        self._strip: Strip | None = None
        # What it shows is in the list, too.
        self._drawing = svg("svg", class_="strip", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", aria_hidden="true")
        self._drawing.setAttribute("preserveAspectRatio", "none")
        self._span = Line(html("p", class_="strip-scale soft"))
        title = texts("inspector.history")
        # It scrolls, so that the keyboard needs a way in.
        self._list = html("ol", class_="happenings", role="list", reversed="", tabindex="0", aria_label=title)
        self.element = section(title)
        self.element.append(self._drawing, self._span.element, self._list)

    def draw(self, state: ChatState, now: float) -> None:
        """Show what happened so far."""
        entries = self._diagnosis.entries
        self._draw_strip(strip(entries, self._diagnosis.now()))
        lines = happenings(entries)[-_MOST:]
        if lines != self._drawn:
            self._draw_list(lines)

    def _draw_strip(self, wanted: Strip) -> None:
        if wanted == self._strip:
            return
        self._strip = wanted
        self._span.write(self._texts("history.scale", time=duration(wanted.seconds, self._texts)))
        parts = []
        for span in wanted.spans:
            x, width = span.start * _WIDTH, (span.end - span.start) * _WIDTH
            place = {"x": f"{x:.1f}", "y": f"{_HEIGHT - _HEIGHTS[span.look]}"}
            size = {"width": f"{max(width, 1.0):.1f}", "height": f"{_HEIGHTS[span.look]}"}
            parts.append(svg("rect", class_="strip-span", data_kind=str(span.look), **place, **size))
        for mark in wanted.marks:
            x = min(mark * _WIDTH, _WIDTH - 1.5)
            parts.append(svg("rect", class_="strip-mark", x=f"{x:.1f}", width="1.5", y="0", height="6"))
        self._drawing.replaceChildren(*parts)

    def _draw_list(self, lines: list[Happening]) -> None:
        """Add the new lines at the top; what stands there stays, so that a reader keeps the place."""
        known = len(self._drawn)
        if self._drawn and lines[:known] == self._drawn:
            new = lines[known:]
        else:
            new = lines
            self._list.replaceChildren()
        self._drawn = lines
        for line in new:
            self._list.prepend(self._line(line))

    def _line(self, line: Happening) -> Any:
        row = html("li", class_="happening", data_event=line.key, data_status=str(line.status))
        at = line.at * 1000
        row.append(
            html("time", self._clock.format(at), datetime=iso(int(at)), class_="happening-time"),
            html("span", self._texts(f"happened.{line.key}", **line.params)),
        )
        return row
