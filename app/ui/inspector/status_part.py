"""How the connection is now: the state diagram with the present status lit, and figures."""

from __future__ import annotations

from typing import Any

from chat.diagnosis import Diagnosis
from chat.store import ChatState
from kizuna import Status, transitions
from ui.inspector.diagram import HALF_HEIGHT, HALF_WIDTH, HEIGHT, PLACES, WIDTH, arrows, ways_from
from ui.inspector.elements import FigureList, html, section, svg
from ui.inspector.figures import state_figures
from ui.inspector.happenings import LOOKS, last_close_code
from ui.kit.texts import Texts


class Diagram:
    """The diagram, made of the library's own table. Only attributes change afterwards."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._transitions = transitions()
        self._status: Status | None = None
        self._before: Status | None = None
        self.element = svg("svg", class_="diagram", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img")
        self._arrows = {}
        for arrow in arrows(self._transitions):
            group = svg("g", class_="arrow")
            group.append(
                svg("path", class_="arrow-line", d=arrow.line), svg("path", class_="arrow-head", d=arrow.head)
            )
            self._arrows[arrow.source, arrow.target] = group
        self._boxes = {status: self._box(status) for status in PLACES}
        self.element.append(*self._arrows.values(), *self._boxes.values())

    def draw(self, status: Status) -> None:
        """Light the present status, the ways from it, and the last one that was taken."""
        if status is self._status:
            return
        self._before, self._status = self._status, status
        for each, box in self._boxes.items():
            box.toggleAttribute("data-now", each is status)
        lit = []
        for (source, target), group in self._arrows.items():
            group.toggleAttribute("data-lit", source is status)
            is_taken = (source, target) == (self._before, status)
            group.toggleAttribute("data-taken", is_taken)
            if source is status or is_taken:
                lit.append(group)
        self.element.append(*lit, *self._boxes.values())  # above the others
        names = self._texts("list.between").join(
            self._texts(f"state.{each}") for each in ways_from(status, self._transitions)
        )
        label = self._texts("diagram.label", status=self._texts(f"state.{status}"), next=names)
        self.element.setAttribute("aria-label", label)

    def _box(self, status: Status) -> Any:
        across, down = PLACES[status]
        box = svg("g", class_="status-box", data_status=str(status), data_kind=str(LOOKS[status]))
        place = {"x": f"{across - HALF_WIDTH}", "y": f"{down - HALF_HEIGHT}"}
        size = {"width": f"{2 * HALF_WIDTH}", "height": f"{2 * HALF_HEIGHT}", "rx": f"{HALF_HEIGHT}"}
        box.append(
            svg("rect", **place, **size),
            svg("text", self._texts(f"state.{status}"), x=f"{across}", y=f"{down + 4}"),
        )
        return box


class StatusPart:
    """The section "Now"."""

    def __init__(self, texts: Texts, diagnosis: Diagnosis) -> None:
        self._texts = texts
        self._diagnosis = diagnosis
        self._diagram = Diagram(texts)
        self._state = html("p", class_="inspector-state")
        self._figures = FigureList(texts)
        self.element = section(texts("inspector.now"))
        self.element.append(self._state, self._diagram.element, self._figures.element)

    def draw(self, state: ChatState, now: float) -> None:
        """Show ``state``."""
        status = state.connection.status
        self._state.textContent = self._texts(f"state.{status}.means")
        self._diagram.draw(status)
        code = last_close_code(self._diagnosis.entries)
        figures = state_figures(state, self._diagnosis.statistics(), code, now, self._texts)
        self._figures.draw(figures)
