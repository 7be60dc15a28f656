"""One run: everybody types, everything breaks, then all is well again and the verdict is given."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page

from tests.e2e.chaos.chronicle import Chronicle
from tests.e2e.chaos.member import Member
from tests.e2e.chaos.plan import LASTING, ONCE, Player, Step, What
from tests.e2e.chaos.sabotage import Saboteur
from tests.e2e.chaos.screen import read_back
from tests.e2e.chaos.tab import Tab
from tests.e2e.chaos.truth import read_log
from tests.e2e.chaos.typist import Typists
from tests.e2e.chaos.verdict import Gathered, Line, Verdict, judge, judge_screen
from tests.support.person import Person
from tests.support.server import KizunaServer

ROOM = "chaos"
#: Between two rounds the browser's events are heard: Playwright tells of them only while it waits for a page.
PASS_TIME = "() => new Promise((resolve) => setTimeout(resolve, 50))"
#: Seconds between two looks at every screen while things break.
LOOK_EVERY = 1.0
#: A step that would meet a page that is starting, or another fault of the same network, waits this long.
PUT_OFF = 0.5
#: Seconds until everybody is back once all is well: a silent link is found (4.5), attempts pass (4), a message
#: that found no answer is sent again (5 to 10), a backlog of minutes goes out one by one.
SETTLE_WITHIN = 90.0
#: Scrolling back through a long conversation, 100 messages a step.
READ_WITHIN = 120.0
#: Fewer messages in a second tell nothing: somebody did not type.
TOO_QUIET = 1.0


@dataclass(slots=True)
class Outcome:
    """What a run went through and how it ended."""

    verdict: Verdict = field(default_factory=Verdict)
    seconds: float = 0.0  #: of chaos
    settled_in: float | None = (
        None  #: seconds from the last fault until everybody was back and nothing waited
    )
    typed: int = 0
    left: int = 0  #: of those typed, known to have left their composer
    logged: int = 0  #: in the server's log at the end
    links: int = 0  #: that the server called ready
    lives: int = 0  #: pages that started and were typed in


class Run:
    """Responsible for carrying out a plan on pages, networks and a server, and for looking at all screens. ``tell``
    hears of its progress."""

    def __init__(
        self,
        browser: Browser,
        server: KizunaServer,
        players: Sequence[Player],
        seed: int,
        saboteur: Saboteur | None = None,
        tell: Callable[[str], None] = print,
    ) -> None:
        self.chronicle = Chronicle()
        self.outcome = Outcome()
        self.server = server
        self.members = [Member(player, browser, server.port, self.chronicle) for player in players]
        self._typists = Typists(seed, self._thread_of)
        self._gathered = Gathered()
        self._saboteur = saboteur
        self._pump: Page = browser.new_page()  # an empty one, to wait in
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="server starts")
        self._server_starts: Future[KizunaServer] | None = None
        self._server_up_at: float | None = None  # while it is killed
        self._looked = 0.0
        self._log: list[Line] = []  # as it is at the end
        self._tell = tell
        for member in self.members:
            self._typists.attend(member.context)
            if saboteur is not None:
                saboteur.attend(member.context)

    @property
    def tabs(self) -> list[Tab]:
        """Everybody's."""
        return [tab for member in self.members for tab in member.tabs]

    def close(self) -> None:
        """Close the pages and networks; the browser and the server stay."""
        self._workers.shutdown()
        for member in self.members:
            member.leave()
        self._pump.close()

    # --- the four parts of a run ---

    def gather(self) -> None:
        """Everybody opens the page and joins; then their further tabs join by themselves."""
        first = [member.tabs[0] for member in self.members]
        for tab in first:
            tab.open(ROOM)
        for tab in first:
            _person(tab).wait_until_started()
            _person(tab).join()
        for tab in self.tabs:
            if not tab.is_open:
                tab.open(ROOM)
        self._wait_until_all_live()
        if self._saboteur is not None:
            self._saboteur.check()

    def perform(self, plan: Sequence[Step], seconds: float) -> None:
        """Everything of the plan, until time is up or something is seen to be wrong."""
        self.chronicle.begin()
        steps = deque(plan)
        minutes = 0
        while self.chronicle.seconds < seconds and self.outcome.verdict.holds:
            self._tick()
            if self.chronicle.seconds // 60 > minutes:
                minutes += 1
                self._tell(f"{minutes} min: {len(self._typists.ledger.typed)} typed")
            for step in self._due(steps):
                if self._is_possible(step):
                    self._carry_out(step)
                else:
                    later = self.chronicle.seconds + PUT_OFF
                    _insert(steps, Step(later, step.what, step.whom, step.seconds, step.strength))
        self.outcome.seconds = self.chronicle.seconds

    def settle(self) -> None:
        """Faults stop. Everybody comes back; nobody types any more; nothing waits."""
        for member in self.members:
            member.trouble.end()
        begun = self.chronicle.seconds
        self.chronicle.note("-- step", "all is well again")
        while not self._is_server_up:
            self._tick()
        for tab in self.tabs:
            if not tab.is_open:
                tab.open(ROOM)
        self._wait_until_all_live()
        self._typists.may_type = False
        deadline = time.monotonic() + SETTLE_WITHIN
        self._wait_for_rest(deadline)
        self._log = read_log(self.server, ROOM)
        head = max((line.seq or 0 for line in self._log), default=0)
        unrest = self._wait_for_rest(deadline, head)
        self.outcome.settled_in = self.chronicle.seconds - begun
        self._complain(*(f"{SETTLE_WITHIN:.0f} s after the last fault {each}" for each in unrest))

    def judge(self) -> None:
        """Read every screen from its first message, and compare it with the log."""
        log, typed = self._log, self._typists.ledger.typed
        screens = {tab.name: read_back(_person(tab).page, READ_WITHIN).lines for tab in self.tabs}
        for name, screen in screens.items():
            self.chronicle.note(name, f"shows at the end: {_listed(screen)}")
        self.outcome.logged = len(log)
        self.outcome.verdict += judge(typed, log, screens)
        self._complain(*(problem for tab in self.tabs for problem in tab.problems))
        if len(log) < TOO_QUIET * self.outcome.seconds:
            self._complain(
                f"only {len(log)} messages in {self.outcome.seconds:.0f} s: too few to tell anything"
            )

    def count(self) -> None:
        """Complete the numbers of the outcome, whatever has come before."""
        typed = self._typists.ledger.typed
        self.outcome.typed = len(typed)
        self.outcome.left = sum(text.left for text in typed)
        self.outcome.links = self.chronicle.counts["links"]
        self.outcome.lives = sum(tab.lives for tab in self.tabs)

    # --- while time passes ---

    def _tick(self) -> None:
        """A moment passes: what lasted long enough ends, what came is heard, everybody's screen is looked at."""
        self._pump.evaluate(PASS_TIME)
        now = self.chronicle.seconds
        for member in self.members:
            if member.trouble.end_if_over(now):
                self.chronicle.note("-- step", f"{member.name}'s network works again")
        self._start_server_if_time()
        for tab in self.tabs:
            if tab.has_crashed_by_itself():
                self._complain(f"{tab.name}'s page crashed by itself")
            elif not self._is_broken(tab) and tab.load_again_if_stuck():
                self.chronicle.count("page loaded again")
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._look()

    def _look(self) -> None:
        verdict = Verdict()
        for tab in self.tabs:
            screen = tab.look()
            if screen is not None:
                verdict += judge_screen(tab.name, screen.lines)
                self._gathered.add(tab.name, screen.lines)
                if not verdict.holds:
                    self.chronicle.note(tab.name, f"shows: {_listed(screen.lines)}")
        verdict += self._gathered.judge(self._typists.ledger.typed)
        if self.outcome.verdict.holds:
            self.outcome.verdict = verdict

    def _due(self, steps: deque[Step]) -> Iterator[Step]:
        while steps and steps[0].at <= self.chronicle.seconds:
            yield steps.popleft()

    def _unrest(self, head: int = 0) -> list[str]:
        """Who is not as one is when all is well, or has not come as far as ``head``: a link that died without a
        word, just before, still counts as connected."""
        unrest = []
        for tab in self.tabs:
            text = self._typists.text_in_hand(_person(tab).page)
            screen = tab.look()
            if screen is None:
                unrest.append(f"{tab.name} has no screen")
            elif screen.unrest or text:
                unrest.append(f"{tab.name}: {screen.unrest or f'about to type {text!r}'}")
            elif screen.newest < head:
                unrest.append(f"{tab.name} shows {screen.newest} of {head}")
        return unrest

    def _wait_for_rest(self, deadline: float, head: int = 0) -> list[str]:
        """Until nobody is restless; who still is at the deadline."""
        while (unrest := self._unrest(head)) and time.monotonic() < deadline:
            self._tick()
        return unrest

    def _wait_until_all_live(self) -> None:
        deadline = time.monotonic() + SETTLE_WITHIN
        while not all(tab.is_live for tab in self.tabs):
            self._tick()
            if time.monotonic() > deadline:
                absent = [tab.name for tab in self.tabs if not tab.is_live]
                raise AssertionError(f"no page within {SETTLE_WITHIN:.0f} s: {', '.join(absent)}")

    # --- steps ---

    def _is_possible(self, step: Step) -> bool:
        """Whether its time has come: a page that starts is left alone, one lasting fault holds in a network."""
        match step.what:
            case What.KILL:
                return self._is_server_up and not any(member.is_loading for member in self.members)
            case What.OPEN | What.RELOAD:
                return not self._is_broken(self._tab(step.whom))
            case What.CLOSE | What.CRASH:
                return True
        member = self._member(step.whom)
        return not member.is_loading and not (step.what in LASTING and member.trouble.is_lasting)

    def _carry_out(self, step: Step) -> None:
        done = True
        if step.what in LASTING:
            self._member(step.whom).trouble.begin(
                step.what, step.strength, self.chronicle.seconds + step.seconds
            )
        elif step.what in ONCE:
            member = self._member(step.whom)
            done = member.trouble.strike(step.what, lambda: member.last_message)
        elif step.what is What.KILL:
            self._server_up_at = self.chronicle.seconds + step.seconds
            self.server.kill()
        else:
            done = self._befall(self._tab(step.whom), step.what)
        if done:
            self.chronicle.count(step.what.value)
            self.chronicle.note("-- step", str(step))

    def _befall(self, tab: Tab, what: What) -> bool:
        """Do it to a tab; False when there is nothing to do it to."""
        if what is What.OPEN:
            if tab.is_open:
                return False
            tab.open(ROOM)
            return True
        if not tab.is_live:
            return False
        {What.RELOAD: tab.reload, What.CRASH: tab.crash, What.CLOSE: tab.close}[what]()
        return True

    def _start_server_if_time(self) -> None:
        if not self.server.is_running and self._server_up_at is None and self._server_starts is None:
            raise AssertionError("the server has ended by itself")
        if self._server_up_at is not None and self._server_up_at <= self.chronicle.seconds:
            self._server_up_at = None
            self._server_starts = self._workers.submit(self.server.start)
        if self._server_starts is not None and self._server_starts.done():
            self._server_starts.result()
            self._server_starts = None
            self.chronicle.note("server", "is back")

    # --- who is who ---

    @property
    def _is_server_up(self) -> bool:
        return self.server.is_running and self._server_starts is None

    def _is_broken(self, tab: Tab) -> bool:
        """Whether no page could start now."""
        return not self._is_server_up or self._member(tab.owner).trouble.is_lasting

    def _member(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    def _tab(self, name: str) -> Tab:
        return next(tab for tab in self.tabs if tab.name == name)

    def _thread_of(self, page: Page, life: str) -> tuple[str, str] | None:
        for member in self.members:
            thread = member.thread_of(page, life)
            if thread is not None:
                return member.name, thread
        return None

    def _complain(self, *complaints: str) -> None:
        known = self.outcome.verdict.other
        self.outcome.verdict += Verdict(other=tuple(each for each in complaints if each not in known))


def carry_out(run: Run, plan: Sequence[Step], seconds: float) -> Outcome:
    """The whole run. A verdict that is broken on the way ends it at once: what is on the screens then says most."""
    with contextlib.ExitStack() as end:
        end.callback(run.count)
        run.gather()
        run.perform(plan, seconds)
        if run.outcome.verdict.holds:
            run.settle()
            run.judge()
    return run.outcome


def _person(tab: Tab) -> Person:
    assert tab.person is not None, f"{tab.name} is closed"
    return tab.person


def _insert(steps: deque[Step], step: Step) -> None:
    """Put it where its time is."""
    place = next((i for i, other in enumerate(steps) if other.at > step.at), len(steps))
    steps.insert(place, step)


def _listed(lines: Sequence[Line]) -> str:
    return ", ".join(f"{line.seq or 'waiting'} {line.text!r}" for line in lines)
