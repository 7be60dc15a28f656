"""One run: everybody types, everything of the plan breaks, then all is well again and the verdict is given.

Nothing here depends on how fast the machine is: the plan ends when its last fault is over, and what is awaited is
given up after GIVE_UP alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Browser, Page

from chat.protocol import Batch, History
from tests.e2e.chaos.chronicle import Chronicle
from tests.e2e.chaos.plan import BREAKS, UPHEAVALS, Fault, Player, What
from tests.e2e.chaos.sabotage import Saboteur
from tests.e2e.chaos.tab import Member, Tab, lines_of, unrest_of
from tests.e2e.chaos.trouble import lasting, strike
from tests.e2e.chaos.typist import Typists
from tests.e2e.chaos.verdict import Gathered, Line, Verdict, judge, judge_screen
from tests.support.artifacts import begin_trace, keep
from tests.support.peer import Peer
from tests.support.server import KizunaServer

#: Between two rounds the browser's events are heard: Playwright tells of them only while it waits for a page.
PASS_TIME = "() => new Promise((resolve) => setTimeout(resolve, 50))"
#: Seconds between two looks at every screen while things break.
LOOK_EVERY = 0.5
#: Seconds. Nothing that works needs them, on however busy a machine.
GIVE_UP = 300.0

#: Steps between which time passes; each says what it waits for.
Track = Generator[str]


class Run:
    """Responsible for carrying out a plan on pages, networks and a server, and for looking at all screens."""

    def __init__(
        self,
        browser: Browser,
        server: KizunaServer,
        players: Sequence[Player],
        seed: int,
        *,
        saboteur: Saboteur | None = None,
        room: str,
    ) -> None:
        self.chronicle = Chronicle()
        self.verdict = Verdict()
        self._took = 0.0  # seconds, for the plan
        self._settled_in = 0.0  # seconds, until everybody was back and nothing waited
        self._log: list[Line] = []  # the server's, at the end
        self._server = server
        self._room = room
        self._members = [Member(player, browser, server.port, self.chronicle) for player in players]
        self._typists = Typists(seed, self._thread_of)
        self._gathered = Gathered()
        self._saboteur = saboteur
        self._pump: Page = browser.new_page()  # an empty one, to wait in
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="server starts")
        self._is_server_away = False
        self._looked = 0.0
        for member in self._members:
            begin_trace(member.context)
            self._typists.attend(member.context)
            if saboteur is not None:
                saboteur.attend(member.context)

    def carry_out(self, plan: Sequence[Fault]) -> Verdict:
        """The whole run. A verdict that is broken on the way ends it at once: what is on the screens then says
        most."""
        self.gather()
        self.perform(plan)
        if self.verdict.holds:
            self.settle()
            self.judge()
        return self.verdict

    def report(self) -> str:
        """The numbers and the verdict, for a person."""
        counts, typed = self.chronicle.counts, self._typists.typed
        left = sum(text.left for text in typed)
        return "\n".join(
            [
                f"the plan took {self._took:.0f} s, then all was settled in {self._settled_in:.1f} s",
                f"messages: {len(typed)} typed, {left} left their composer, {len(self._log)} in the log",
                f"faults: {counts.total()}: {', '.join(f'{what} {n}' for what, n in counts.items())}",
                f"reconnects: {self._reconnects}",
                f"verdict {self.verdict}",
            ]
        )

    def keep(self, name: str) -> str:
        """Leave what happened in a folder, and return the folder's name."""
        people = [tab.person for tab in self._tabs if tab.is_open]
        events = f"{self.report()}\n\n{self.chronicle}\n"
        return keep(name, people, {"events.txt": events, "server.txt": self._server.output})

    def close(self) -> None:
        """Close the pages and networks; the browser and the server stay, the server runs."""
        self._workers.shutdown()
        if not self._server.is_running:
            self._server.start()
        for member in self._members:
            member.leave()
        self._pump.close()

    # --- the four parts of a run ---

    def gather(self) -> None:
        """Everybody opens the page and joins; then their further tabs join by themselves."""
        first = [member.tabs[0] for member in self._members]
        for tab in first:
            self._open(tab)
        for tab in first:
            tab.person.wait_until_started()
            tab.person.join()
        for tab in self._tabs:
            if not tab.is_open:
                self._open(tab)
        self._wait(lambda: all(tab.is_live for tab in self._tabs), "a page in each tab")
        if self._saboteur is not None:
            self._saboteur.check()

    def perform(self, plan: Sequence[Fault]) -> None:
        """Everything of the plan, until something is seen to be wrong."""
        begun = self.chronicle.seconds
        upheavals = [fault for fault in plan if fault.what in UPHEAVALS]
        tracks = [self._upset(upheavals)]
        for member in self._members:
            own = [fault for fault in plan if fault.whom == member.name and fault.what not in UPHEAVALS]
            tracks.append(self._trouble(member, own))
        while tracks and self.verdict.holds:
            self._tick()
            tracks = [track for track in tracks if next(track, "over") != "over"]
        for track in tracks:
            track.close()
        self._took = self.chronicle.seconds - begun

    def settle(self) -> None:
        """Everybody comes back; nobody types any more; nothing waits."""
        begun = self.chronicle.seconds
        self.chronicle.note("-- step", "all is well again")
        self._typists.may_type = False
        self._wait(lambda: not self._unrest(), "rest on every screen")
        self._log = read_log(self._server, self._room)
        head = max((line.seq or 0 for line in self._log), default=0)
        self._wait(lambda: not self._unrest(head), f"every screen at {head}")
        self._settled_in = self.chronicle.seconds - begun

    def judge(self) -> None:
        """Read every screen from its first message, and compare it with the log."""
        screens = {tab.name: tab.read_back(GIVE_UP) for tab in self._tabs}
        for name, screen in screens.items():
            self.chronicle.note(name, f"shows at the end: {_listed(screen)}")
        complaints = [problem for tab in self._tabs for problem in tab.problems]
        if self._reconnects <= 0:
            complaints.append("nobody ever reconnected: nothing was tried")
        heard = {line.text.partition(" ")[0] for line in self._log}
        silent = [member.name for member in self._members if member.name.lower() not in heard]
        complaints += [f"nothing of {name}'s is in the log: nothing was tried" for name in silent]
        self.verdict += judge(self._typists.typed, self._log, screens) + Verdict(other=tuple(complaints))

    # --- faults, each track as steps between which time passes ---

    def _trouble(self, member: Member, faults: Sequence[Fault]) -> Track:
        """One network's faults. It is left alone while something befalls a tab."""
        for fault in faults:
            if fault.waits:
                yield from self._until(lambda: member.is_back, f"{member.name} back before {fault}")
            yield from self._rest(fault.rest)
            yield from self._until(lambda: not member.is_reserved, f"{member.name}'s network free")
            yield from self._hold(member, fault) if fault.seconds else self._strike(member, fault)

    def _hold(self, member: Member, fault: Fault) -> Track:
        member.is_in_trouble = True
        with lasting(member.network, fault):
            member.is_back = fault.what not in BREAKS
            self._note(fault)
            yield from self._rest(fault.seconds)
        member.is_in_trouble = False

    def _strike(self, member: Member, fault: Fault) -> Track:
        def struck() -> bool:
            return not member.is_reserved and strike(member.network, fault.what, member.last_message)

        yield from self._until(struck, f"something that {fault} meets")
        member.is_back = fault.what not in BREAKS
        self._note(fault)

    def _upset(self, faults: Sequence[Fault]) -> Track:
        """What befalls the server and the tabs."""
        for fault in faults:
            yield from self._rest(fault.rest)
            yield from self._kill(fault) if fault.what is What.KILL else self._befall(fault)

    def _kill(self, fault: Fault) -> Track:
        self._is_server_away = True
        self._server.kill()
        self._note(fault)
        yield from self._rest(fault.seconds)
        starts = self._workers.submit(self._server.start)
        yield from self._until(starts.done, "the server started again")
        starts.result()
        self._is_server_away = False
        self.chronicle.note("server", "is back")

    def _befall(self, fault: Fault) -> Track:
        """A tab goes while its messages wait, or are on their way into nowhere; a new page follows in it."""
        tab = next(tab for tab in self._tabs if tab.name == fault.whom)
        member = tab.member
        member.is_reserved = True
        try:
            yield from self._until(lambda: not member.is_in_trouble, f"{member.name}'s network in order")
            if fault.what is What.RELOAD:
                with lasting(member.network, Fault(What.DOWN)):
                    yield from self._rest(fault.seconds)
                tab.reload()
            else:
                with lasting(member.network, Fault(fault.silence)):
                    yield from self._rest(fault.seconds * 0.75)
                    tab.crash() if fault.what is What.CRASH else tab.close()
                    yield from self._rest(fault.seconds * 0.25)
                self._open(tab)
            self._note(fault)
            yield from self._until(lambda: tab.is_live, f"a page again in {tab.name}")
        finally:
            member.is_reserved = False

    def _until(self, holds: Callable[[], bool], what: str) -> Track:
        """Steps until it holds. AssertionError when it never does."""
        give_up = self.chronicle.seconds + GIVE_UP
        while not holds():
            if self.chronicle.seconds > give_up:
                unrest = "; ".join(self._unrest()) or "nobody is restless"
                raise AssertionError(f"not within {GIVE_UP:.0f} s: {what} ({unrest})")
            yield what

    def _rest(self, seconds: float) -> Track:
        end = self.chronicle.seconds + seconds
        yield from self._until(lambda: self.chronicle.seconds >= end, "time")

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        for _ in self._until(holds, what):
            self._tick()

    def _note(self, fault: Fault) -> None:
        self.chronicle.counts[fault.what] += 1
        self.chronicle.note("-- step", str(fault))
        print(f"{self.chronicle.seconds:.0f} s: {len(self._typists.typed)} typed, {fault}", flush=True)

    # --- while time passes ---

    def _tick(self) -> None:
        """A moment passes: what came is heard, everybody's screen is looked at."""
        self._pump.evaluate(PASS_TIME)
        assert self._is_server_away or self._server.is_running, "the server has ended by itself"
        for tab in self._tabs:
            assert not tab.has_crashed, f"{tab.name}'s page crashed by itself"
        if self.chronicle.seconds - self._looked >= LOOK_EVERY:
            self._look()
            self._looked = self.chronicle.seconds

    def _look(self) -> None:
        verdict = Verdict()
        for tab in self._tabs:
            screen = tab.look()
            if screen is not None:
                lines = lines_of(screen)
                verdict += judge_screen(tab.name, lines)
                self._gathered.add(tab.name, lines)
                if not verdict.holds:
                    self.chronicle.note(tab.name, f"shows: {_listed(lines)}")
        verdict += self._gathered.judge(self._typists.typed)
        if self.verdict.holds:
            self.verdict = verdict

    def _unrest(self, head: int = 0) -> list[str]:
        """Who is not as one is when all is well, or has not come as far as ``head``: a link that died without a
        word, just before, still counts as connected."""
        unrest = []
        for tab in self._tabs:
            screen = tab.look()
            if screen is None:
                unrest.append(f"{tab.name} has no screen")
                continue
            newest = max((line.seq or 0 for line in lines_of(screen)), default=0)
            if text := self._typists.text_in_hand(tab.person.page):
                unrest.append(f"{tab.name} is about to type {text!r}")
            elif restless := unrest_of(screen):
                unrest.append(f"{tab.name}: {restless}")
            elif newest < head:
                unrest.append(f"{tab.name} shows {newest} of {head}")
        return unrest

    # --- who is who ---

    @property
    def _tabs(self) -> list[Tab]:
        return [tab for member in self._members for tab in member.tabs]

    def _open(self, tab: Tab) -> None:
        tab.open(self._room, self._saboteur.asks if self._saboteur else "")

    def _thread_of(self, page: Page, life: str) -> tuple[str, str] | None:
        """Who types in a page, and the thread: None if the page is nobody's.

        Who has one tab is promised that all texts stand in the order typed, through all lives of the tab. What
        waits in a tab that goes, another tab of the same person may send: then each life is a thread of its own.
        """
        for tab in self._tabs:
            if number := tab.number_of_life(page, life):
                member = tab.member
                return member.name, member.name if len(member.tabs) == 1 else f"{tab.name}, life {number}"
        return None

    @property
    def _reconnects(self) -> int:
        return sum(tab.links - len(tab.lives) for tab in self._tabs)


def read_log(server: KizunaServer, room: str) -> list[Line]:
    """What the server has of a room, asked for in its own protocol: all messages in the order of their numbers."""
    messages: list[tuple[int, str]] = []
    with Peer(server, room, "Reader") as peer:
        batch = peer.wait_for(Batch)
        while True:
            messages += [(message.seq or 0, message.content) for message in batch.messages]
            first, _ = min(messages, default=(1, ""))
            if first <= 1:
                return [Line(text, seq) for seq, text in sorted(messages)]
            ref = f"before-{first}"
            peer.send(History(room_id=room, before=first, ref=ref))
            batch = peer.wait_for(Batch, lambda batch, ref=ref: batch.ref == ref)  # type: ignore[misc]
            assert batch.messages, f"the server has nothing before {first}"


def _listed(lines: Sequence[Line]) -> str:
    return ", ".join(f"{line.seq or 'waiting'} {line.text!r}" for line in lines)
