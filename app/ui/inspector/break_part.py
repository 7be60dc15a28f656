"""Break it: a button for each fault, and the tour that watches the page heal."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

import js

from chat.diagnosis import Diagnosis
from chat.store import ChatState, ChatStore
from kizuna import Status
from kizuna.testing import Fault, FaultPlatform
from ui.actions import Actions
from ui.inspector.elements import Line, button, html, section
from ui.inspector.tour import STEPS, Tour, key_of, result_words
from ui.kit.dom import Listeners
from ui.kit.texts import Texts

#: Seconds of the clock's jump; it is set right again after as many as the page needs to notice.
_JUMP_LASTS = 3.0
#: A server that nobody can reach has no sockets, either.
_WITH_A_DROP = (Fault.REFUSE, Fault.FIREWALL)
#: Over by themselves: no buttons that stay pressed.
_MOMENTARY = (Fault.DROP, Fault.CLOCK_JUMP)
_FAULTS = (
    Fault.DROP,
    Fault.BLACK_HOLE,
    Fault.SLOW,
    Fault.REFUSE,
    Fault.FIREWALL,
    Fault.CLOCK_JUMP,
    Fault.OFFLINE,
    Fault.DUPLICATES,
)


class BreakPart:
    """The section "Break it". Closed, it leaves nothing broken."""

    def __init__(self, texts: Texts, faults: FaultPlatform, tour: TourPart, listeners: Listeners) -> None:
        self._faults = faults
        self._tour = tour
        self._buttons: dict[Fault, Any] = {}
        self.element = section(texts("inspector.break"))
        self.element.append(html("p", texts("break.lead"), class_="soft"))
        buttons = html("div", class_="inspector-buttons")
        for fault in _FAULTS:
            self._buttons[fault] = each = button(texts(f"break.{key_of(fault)}"), data_fault=str(fault))
            listeners.on(each, "click", partial(self._toggle, fault))
            buttons.append(each)
        reload_button = button(texts("break.reload"))
        listeners.on(reload_button, "click", lambda _: self._reload())
        buttons.append(reload_button)
        self.element.append(buttons, tour.element)

    def draw(self, state: ChatState, now: float) -> float | None:
        """Show which faults are armed, and go on with the tour."""
        wake = self._tour.draw(state, now)
        self._show_armed()
        return wake

    def close(self) -> None:
        """End the tour, and every fault."""
        self._tour.cancel()
        for fault in tuple(self._faults.armed):
            self._faults.lift(fault)

    def _toggle(self, fault: Fault, _: js.Event) -> None:
        faults = self._faults
        if fault in faults.armed:
            faults.lift(fault)
        else:
            faults.arm(fault)
            if fault in _WITH_A_DROP:
                faults.arm(Fault.DROP)
        if fault is Fault.CLOCK_JUMP:
            faults.call_at(faults.now().monotonic + _JUMP_LASTS, lambda: faults.lift(fault))
        self._show_armed()

    def _show_armed(self) -> None:
        for fault, each in self._buttons.items():
            if fault not in _MOMENTARY:
                each.setAttribute("aria-pressed", "true" if fault in self._faults.armed else "false")

    def _reload(self) -> None:
        self._faults.arm(Fault.NO_GOODBYE)
        self._faults.arm(Fault.BLACK_HOLE)
        js.location.reload()


class TourPart:
    """The button "Watch it heal", its steps, and what was counted."""

    def __init__(
        self,
        texts: Texts,
        store: ChatStore,
        actions: Actions,
        diagnosis: Diagnosis,
        faults: FaultPlatform,
        listeners: Listeners,
    ) -> None:
        self._texts = texts
        self._store = store
        self._actions = actions
        self._diagnosis = diagnosis
        self._before = diagnosis.delivery()  # when the tour began
        self._faults = faults
        self._tour: Tour | None = None
        self._room = ""
        self._home = ""  # the room before the tour
        self._start = button(texts("tour.start"), class_="button primary", data_part="tour")
        self._step = Line(html("p", class_="tour-step"))
        # Only what came of it is announced.
        self._result = Line(html("p", class_="tour-result", aria_live="polite", data_part="tour-result"))
        self.element = html("div", class_="tour")
        lead = html("p", texts("tour.lead"), class_="soft")
        self.element.append(lead, self._start, self._step.element, self._result.element)
        listeners.on(self._start, "click", lambda _: self._press())

    # --- ui.inspector.tour.World ---

    def send(self, text: str) -> None:
        """Send a message."""
        self._actions.send_message(text)

    def arm(self, fault: Fault, seconds: float | None = None) -> None:
        """Let a fault happen."""
        self._faults.arm(fault, seconds)

    def lift(self, fault: Fault) -> None:
        """End a fault."""
        self._faults.lift(fault)

    def try_now(self) -> None:
        """Try to connect at once."""
        self._actions.try_now()

    # --- the page ---

    def draw(self, state: ChatState, now: float) -> float | None:
        """Go on with the tour, and show where it is. Return when to call again without a change."""
        tour = self._tour
        can_start = state.name is not None and state.connection.status is Status.CONNECTED
        self._start.setAttribute("aria-disabled", "false" if tour is not None or can_start else "true")
        if tour is None:
            return None
        if state.name is None or state.room_id != self._room:  # the person has gone elsewhere
            self.cancel()
            return None
        wake = tour.update(state, now)
        result = tour.result(state)
        step = self._texts(f"tour.{key_of(STEPS[tour.step])}")
        self._step.write(self._texts("tour.step", number=tour.step + 1, count=len(STEPS), step=step))
        if tour.is_over:
            self._end()
            self._result.write(result_words(result, self._before, self._diagnosis.delivery(), self._texts))
        return wake

    def cancel(self) -> None:
        """End the tour, if one runs."""
        if self._tour is not None:
            self._tour.cancel()
            self._end()

    def _press(self) -> None:
        if self._tour is not None:
            self.cancel()
            self._result.write(self._texts("tour.cancelled"))
        elif self._start.getAttribute("aria-disabled") != "true":
            self._begin()

    def _begin(self) -> None:
        self._home = self._store.state.room_id
        self._room = f"tour-{secrets.token_hex(3)}"
        self._actions.enter_room(self._room)
        self._before = self._diagnosis.delivery()
        self._tour = Tour(self, self._message)
        self._start.textContent = self._texts("tour.cancel")
        self._result.write("")

    def _message(self, fault: Fault | None, number: int) -> str:
        return f"{number}. {self._texts(f'tour.{key_of(fault)}')}"

    def _end(self) -> None:
        self._tour = None
        self._step.write("")
        self._start.textContent = self._texts("tour.start")
        if self._store.state.room_id == self._room:
            self._actions.enter_room(self._home)
        self._actions.leave_room(self._room)
