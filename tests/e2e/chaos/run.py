"""One chaos run: people type while the faults of a plan happen; then everything is repaired and checked.

Nothing depends on the machine's speed: the plan ends after its last fault, and only GIVE_UP ends a wait.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Browser, Page

from chat.protocol import Batch, History
from tests.e2e.chaos.delivery_check import CheckResult, LogEntry, ObservedLog, check, check_screen
from tests.e2e.chaos.disabled_protections import UnprotectedProgram
from tests.e2e.chaos.event_log import EventLog
from tests.e2e.chaos.network_faults import apply_once, lasting_fault
from tests.e2e.chaos.plan import BREAKS, SERVER_AND_TAB_FAULTS, Fault, FaultKind, PersonSetup
from tests.e2e.chaos.tab import Participant, Tab, entries_of, unsettled_parts
from tests.e2e.chaos.typing_users import TYPE, TypingUsers
from tests.support.artifacts import begin_trace, keep
from tests.support.peer import Peer
from tests.support.server import KizunaServer

#: Playwright reports a browser's events only while it waits for a page.
PASS_TIME = "() => new Promise((resolve) => setTimeout(resolve, 50))"
#: Seconds between two checks of every screen during the faults.
LOOK_EVERY = 0.5
#: Seconds until a wait fails: far more than anything needs on a busy machine.
GIVE_UP = 300.0

#: Steps between which time passes; each yields the name of what it waits for.
Track = Generator[str]


class Run:
    """A plan applied to pages, networks and a server, while all screens are checked."""

    tab_type: type[Tab] = Tab
    users_type: type[TypingUsers] = TypingUsers
    typing_script = TYPE

    def __init__(
        self,
        browser: Browser,
        server: KizunaServer,
        people: Sequence[PersonSetup],
        seed: int,
        *,
        unprotected: UnprotectedProgram | None = None,
        room: str,
    ) -> None:
        self.event_log = EventLog()
        self.result = CheckResult()
        self._took = 0.0  # seconds that the plan took
        self._settled_in = 0.0  # seconds until everybody was connected and nothing was pending
        self._log: list[LogEntry] = []  # the server's, at the end
        self._server = server
        self._room = room
        self._participants = [
            Participant(person, browser, server.port, self.event_log, self.tab_type) for person in people
        ]
        self._typing_users = self.users_type(seed, self._thread_of)
        self._observed = ObservedLog()
        self._unprotected = unprotected
        self._idle_page: Page = browser.new_page()  # an empty page to wait in
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="server starts")
        self._is_server_away = False
        self._looked = 0.0
        for participant in self._participants:
            begin_trace(participant.context)
            self._typing_users.attach(participant.context, self.typing_script)
            if unprotected is not None:
                unprotected.attach(participant.context)

    def run(self, plan: Sequence[Fault]) -> CheckResult:
        """Do the whole run. The first failed check ends it, while the screens still show the failure."""
        self.open_pages()
        self.apply_faults(plan)
        if self.result.ok:
            self.settle()
            self.check()
        return self.result

    def report(self) -> str:
        """Return the numbers and the result as text."""
        counts, typed = self.event_log.counts, self._typing_users.typed
        left = sum(text.left for text in typed)
        return "\n".join(
            [
                f"the plan took {self._took:.0f} s, settling afterwards {self._settled_in:.1f} s",
                f"messages: {len(typed)} typed, {left} left their composer, {len(self._log)} in the log",
                f"faults: {counts.total()}: {', '.join(f'{what} {n}' for what, n in counts.items())}",
                f"reconnects: {self._reconnects}",
                f"result: {self.result}",
            ]
        )

    def keep(self, name: str) -> str:
        """Save what happened in a folder, and return the folder's name."""
        people = [tab.person for tab in self._tabs if tab.is_open]
        events = f"{self.report()}\n\n{self.event_log}\n"
        return keep(name, people, {"events.txt": events, "server.txt": self._server.output})

    def close(self) -> None:
        """Close the pages and networks. The browser stays, and the server is running afterwards."""
        self._workers.shutdown()
        if not self._server.is_running:
            self._server.start()
        for participant in self._participants:
            participant.leave()
        self._idle_page.close()

    # --- the four parts of a run ---

    def open_pages(self) -> None:
        """Open everybody's first tab and join; their further tabs then join by themselves."""
        first = [participant.tabs[0] for participant in self._participants if participant.tabs]
        for tab in first:
            self._open(tab)
        for tab in first:
            tab.join()
        for tab in self._tabs:
            if not tab.is_open:
                self._open(tab)
        self._wait(lambda: all(tab.is_live for tab in self._tabs), "a page in each tab")
        if self._unprotected is not None:
            self._unprotected.check()

    def apply_faults(self, plan: Sequence[Fault]) -> None:
        """Apply the faults of the plan until a check fails."""
        begun = self.event_log.seconds
        tracks = self._tracks(plan)
        while tracks and self.result.ok:
            self._tick()
            tracks = [track for track in tracks if next(track, "over") != "over"]
        for track in tracks:
            track.close()
        self._took = self.event_log.seconds - begun

    def settle(self) -> None:
        """Stop typing, and wait until everybody is connected and nothing is pending."""
        begun = self.event_log.seconds
        self.event_log.note("-- step", "no more faults")
        self._typing_users.may_type = False
        self._wait(lambda: not self._unsettled(), "every screen settled")
        self._log = self._read_log()
        head = max((line.seq or 0 for line in self._log), default=0)
        self._wait(lambda: not self._unsettled(head), f"every screen at {head}")
        self._settled_in = self.event_log.seconds - begun

    def check(self) -> None:
        """Read every screen back to its first message, and compare it with the log."""
        screens = {tab.name: tab.read_back(GIVE_UP) for tab in self._tabs}
        for name, screen in screens.items():
            self.event_log.note(name, f"shows at the end: {_listed(screen)}")
        complaints = [problem for tab in self._tabs for problem in tab.problems]
        if self._reconnects <= 0:
            complaints.append("nobody ever reconnected: nothing was tried")
        heard = {line.text.partition(" ")[0] for line in self._log}
        silent = [
            participant.name for participant in self._participants if participant.name.lower() not in heard
        ]
        complaints += [f"nothing of {name}'s is in the log: nothing was tried" for name in silent]
        self.result += check(self._typing_users.typed, self._log, screens) + CheckResult(
            other=tuple(complaints)
        )

    def _tracks(self, plan: Sequence[Fault]) -> list[Track]:
        """Return what happens at the same time."""
        others = [fault for fault in plan if fault.kind in SERVER_AND_TAB_FAULTS]
        tracks = [self._server_and_tab_faults(others)]
        for participant in self._participants:
            own = [fault for fault in plan if fault.target == participant.name and fault not in others]
            tracks.append(self._network_faults(participant, own))
        return tracks

    # --- faults, each track as steps between which time passes ---

    def _network_faults(self, participant: Participant, faults: Sequence[Fault]) -> Track:
        """Apply the faults of one network, which waits while a tab has a fault."""
        for fault in faults:
            if fault.waits:
                yield from self._until(lambda: participant.is_back, f"{participant.name} back before {fault}")
            yield from self._rest(fault.delay)
            yield from self._until(lambda: not participant.is_reserved, f"{participant.name}'s network free")
            yield from self._hold(participant, fault) if fault.seconds else self._strike(participant, fault)

    def _hold(self, participant: Participant, fault: Fault) -> Track:
        participant.is_faulty = True
        with lasting_fault(participant.network, fault):
            participant.is_back = fault.kind not in BREAKS
            self._note(fault)
            yield from self._rest(fault.seconds)
        participant.is_faulty = False

    def _strike(self, participant: Participant, fault: Fault) -> Track:
        def struck() -> bool:
            return not participant.is_reserved and apply_once(
                participant.network, fault.kind, participant.last_message
            )

        yield from self._until(struck, f"a connection for {fault}")
        participant.is_back = fault.kind not in BREAKS
        self._note(fault)

    def _server_and_tab_faults(self, faults: Sequence[Fault]) -> Track:
        """Apply the faults of the server and the tabs."""
        for fault in faults:
            yield from self._rest(fault.delay)
            yield from self._kill(fault) if fault.kind is FaultKind.KILL else self._tab_fault(fault)

    def _kill(self, fault: Fault) -> Track:
        self._is_server_away = True
        self._server.kill()
        self._note(fault)
        yield from self._rest(fault.seconds)
        starts = self._workers.submit(self._server.start)
        yield from self._until(starts.done, "the server started again")
        starts.result()
        self._is_server_away = False
        self.event_log.note("server", "is back")

    def _tab_fault(self, fault: Fault) -> Track:
        """End a tab's page while its messages are pending or lost in the network, then open a new page in it."""
        tab = next(tab for tab in self._tabs if tab.name == fault.target)
        participant = tab.participant
        participant.is_reserved = True
        try:
            yield from self._until(
                lambda: not participant.is_faulty, f"{participant.name}'s network in order"
            )
            if fault.kind is FaultKind.RELOAD:
                with lasting_fault(participant.network, Fault(FaultKind.DOWN)):
                    yield from self._rest(fault.seconds)
                tab.reload()
            else:
                with lasting_fault(participant.network, Fault(fault.hole)):
                    yield from self._rest(fault.seconds * 0.75)
                    tab.crash() if fault.kind is FaultKind.CRASH else tab.close()
                    yield from self._rest(fault.seconds * 0.25)
                self._open(tab)
            self._note(fault)
            yield from self._until(lambda: tab.is_live, f"a page again in {tab.name}")
        finally:
            participant.is_reserved = False

    def _until(self, holds: Callable[[], bool], what: str) -> Track:
        """Step until the condition holds. Raises AssertionError after GIVE_UP."""
        give_up = self.event_log.seconds + GIVE_UP
        while not holds():
            if self.event_log.seconds > give_up:
                unsettled = "; ".join(self._unsettled()) or "everything is settled"
                raise AssertionError(f"not within {GIVE_UP:.0f} s: {what} ({unsettled})")
            yield what

    def _rest(self, seconds: float) -> Track:
        end = self.event_log.seconds + seconds
        yield from self._until(lambda: self.event_log.seconds >= end, "time")

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        for _ in self._until(holds, what):
            self._tick()

    def _note(self, fault: Fault) -> None:
        self.event_log.counts[fault.kind] += 1
        self.event_log.note("-- step", str(fault))
        print(f"{self.event_log.seconds:.0f} s: {len(self._typing_users.typed)} typed, {fault}", flush=True)

    # --- while time passes ---

    def _tick(self) -> None:
        """Let a moment pass: handle the browser's events and check every screen now and then."""
        self._idle_page.evaluate(PASS_TIME)
        assert self._is_server_away or self._server.is_running, "the server has ended by itself"
        for tab in self._tabs:
            assert not tab.has_crashed, f"{tab.name}'s page crashed by itself"
        if self.event_log.seconds - self._looked >= LOOK_EVERY:
            self._look()
            self._looked = self.event_log.seconds

    def _look(self) -> None:
        result = CheckResult()
        for tab in self._tabs:
            screen = tab.look()
            if screen is not None:
                lines = entries_of(screen)
                result += check_screen(tab.name, lines)
                self._observed.add(tab.name, lines)
                if not result.ok:
                    self.event_log.note(tab.name, f"shows: {_listed(lines)}")
        result += self._observed.check(self._typing_users.typed)
        if self.result.ok:
            self.result = result

    def _read_log(self) -> list[LogEntry]:
        return read_log(self._server, self._room)

    def _unsettled(self, head: int = 0) -> list[str]:
        """Return what is not settled in each tab, or shows less than ``head`` (a dead link still looks connected)."""
        unsettled = []
        for tab in self._tabs:
            screen = tab.look()
            if screen is None:
                unsettled.append(f"{tab.name} has no screen")
                continue
            newest = max((line.seq or 0 for line in entries_of(screen)), default=0)
            if text := self._typing_users.unsent_text(tab.person.page):
                unsettled.append(f"{tab.name} is about to type {text!r}")
            elif problem := unsettled_parts(screen):
                unsettled.append(f"{tab.name}: {problem}")
            elif newest < head:
                unsettled.append(f"{tab.name} shows {newest} of {head}")
        return unsettled

    # --- tabs ---

    @property
    def _tabs(self) -> list[Tab]:
        return [tab for participant in self._participants for tab in participant.tabs]

    def _open(self, tab: Tab) -> None:
        tab.open(self._room, self._unprotected.asks if self._unprotected else "")

    def _thread_of(self, page: Page, life: str) -> tuple[str, str] | None:
        """Return the name of the person who types in a page, and the thread; None for a page of no tab.

        With one tab, all texts keep the order in which they were typed, in all pages of that tab. With two, the other
        tab may send what a closed page left pending, so each page ("life") is a thread.
        """
        for tab in self._tabs:
            if number := tab.life_number(page, life):
                name, is_only_tab = tab.participant.name, len(tab.participant.tabs) == 1
                return name, name if is_only_tab else f"{tab.name}, life {number}"
        return None

    @property
    def _reconnects(self) -> int:
        return sum(tab.links - len(tab.lives) for tab in self._tabs)


def read_log(server: KizunaServer, room: str) -> list[LogEntry]:
    """Return all messages of a room by their sequence numbers, read from the server in its protocol."""
    messages: list[tuple[int, str]] = []
    with Peer(server, room, "Reader") as peer:
        batch = peer.wait_for(Batch)
        while True:
            messages += [(message.seq or 0, message.content) for message in batch.messages]
            first, _ = min(messages, default=(1, ""))
            if first <= 1:
                return [LogEntry(text, seq) for seq, text in sorted(messages)]
            ref = f"before-{first}"
            peer.send(History(room_id=room, before=first, ref=ref))
            batch = peer.wait_for(Batch, lambda batch, ref=ref: batch.ref == ref)  # type: ignore[misc]
            assert batch.messages, f"the server has nothing before {first}"


def _listed(lines: Sequence[LogEntry]) -> str:
    return ", ".join(f"{line.seq or 'waiting'} {line.text!r}" for line in lines)
