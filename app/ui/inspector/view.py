"""The inspector: its parts, from opening to closing. While it is open it is drawn like any view, and once a second."""

from __future__ import annotations

from collections.abc import Callable

from chat.diagnosis import Diagnosis
from chat.store import ChatState, ChatStore
from kizuna.testing import FaultPlatform
from ui.actions import Actions
from ui.inspector.break_part import BreakPart, TourPart
from ui.inspector.figures_part import FiguresPart
from ui.inspector.history_part import HistoryPart
from ui.inspector.panel import Panel
from ui.inspector.report_part import ReportPart
from ui.inspector.status_part import StatusPart
from ui.kit.dom import Listeners
from ui.kit.render import RenderScheduler
from ui.kit.texts import Texts

#: Seconds between two looks at what changes without a new state: times, counters, the journal.
_INTERVAL = 1.0


class InspectorView:
    """The open inspector. ``close`` is called when the person closes it, and has to call ``close()``."""

    def __init__(
        self,
        texts: Texts,
        scheduler: RenderScheduler,
        store: ChatStore,
        actions: Actions,
        diagnosis: Diagnosis,
        faults: FaultPlatform,
        close: Callable[[], None],
    ) -> None:
        self._scheduler = scheduler
        self._listeners = listeners = Listeners()
        self._panel = Panel(texts, listeners, close)
        tour = TourPart(texts, store, actions, diagnosis, faults, listeners)
        self._break = BreakPart(texts, faults, tour, listeners)
        status, figures = StatusPart(texts, diagnosis), FiguresPart(texts, diagnosis)
        history, report = HistoryPart(texts, diagnosis), ReportPart(texts, diagnosis, listeners)
        self._parts = (status, history, figures, report)
        self._connection: object = None  # as drawn last
        self._due = 0.0
        self._panel.body.append(
            status.element,
            self._break.element,
            history.element,
            figures.round_trips,
            figures.counters,
            report.element,
        )
        scheduler.add(self)

    def part(self, state: ChatState) -> object:
        """Return everything: the tour watches messages, too."""
        return state

    def draw(self, state: ChatState, now: float) -> float | None:
        """Draw what the connection changes at once, all else once a second."""
        wake = self._break.draw(state, now)
        if state.connection != self._connection or now >= self._due:
            self._connection, self._due = state.connection, now + _INTERVAL
            for part in self._parts:
                part.draw(state, now)
        return self._due if wake is None else min(wake, self._due)

    def close(self) -> None:
        """Remove everything, stop listening, and leave nothing broken."""
        self._scheduler.remove(self)
        self._break.close()
        self._listeners.close()
        self._panel.close()
