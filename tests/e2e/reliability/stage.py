"""What a scenario is played with, and the notes that the page takes meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.support.fault_proxy import FaultProxy
from tests.support.page_driver import PageDriver
from tests.support.server import KizunaServer

#: Runs in the page once it has started. All times are the real Date.now() in seconds, whatever a scenario makes of the
#: clock.
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
    """What the page noted since it was last told to begin. Seconds since 1970."""

    history: Sequence[tuple[float, str, bool]]  #: from when on: the status, and whether caught up
    hints: Sequence[tuple[float, str]]
    sockets: Sequence[float]  #: when the page asked for each WebSocket
    texts: Mapping[str, float]  #: when each text was first drawn
    errors: Sequence[str]

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

    def since(self, moment: float) -> Iterator[tuple[float, str, bool]]:
        """What stood at ``moment``, as of then, and all that followed."""
        before = [entry for entry in self.history if entry[0] <= moment]
        if before:
            yield (moment, *before[-1][1:])
        yield from (entry for entry in self.history if entry[0] > moment)


@dataclass(frozen=True)
class Stage:
    """Responsible for a server, a network, and a page that takes notes."""

    server: KizunaServer
    network: FaultProxy
    page: PageDriver

    def open(self) -> None:
        """Open the page, join, and let it take notes from now on."""
        self.page.open("first", "?lang=en")
        self.page.join()
        self.page.run(TAKE_NOTES)

    def begin_notes(self) -> None:
        """Forget what was noted."""
        self.page.run("() => reliability.begin()")

    @property
    def notes(self) -> Notes:
        """What the page has noted."""
        return Notes(**self.page.run("() => reliability.read()"))
