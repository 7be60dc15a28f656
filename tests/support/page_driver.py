"""What tests do with the page in every engine, and what they read from it.

Reading and waiting stand on one primitive, `run`; typing, pressing and hiding are each engine's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tests.support.waiting import PATIENCE, eventually, let_pass, throughout

Answer = TypeVar("Answer")

READ_SCREEN = """() => {
    const root = document.documentElement, of = (id, what) => document.getElementById(id)?.[what] ?? "";
    return {
        status: root?.dataset.status ?? "",
        caught_up: root?.dataset.caughtUp === "true",
        room: of("room-name", "textContent"),
        draft: of("composer-text", "value"),
        notice: of("notice-text", "textContent"),
        messages: [...document.querySelectorAll('[role="log"] article')].map((article) => ({
            text: article.querySelector('[data-part="content"]').textContent,
            state: article.dataset.state,
            seq: article.dataset.seq || null,
            message_id: article.dataset.messageId || null,
            client_message_id: article.dataset.clientMessageId || null,
            time: article.querySelector("time").dateTime,
        })),
    };
}"""

LEAVE_OTHER_ROOMS = """(room) => {
    const others = [...document.querySelectorAll("button[data-room]")].filter((one) => one.dataset.room !== room);
    others.forEach((button) => button.click());
    return others.length;
}"""

PRESS_TRY_NOW = """() => {
    const button = document.getElementById("try-now");
    if (button.checkVisibility()) button.click();
}"""

CLAIM_OFFLINE = """(offline) => {
    if (offline) Object.defineProperty(navigator, "onLine", {get: () => false, configurable: true});
    else delete navigator.onLine;
    dispatchEvent(new Event(offline ? "offline" : "online"));
}"""


@dataclass(frozen=True)
class Shown:
    """A message as it stands on the screen."""

    text: str
    state: str
    seq: str | None
    message_id: str | None
    client_message_id: str | None
    time: str


@dataclass(frozen=True)
class Screen:
    """What stands on a page at one moment."""

    status: str
    caught_up: bool
    room: str
    draft: str
    notice: str
    messages: tuple[Shown, ...]


class PageDriver(ABC):
    """Responsible for using one page as a person does, and for reading it as a person does.

    ``home``: where the page is served. ``name``: what the person is called.
    """

    def __init__(self, home: str, name: str) -> None:
        self.home = home
        self.name = name
        self._left = ""  # the address before `go_away`

    # --- each engine in its own way ---

    @abstractmethod
    def run(self, function: str, argument: object = None) -> Any:
        """The result of a JavaScript function in the page; AssertionError while another page takes its place."""

    @abstractmethod
    def go(self, address: str) -> None:
        """Ask for an address in this tab, and wait for no more than its first byte."""

    @abstractmethod
    def press(self, button: str) -> None:
        """Press the button of this name."""

    @abstractmethod
    def write(self, selector: str, text: str, *, enter: bool = False) -> None:
        """Type into a field, and press Enter if asked to."""

    @abstractmethod
    def hide(self) -> None:
        """Put the page out of sight."""

    @abstractmethod
    def show(self) -> None:
        """Bring the page back into sight."""

    @abstractmethod
    def set_offline(self, offline: bool) -> None:
        """Make the browser say that the network went or came back; some take it away, too."""

    def freeze(self) -> None:
        """Stop the code of a hidden page, as a browser does to save power."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Let a frozen page run again, where it is."""
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        """Let some time pass between two looks."""
        let_pass(seconds)

    # --- doing ---

    def begin_to_open(self, room: str, query: str = "") -> None:
        """Ask for the page, without waiting for Python: several can start at once."""
        self.go(f"{self.home}/{query}#/{room}")

    def wait_until_started(self) -> None:
        """Python runs, and the page can be used; AssertionError at once when the page says that it will not be."""
        self.wait_for_attribute("data-page", "live", "failed", within=2 * PATIENCE)
        splash = "() => document.getElementById('splash').innerText"
        assert self.attribute("data-page") == "live", f"the page did not start: {self.run(splash)}"

    def open(self, room: str, query: str = "") -> None:
        """Open the page in a room."""
        self.begin_to_open(room, query)
        self.wait_until_started()

    def join(self) -> None:
        """Give a name, press Join, and be in the room with everything that was said there."""
        self.write("input[name=name]", self.name)
        self.press("Join")
        self.wait_until_in()

    def leave(self) -> None:
        """Leave on purpose."""
        self.press("Leave")
        self.wait_for_status("closed")

    def come_back(self) -> None:
        """Connected again, whatever the test before has done."""
        if self.status in ("closed", "idle"):
            self.join()
        self.try_now_if_shown()
        self.wait_until_in()

    def try_now_if_shown(self) -> None:
        """Press the button, unless the page was quicker."""
        self.run(PRESS_TRY_NOW)

    def enter(self, room: str) -> None:
        """Go to another room by the address, without loading the page again."""
        self.run("(room) => { location.hash = `#/${room}`; }", room)
        self._until(lambda: self.screen.room == room and self.screen.caught_up, f"caught up in {room}")

    def leave_other_rooms(self) -> None:
        """Be in the room that is shown alone."""
        shown = self.screen.room
        self._until(lambda: self.run(LEAVE_OTHER_ROOMS, shown) == 0, f"no other room than {shown}")

    def say(self, *texts: str) -> None:
        """Type each of these and press Enter, as soon as the one before has left the composer."""
        for text in texts:
            self.write("#composer-text", text, enter=True)
            self._until(lambda: self.screen.draft == "", "an empty composer")

    def go_away(self, address: str) -> None:
        """Go somewhere else in the same tab."""
        self._left = self.address
        self.go(address)

    def go_back(self) -> None:
        """Press the browser's Back. Playwright's own waits for a load that never comes, and the script must have
        answered before its page goes."""
        self.run("() => { setTimeout(() => history.back()); }")
        self._until(lambda: self.address == self._left, f"back at {self._left}")

    def claim_offline(self, offline: bool) -> None:
        """Make the browser say so to the page by a script, and nothing else."""
        self.run(CLAIM_OFFLINE, offline)

    # --- reading ---

    @property
    def screen(self) -> Screen:
        """Everything that is read from the page, as it is at one moment."""
        seen = self.run(READ_SCREEN)
        return Screen(**{**seen, "messages": tuple(Shown(**message) for message in seen["messages"])})

    @property
    def address(self) -> str:
        """Where the tab is."""
        return str(self.run("() => location.href"))

    @property
    def status(self) -> str:
        """The connection's status now."""
        return self.attribute("data-status") or ""

    @property
    def visibility(self) -> str:
        """What the page is told of being seen: visible or hidden."""
        return str(self.run("() => document.visibilityState"))

    @property
    def messages(self) -> list[Shown]:
        """All messages on the screen, from top to bottom."""
        return list(self.screen.messages)

    @property
    def texts(self) -> list[str]:
        """What the messages say, from top to bottom."""
        return [shown.text for shown in self.messages]

    def attribute(self, name: str) -> str | None:
        """What the page says of itself in an attribute of <html>."""
        value: str | None = self.run("(name) => document.documentElement?.getAttribute(name) ?? null", name)
        return value

    # --- waiting ---

    def wait_until_in(self, within: float = PATIENCE) -> None:
        """Connected and caught up."""
        self.wait_for_status("connected", within=within)
        self.wait_for_attribute("data-caught-up", "true", within=within)

    def wait_for_status(self, *statuses: str, within: float = PATIENCE) -> None:
        """The status is one of these."""
        self.wait_for_attribute("data-status", *statuses, within=within)

    def wait_for_attribute(self, name: str, *values: str, within: float = PATIENCE) -> None:
        """An attribute of <html> has one of these values."""

        def has_one() -> bool:
            value = self.attribute(name)
            assert value in values, value
            return True

        self._until(has_one, f"{name} is {' or '.join(values)}", within)

    def wait_for_visibility(self, state: str) -> None:
        """The page is told that it is in this state."""
        self._until(lambda: self.visibility == state, f"a page that is {state}")

    def wait_for_text(self, text: str, within: float = PATIENCE, state: str | None = None) -> None:
        """The message stands there once, in this state if one is named."""

        def stands() -> bool:
            states = [shown.state for shown in self.messages if shown.text == text]
            assert len(states) == 1, states
            assert state in (None, states[0]), states
            return True

        self._until(stands, f"{text!r}, {state or 'in any state'}, once on {self.name}'s screen", within)

    def wait_for_texts(self, *texts: str, within: float = PATIENCE) -> None:
        """The messages say exactly these, in this order, each once."""

        def stand() -> bool:
            seen = self.texts
            assert seen == list(texts), seen
            return True

        self._until(stand, f"{list(texts)} on {self.name}'s screen", within)

    def stays_as(self, *statuses: str, seconds: float) -> None:
        """The status is one of these all the time."""
        throughout(lambda: self.status in statuses, seconds, what=f"the status stays {' or '.join(statuses)}")

    def _until(self, ask: Callable[[], Answer], what: str, within: float = PATIENCE) -> Answer:
        return eventually(ask, within, what=what, pause=self.pause)
