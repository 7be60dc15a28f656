"""The common driver of a page: what tests do with it, and what they read from it, in every engine.

Reading and waiting use one primitive, `run`; typing, pressing and hiding are implemented for each engine.
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

OPEN_MENU = """() => {
    if (!document.getElementById("menu").matches(":popover-open")) document.getElementById("person").click();
}"""

CLAIM_OFFLINE = """(offline) => {
    if (offline) Object.defineProperty(navigator, "onLine", {get: () => false, configurable: true});
    else delete navigator.onLine;
    dispatchEvent(new Event(offline ? "offline" : "online"));
}"""


@dataclass(frozen=True)
class Shown:
    """A message on the screen."""

    text: str
    state: str
    seq: str | None
    message_id: str | None
    client_message_id: str | None
    time: str


@dataclass(frozen=True)
class Screen:
    """The content of a page at one moment."""

    status: str
    caught_up: bool
    room: str
    draft: str
    notice: str
    messages: tuple[Shown, ...]


class PageDriver(ABC):
    """A page, used and read as a person does. ``home``: where it is served. ``name``: the person's name."""

    def __init__(self, home: str, name: str) -> None:
        self.home = home
        self.name = name
        self._left = ""  # the address before `go_away`

    # --- implemented for each engine ---

    @abstractmethod
    def run(self, function: str, argument: object = None) -> Any:
        """Return the result of a JavaScript function in the page. Raises AssertionError while it is being replaced."""

    @abstractmethod
    def go(self, address: str) -> None:
        """Request an address in this tab, and wait for its first byte only."""

    @abstractmethod
    def press(self, button: str) -> None:
        """Press the button of this name."""

    @abstractmethod
    def write(self, selector: str, text: str, *, enter: bool = False) -> None:
        """Type into a field, and press Enter if asked to."""

    @abstractmethod
    def hide(self) -> None:
        """Hide the page."""

    @abstractmethod
    def show(self) -> None:
        """Show the page again."""

    @abstractmethod
    def set_offline(self, offline: bool) -> None:
        """Make the browser report that it is offline or online; some also cut the network."""

    def freeze(self) -> None:
        """Stop the code of a hidden page, as a browser does to save power."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Let a frozen page run again, where it is."""
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        """Let some time pass."""
        let_pass(seconds)

    # --- actions ---

    def begin_to_open(self, room: str, query: str = "") -> None:
        """Request the page without waiting for Python, so that several can start at once."""
        self.go(f"{self.home}/{query}#/{room}")

    def wait_until_started(self) -> None:
        """Wait until the page can be used. Raises AssertionError at once if it shows that its start failed."""
        self.wait_for_attribute("data-page", "live", "failed", within=2 * PATIENCE)
        splash = "() => document.getElementById('splash').innerText"
        assert self.attribute("data-page") == "live", f"the page did not start: {self.run(splash)}"

    def open(self, room: str, query: str = "") -> None:
        """Open the page in a room."""
        self.begin_to_open(room, query)
        self.wait_until_started()

    def join(self) -> None:
        """Enter a name, press Join, and wait until the room is caught up."""
        self.write("input[name=name]", self.name)
        self.press("Join")
        self.wait_until_in()

    def open_menu(self) -> None:
        """Press the button with the person's name, unless the menu is open."""
        self.run(OPEN_MENU)

    def leave(self) -> None:
        """Press Leave in the menu, and wait until the connection is closed."""
        self.open_menu()
        self.press("Leave")
        self.wait_for_status("closed")

    def come_back(self) -> None:
        """Connect again, in whatever state the test before has left the page."""
        if self.status in ("closed", "idle"):
            self.join()
        self._until(self._is_back, "connected")
        self.wait_until_in()

    def _is_back(self) -> bool:
        """Press Try now, which comes with the banner after some seconds, where the next attempt may be far."""
        if self.status in ("waiting", "offline", "exhausted"):
            self.try_now_if_shown()
        return self.status == "connected"

    def try_now_if_shown(self) -> None:
        """Press the button, if it is visible."""
        self.run(PRESS_TRY_NOW)

    def enter(self, room: str) -> None:
        """Enter another room by the address, without loading the page again."""
        self.run("(room) => { location.hash = `#/${room}`; }", room)
        self._until(lambda: self.screen.room == room and self.screen.caught_up, f"caught up in {room}")

    def leave_other_rooms(self) -> None:
        """Leave all rooms but the shown one."""
        shown = self.screen.room
        self._until(lambda: self.run(LEAVE_OTHER_ROOMS, shown) == 0, f"no other room than {shown}")

    def say(self, *texts: str) -> None:
        """Type each text and press Enter, as soon as the one before has left the composer."""
        for text in texts:
            self.write("#composer-text", text, enter=True)
            self._until(lambda: self.screen.draft == "", "an empty composer")

    def go_away(self, address: str) -> None:
        """Go to another address in the same tab."""
        self._left = self.address
        self.go(address)

    def go_back(self) -> None:
        """Go back by a script, since Playwright's own waits for a load that never comes."""
        self.run("() => { setTimeout(() => history.back()); }")
        self._until(lambda: self.address == self._left, f"back at {self._left}")

    def claim_offline(self, offline: bool) -> None:
        """Set the offline flag by a script, without changing the network."""
        self.run(CLAIM_OFFLINE, offline)

    # --- reading ---

    @property
    def screen(self) -> Screen:
        """The page's content, read at one moment."""
        seen = self.run(READ_SCREEN)
        return Screen(**{**seen, "messages": tuple(Shown(**message) for message in seen["messages"])})

    @property
    def address(self) -> str:
        """The tab's address."""
        return str(self.run("() => location.href"))

    @property
    def status(self) -> str:
        """The connection's status now."""
        return self.attribute("data-status") or ""

    @property
    def visibility(self) -> str:
        """The page's visibility state: visible or hidden."""
        return str(self.run("() => document.visibilityState"))

    @property
    def messages(self) -> list[Shown]:
        """All messages on the screen, from top to bottom."""
        return list(self.screen.messages)

    @property
    def texts(self) -> list[str]:
        """The texts of the messages, from top to bottom."""
        return [shown.text for shown in self.messages]

    def attribute(self, name: str) -> str | None:
        """Return an attribute of <html>."""
        value: str | None = self.run("(name) => document.documentElement?.getAttribute(name) ?? null", name)
        return value

    # --- waiting ---

    def wait_until_in(self, within: float = PATIENCE) -> None:
        """Wait until the page is connected and caught up."""
        self.wait_for_status("connected", within=within)
        self.wait_for_attribute("data-caught-up", "true", within=within)

    def wait_for_status(self, *statuses: str, within: float = PATIENCE) -> None:
        """Wait until the status is one of these."""
        self.wait_for_attribute("data-status", *statuses, within=within)

    def wait_for_attribute(self, name: str, *values: str, within: float = PATIENCE) -> None:
        """Wait until an attribute of <html> has one of these values."""

        def has_one() -> bool:
            value = self.attribute(name)
            assert value in values, value
            return True

        self._until(has_one, f"{name} is {' or '.join(values)}", within)

    def wait_for_visibility(self, state: str) -> None:
        """Wait until the page has this visibility state."""
        self._until(lambda: self.visibility == state, f"a page that is {state}")

    def wait_for_text(self, text: str, within: float = PATIENCE, state: str | None = None) -> None:
        """Wait until a message is shown once, in this state if one is given."""

        def stands() -> bool:
            states = [shown.state for shown in self.messages if shown.text == text]
            assert len(states) == 1, states
            assert state in (None, states[0]), states
            return True

        self._until(stands, f"{text!r}, {state or 'in any state'}, once on {self.name}'s screen", within)

    def wait_for_texts(self, *texts: str, within: float = PATIENCE) -> None:
        """Wait until the messages have exactly these texts, in this order."""

        def stand() -> bool:
            seen = self.texts
            assert seen == list(texts), seen
            return True

        self._until(stand, f"{list(texts)} on {self.name}'s screen", within)

    def stays_as(self, *statuses: str, seconds: float) -> None:
        """Assert that the status is one of these for some seconds."""
        throughout(lambda: self.status in statuses, seconds, what=f"the status stays {' or '.join(statuses)}")

    def _until(self, ask: Callable[[], Answer], what: str, within: float = PATIENCE) -> Answer:
        return eventually(ask, within, what=what, pause=self.pause)
