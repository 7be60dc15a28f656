"""A chaos run over the to-do example: pages add and tick, the bot adds and ticks, while everything fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from tests.e2e.chaos.delivery_check import CheckResult, LogEntry, Typed, check_log
from tests.e2e.chaos.plan import DURATIONS, Fault, FaultKind, PersonSetup, make_plan
from tests.e2e.chaos.run import Run, Track
from tests.e2e.chaos.tab import Tab
from tests.e2e.chaos.typing_users import TypingUsers
from tests.e2e.examples.todo import Bot, Change, TodoPage, TodoServer
from tests.support.page_driver import Screen, Shown
from tests.support.user_page import UserPage

#: Two pages of Ada, who share an outbox, one of Ben, and the network of the bot.
PEOPLE = (PersonSetup("Ada", ("Ada", "Ada 2")), PersonSetup("Ben", ("Ben",)), PersonSetup("Bot", ()))
#: Before the bot's text when it, or a page, ticks that item.
TICK = "x "
#: Seconds from one line of the bot to the next, and from one start of it to its end.
PAUSE, LIFE = (0.2, 1.0), (3.0, 8.0)

#: Adds, and ticks every third of its own items if it is in the list.
TYPE = """(async () => {
    const life = `${performance.timeOrigin}/${Math.random()}`;
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    while (document.getElementById("add")?.disabled !== false) await pause(50);
    const field = document.getElementById("text");
    for (let count = 1; ; count++) {
        const next = await window.nextText(life);
        if (next === null) return;
        field.value = next.text;
        document.getElementById("add").click();
        while (field.value === next.text) await pause(10);
        window.textLeft(next.text);
        await pause(next.pause * 1000);
        const row = [...document.querySelectorAll("#list li")].findLast((row) => row.textContent === next.text);
        if (row && count % 3 === 0 && await window.mayTick(life, next.text)) row.querySelector("input").click();
    }
})()"""


class TodoUsers(TypingUsers):
    """What was added and ticked, by pages and by the bot."""

    def attach(self, context: BrowserContext, script: str = TYPE) -> None:
        context.expose_binding("mayTick", self._may_tick)
        super().attach(context, script)

    @property
    def typed(self) -> tuple[Typed, ...]:
        return tuple(each for each in self.changes if not each.text.startswith(TICK))

    @property
    def changes(self) -> tuple[Typed, ...]:
        """What was typed and ticked."""
        return super().typed

    def note(self, text: str, thread: str, *, left: bool = False) -> None:
        """Note what is added or ticked, or that it was kept."""
        self._typed[text] = Typed(text, thread, left=left)

    def _may_tick(self, source: Mapping[str, Any], life: str, text: str) -> bool:
        whose = self._thread_of(source["page"], life)
        if whose is not None and self.may_type:
            self.note(f"{TICK}{text}", whose[1])
        return whose is not None and self.may_type


class TodoTab(Tab):
    """A tab with the list. Its screen is that of a chat: what is in the list has a number, what waits is queued."""

    def open(self, room: str, query: str) -> None:
        page = self.participant.context.new_page()
        page.on("websocket", self._listen)
        page.on("crash", lambda _: self._note_crash())
        self.has_crashed = False
        self._person = UserPage(page, self.participant.network, self.participant.name)
        self._person.watch.allow_network_trouble()
        page.goto(self.participant.network.url, wait_until="commit")

    def join(self) -> None:
        """There is nothing to join: any page of this address is in the list."""

    def read_screen(self) -> Screen:
        """Return the screen."""
        shown = TodoPage(self.person.page)
        rows = [Shown(text, "", str(n), None, None, "") for n, (text, _) in enumerate(shown.items, 1)]
        rows += [Shown(each, "queued", None, None, None, "") for each in shown.waiting]
        return Screen(shown.status, True, "todo", "", "", tuple(rows))

    def read_back(self, within: float) -> list[LogEntry]:
        return [LogEntry(text, n) for n, (text, _) in enumerate(TodoPage(self.person.page).items, 1)]


class TodoRun(Run):
    """A run with the example's server, and the bot beside the pages."""

    tab_type = TodoTab
    users_type = TodoUsers
    typing_script = TYPE
    _typing_users: TodoUsers

    def __init__(self, browser: Browser, server: TodoServer, seed: int, folder: Path) -> None:
        super().__init__(browser, server, PEOPLE, seed, room="todo")  # type: ignore[arg-type]
        self._todo = server
        self._random = Random(seed)
        self._network = self._participants[-1]
        self.bot = Bot(self._network.network.url, folder / "bot")
        self._speaks_at = 0.0
        self._links = 0
        self._ticked: set[str] = set()

    def close(self) -> None:
        super().close()
        if self.bot.process.is_running:
            self.bot.kill()

    # --- the bot ---

    def _tracks(self, plan: Sequence[Fault]) -> list[Track]:
        return [*super()._tracks(plan), self._ends_of_the_bot(max(2, len(plan) // 10))]

    def _ends_of_the_bot(self, count: int) -> Track:
        for _ in range(count):
            yield from self._rest(self._random.uniform(*LIFE))
            self.bot.kill()
            self._note_kept()
            self._check_bot(self.bot.changes)
            self.event_log.counts["bot killed"] += 1
            self.event_log.note("-- step", "bot killed")
            self.bot.start()

    def _tick(self) -> None:
        super()._tick()
        self._note_kept()
        network = self._network
        network.last_message = self._participants[0].last_message
        if network.network.counts.websockets > self._links:
            self._links, network.is_back = network.network.counts.websockets, True
        if self._typing_users.may_type and self.event_log.seconds >= self._speaks_at:
            self._speaks_at = self.event_log.seconds + self._random.uniform(*PAUSE)
            self._speak()

    def _speak(self) -> None:
        """Let the bot add an item, or tick one of its own that it has seen."""
        seen = {str(change.data.get("add")) for change in self.bot.changes}
        mine = [each.text for each in self._typing_users.typed if each.thread == "Bot"]
        ticks = [text for text in mine if text in seen and text not in self._ticked]
        if ticks and self._random.random() < 0.3:
            self._ticked.add(ticks[0])
            line = f"{TICK}{ticks[0]}"
        else:
            line = f"bot {len(mine) + 1}"
        self._typing_users.note(line, "Bot")
        self.bot.say(line)

    def _note_kept(self) -> None:
        for line in self.bot.kept:
            self._typing_users.note(line, "Bot", left=True)

    def _check_bot(self, printed: Sequence[Change]) -> None:
        """Check that the bot printed the beginning of the log."""
        log = self._todo.log()
        if list(printed) != [Change(seq, _payload(data)) for seq, data in log[: len(printed)]]:
            self.result += CheckResult(different=(f"the bot printed {printed}; the log is {log}",))

    # --- the end ---

    def _read_log(self) -> list[LogEntry]:
        adds = [str(change.data["add"]) for change in self._todo.log() if "add" in change.data]
        return [LogEntry(text, n) for n, text in enumerate(adds, 1)]

    def _unsettled(self, head: int = 0) -> list[str]:
        unsettled = super()._unsettled(head)
        if self.bot.waiting:
            unsettled.append(f"{self.bot.waiting} of the bot's wait")
        elif len(self.bot.changes) < len(self._todo.log()):
            unsettled.append("the bot has not printed all")
        return unsettled

    def check(self) -> None:
        """Check the lists, and what everybody has of the ticks."""
        super().check()
        self._check_bot(self.bot.changes)
        log = self._todo.log()
        names = {change.data["clientMessageId"]: str(change.data.get("add")) for change in log}
        texts = [
            str(change.data["add"]) if "add" in change.data else f"{TICK}{names[change.data['tick']]}"
            for change in log
        ]
        entries = [LogEntry(text, change.seq) for text, change in zip(texts, log, strict=True)]
        self.result += check_log(self._typing_users.changes, entries)
        ticked = {text.removeprefix(TICK) for text in texts if text.startswith(TICK)}
        shown = {
            tab.name: {text for text, done in TodoPage(tab.person.page).items if done} for tab in self._tabs
        }
        self.result += CheckResult(
            different=tuple(
                f"{name}'s ticks differ from the log's: {sorted(ticks ^ ticked)}"
                for name, ticks in shown.items()
                if ticks != ticked
            ),
            other=() if ticked else ("nobody ticked anything: nothing was tried",),
        )


def _payload(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "clientMessageId"}


def todo_plan(seed: int, faults: int, *, shorter: float = 1.0) -> list[Fault]:
    """Return a plan of this many faults, and two ends of the server more, so that either signal ends it."""
    plan = list(make_plan(seed, faults, PEOPLE))
    random = Random(seed)
    for _ in range(2):
        plan.insert(
            random.randrange(len(plan)),
            Fault(FaultKind.KILL, seconds=random.uniform(*DURATIONS[FaultKind.KILL])),
        )
    return [replace(fault, seconds=fault.seconds / shorter) for fault in plan]
