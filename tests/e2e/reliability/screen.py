"""One page in one engine, as the scenarios use it: what every engine does alike, and the notes that the page takes."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.support.waiting import PATIENCE, eventually

#: Runs in the page once it has started. All times are the real Date.now(), whatever a scenario makes of the clock.
TAKE_NOTES = """() => {
    const root = document.documentElement, now = Date.now.bind(Date), dateNow = Date.now;
    const notes = {history: [], hints: [], sockets: [], texts: {}, errors: []};
    const standing = () => [root.dataset.status, root.dataset.caughtUp === "true"];
    const noteStanding = () => notes.history.push([now(), ...standing()]);
    const noteTexts = () => document.querySelectorAll('[role="log"] article [data-part="content"]').forEach(
        (content) => { notes.texts[content.textContent] ??= now(); });
    const noteHint = (name) => notes.hints.push([now(), name]);
    new MutationObserver(noteStanding).observe(root, {attributeFilter: ["data-status", "data-caught-up"]});
    new MutationObserver(noteTexts).observe(document.body, {childList: true, subtree: true});
    document.addEventListener("visibilitychange", () => noteHint(document.visibilityState), true);
    for (const name of ["freeze", "resume"]) document.addEventListener(name, () => noteHint(name), true);
    for (const name of ["online", "offline"]) addEventListener(name, () => noteHint(name), true);
    for (const name of ["pagehide", "pageshow"])
        addEventListener(name, (event) => noteHint(event.persisted ? `${name} kept` : name), true);
    addEventListener("error", (event) => notes.errors.push(String(event.message)));
    window.WebSocket = new Proxy(WebSocket, {construct(target, given, newTarget) {
        notes.sockets.push(now());
        return Reflect.construct(target, given, newTarget);
    }});
    window.reliability = {
        read: () => notes,
        begin: () => {
            Object.assign(notes, {history: [], hints: [], sockets: [], texts: {}, errors: []});
            noteStanding();
            noteTexts();
        },
        jump: (seconds) => { Date.now = () => now() + seconds * 1000; noteHint("clock jump"); },
        setRight: () => { Date.now = dateNow; },
        claim: (offline) => {
            if (offline) Object.defineProperty(navigator, "onLine", {get: () => false, configurable: true});
            else delete navigator.onLine;
            dispatchEvent(new Event(offline ? "offline" : "online"));
        },
    };
}"""

READ_MESSAGES = """() => [...document.querySelectorAll('[role="log"] article')].map((article) => [
    article.querySelector('[data-part="content"]').textContent, article.dataset.state])"""

READ_STANDING = """() => {
    const root = document.documentElement, name = document.querySelector("#room-name");
    return [root.dataset.status, root.dataset.caughtUp === "true", name ? name.textContent : ""];
}"""

LEAVE_OTHER_ROOMS = """(room) => document.querySelectorAll("button[data-room]").forEach((button) => {
    if (button.dataset.room !== room) button.click();
})"""

PRESS_TRY_NOW = """() => [...document.querySelectorAll("button")]
    .filter((button) => button.textContent.trim() === "Try now" && button.checkVisibility())
    .forEach((button) => button.click())"""


class Need(StrEnum):
    """What an engine must be able to do for a scenario."""

    HIDE = "hide"  #: put the page behind something, for real
    FREEZE = "freeze"
    KEEP = "keep"  #: restore the page from the back/forward cache
    ONLINE = "online"  #: tell the page that the network went and came back
    LIE = "lie"  #: tell the page that there is no network while it works


@dataclass(frozen=True)
class Notes:
    """What the page noted since it was last told to begin. Seconds since 1970."""

    history: tuple[tuple[float, str, bool], ...]  #: from when on: the status, and whether caught up
    hints: tuple[tuple[float, str], ...]
    sockets: tuple[float, ...]  #: when the page asked for each WebSocket
    texts: Mapping[str, float]  #: when each text was first drawn
    errors: tuple[str, ...]

    def when_hinted(self, name: str) -> float | None:
        """The last event of this name."""
        return next((at for at, hint in reversed(self.hints) if hint == name), None)

    @property
    def changes(self) -> list[tuple[float, str]]:
        """The changes of the status, without those of caught-up alone."""
        changes: list[tuple[float, str]] = []
        for at, status, _ in self.history:
            if not changes or changes[-1][1] != status:
                changes.append((at, status))
        return changes

    @property
    def standing_since(self) -> float:
        """When the status became what it is."""
        return self.changes[-1][0]

    def since(self, moment: float) -> Iterator[tuple[float, str, bool]]:
        """What stood at ``moment``, as of then, and all that followed."""
        before = [entry for entry in self.history if entry[0] <= moment]
        if before:
            yield (moment, *before[-1][1:])
        yield from (entry for entry in self.history if entry[0] > moment)


class Screen(ABC):
    """Responsible for using one page in one engine, and for what that engine can show.

    ``lacks`` names why a scenario cannot be shown; ``remarks`` says by which means something is shown.
    """

    lacks: Mapping[Need, str] = {}
    remarks: Mapping[Need, str] = {}

    # --- each engine in its own way ---

    @abstractmethod
    def begin(self, room: str) -> None:
        """Open the page in a room, and join."""

    @abstractmethod
    def run(self, function: str, argument: object = None) -> Any:
        """The result of a JavaScript function in the page."""

    @abstractmethod
    def type_and_send(self, text: str) -> None:
        """Type into the composer and press Enter; returns when the composer is empty."""

    @abstractmethod
    def hide(self) -> None:
        """Put the page out of sight."""

    @abstractmethod
    def show(self) -> None:
        """Bring it back into sight."""

    def freeze(self) -> None:
        """Stop the code of a hidden page."""
        raise NotImplementedError(self.lacks[Need.FREEZE])

    def resume(self) -> None:
        """Let it run again."""
        raise NotImplementedError(self.lacks[Need.FREEZE])

    @abstractmethod
    def go_away(self) -> None:
        """Go somewhere else in the same tab."""

    @abstractmethod
    def go_back(self) -> None:
        """Press the browser's Back."""

    @abstractmethod
    def set_offline(self, offline: bool) -> None:
        """Make the browser say that the network went or came back; some take it away, too."""

    def claim_offline(self, offline: bool) -> None:
        """Make the browser say so, and nothing else."""
        self.run("(offline) => reliability.claim(offline)", offline)

    # --- alike in all ---

    def take_notes(self) -> None:
        """From now on the page notes what becomes of it."""
        self.run(TAKE_NOTES)
        self.begin_notes()

    def begin_notes(self) -> None:
        """Forget what was noted."""
        self.run("() => reliability.begin()")

    @property
    def notes(self) -> Notes:
        """What the page has noted."""
        read = self.run("() => reliability.read()")
        return Notes(
            history=tuple((at / 1000, status, caught_up) for at, status, caught_up in read["history"]),
            hints=tuple((at / 1000, name) for at, name in read["hints"]),
            sockets=tuple(at / 1000 for at in read["sockets"]),
            texts={text: at / 1000 for text, at in read["texts"].items()},
            errors=tuple(read["errors"]),
        )

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The texts on the screen and their states, from top to bottom."""
        return [(text, state) for text, state in self.run(READ_MESSAGES)]

    @property
    def status(self) -> str:
        """The connection's status now."""
        return str(self.run(READ_STANDING)[0])

    def wait_until_in(self, room: str, within: float = PATIENCE) -> None:
        """Connected, caught up, and in this room."""
        expected = ["connected", True, room]
        eventually(lambda: list(self.run(READ_STANDING)) == expected, within, what=f"{expected}")

    def enter(self, room: str) -> None:
        """Be in a new room, in no other one, and connected."""
        self.run(PRESS_TRY_NOW)
        self.run("(room) => { location.hash = `#/${room}`; }", room)
        self.wait_until_in(room, within=3 * PATIENCE)
        self.run(LEAVE_OTHER_ROOMS, room)

    def wait_for_text(self, text: str, within: float = PATIENCE, *, state: str | None = None) -> None:
        """The message stands there once, in this state if one is named."""

        def stands() -> bool:
            states = [shown for said, shown in self.messages if said == text]
            return len(states) == 1 and state in (None, states[0])

        eventually(stands, within, what=f"{text!r}, {state or 'in any state'}, on the screen")

    def wait_for_visibility(self, state: str) -> None:
        """The page is told that it is in this state."""
        eventually(
            lambda: self.run("() => document.visibilityState") == state, what=f"a page that is {state}"
        )

    @contextlib.contextmanager
    def clock_jump(self, seconds: float) -> Iterator[None]:
        """The wall clock goes forward, as in a sleep through which the monotonic clock stood still."""
        self.run("(seconds) => reliability.jump(seconds)", seconds)
        try:
            yield
        finally:
            self.run("() => reliability.setRight()")
