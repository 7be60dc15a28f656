"""What can be given away: the diagnosis for the clipboard, and the timeline as a file."""

from __future__ import annotations

import json
from typing import Any

import js
from pyodide.ffi import JsException, to_js

from chat.diagnosis import Diagnosis
from chat.store import ChatState
from kizuna.delivery import TaskSet
from ui.inspector.elements import Line, button, html
from ui.kit.dom import Listeners
from ui.kit.texts import Texts

_FILE = "kizuna-timeline.json"


class ReportPart:
    """Two buttons, and what came of them."""

    def __init__(self, texts: Texts, diagnosis: Diagnosis, listeners: Listeners) -> None:
        self._texts = texts
        self._diagnosis = diagnosis
        self._tasks = TaskSet()
        self._state: ChatState | None = None
        copy = button(texts("inspector.copy"))
        download = button(texts("inspector.download"))
        self._result = Line(html("p", class_="soft", aria_live="polite"))
        buttons = html("div", class_="inspector-buttons")
        buttons.append(copy, download)
        self.element = html("div", class_="inspector-part")
        self.element.append(buttons, self._result.element)
        listeners.on(copy, "click", lambda _: self._tasks.start(self._copy()))
        listeners.on(download, "click", lambda _: self._download())

    def draw(self, state: ChatState, now: float) -> None:
        """Note what a report would be about."""
        self._state = state

    async def _copy(self) -> None:
        if self._state is None:
            return
        page = {
            "browser": js.navigator.userAgent,
            "language": self._texts.language,
            "online": js.navigator.onLine,
        }
        text = _json({**self._diagnosis.report(self._state), "page": page})
        try:
            await js.navigator.clipboard.writeText(text)
        except (JsException, AttributeError):  # without https there is no clipboard
            self._result.write(self._texts("inspector.not_copied"))
        else:
            self._result.write(self._texts("inspector.copied"))

    def _download(self) -> None:
        blob = js.Blob.new(to_js([_json(self._diagnosis.events())]), type="application/json")
        url = js.URL.createObjectURL(blob)
        html("a", href=url, download=_FILE).click()
        js.URL.revokeObjectURL(url)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
