"""A scenario's server, network and page, and the notes that a script in the page takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.support.fault_proxy import FaultProxy
from tests.support.page_driver import PageDriver
from tests.support.server import KizunaServer

#: Runs in the page once it has started. All times are the real Date.now() in seconds, even if a scenario changes it.
TAKE_NOTES = """() => {
    const root = document.documentElement, dateNow = Date.now, now = () => dateNow() / 1000;
    const notes = {history: [], hints: [], sockets: [], texts: {}, errors: []};
    const noteStanding = () =>
        notes.history.push([now(), root.dataset.status, root.dataset.caughtUp === "true"]);
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
        jump: (seconds) => { Date.now = () => dateNow() + seconds * 1000; noteHint("clock jump"); },
        setRight: () => { Date.now = dateNow; },
    };
}"""


@dataclass(frozen=True)
class Notes:
    """The page's notes since they were last cleared. Times are seconds since 1970."""

    history: Sequence[tuple[float, str, bool]]  #: time, status, and whether it was caught up
    hints: Sequence[tuple[float, str]]
    sockets: Sequence[float]  #: when the page opened each WebSocket
    texts: Mapping[str, float]  #: when each text was first drawn
    errors: Sequence[str]

    def when_hinted(self, name: str) -> float | None:
        """Return the time of the last event of this name."""
        return next((at for at, hint in reversed(self.hints) if hint == name), None)

    @property
    def changes(self) -> list[tuple[float, str]]:
        """The changes of the status, with their times."""
        changes: list[tuple[float, str]] = []
        for at, status, _ in self.history:
            if not changes or changes[-1][1] != status:
                changes.append((at, status))
        return changes

    def since(self, moment: float) -> Iterator[tuple[float, str, bool]]:
        """Yield the state at ``moment``, with that time, and all later ones."""
        before = [entry for entry in self.history if entry[0] <= moment]
        if before:
            yield (moment, *before[-1][1:])
        yield from (entry for entry in self.history if entry[0] > moment)


@dataclass(frozen=True)
class ScenarioHarness:
    """A server, a network, and a page that takes notes."""

    server: KizunaServer
    network: FaultProxy
    page: PageDriver

    def open(self) -> None:
        """Open the page, join, and start taking notes."""
        self.page.open("first", "?lang=en")
        self.page.join()
        self.page.run(TAKE_NOTES)

    def clear_notes(self) -> None:
        """Delete the notes."""
        self.page.run("() => reliability.begin()")

    @property
    def notes(self) -> Notes:
        """The page's notes."""
        return Notes(**self.page.run("() => reliability.read()"))
