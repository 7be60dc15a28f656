"""Round trips and counters."""

from __future__ import annotations

from chat.diagnosis import Diagnosis
from chat.store import ChatState
from ui.inspector.elements import FigureList, Line, html, section, svg
from ui.inspector.figures import count_figures, round_trip_words, sparkline
from ui.kit.texts import Texts

_WIDTH, _HEIGHT = 360, 40


class FiguresPart:
    """The sections "Round trips" and "Counted since the page opened"."""

    def __init__(self, texts: Texts, diagnosis: Diagnosis) -> None:
        self._texts = texts
        self._diagnosis = diagnosis
        # The words beneath say what it shows.
        self._spark = svg("svg", class_="spark", viewBox=f"0 -2 {_WIDTH} {_HEIGHT + 4}", aria_hidden="true")
        self._spark.setAttribute("preserveAspectRatio", "none")
        self._points = svg("polyline", class_="spark-line", points="")
        self._spark.append(self._points)
        self._drawn = ""
        self._words = Line(html("p", data_figure="rtt"))
        self.round_trips = section(texts("inspector.round_trips"))
        self.round_trips.append(self._spark, self._words.element)
        self._figures = FigureList(texts)
        self.counters = section(texts("inspector.counters"))
        self.counters.append(self._figures.element)

    def draw(self, state: ChatState, now: float) -> None:
        """Show the numbers as they are now."""
        statistics = self._diagnosis.statistics()
        points = sparkline(statistics.round_trips, _WIDTH, _HEIGHT)
        if points != self._drawn:
            self._drawn = points
            self._points.setAttribute("points", points)
        self._words.write(round_trip_words(statistics, self._texts))
        self._figures.draw(count_figures(statistics, self._diagnosis.delivery()))
