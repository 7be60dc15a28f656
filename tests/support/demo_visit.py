"""A visit of the demo, in any engine: everything is broken in turn, and nothing may be lost."""

from __future__ import annotations

from tests.support.page_driver import PageDriver
from tests.support.waiting import PATIENCE, eventually

GREETING = "Hello! This is a demo."
#: The faults of the inspector's buttons -> the statuses until they are over; none: messages arrive meanwhile.
FAULTS: dict[str, tuple[str, ...]] = {
    "drop": (),
    "duplicates": (),
    "slow": (),
    "offline": (),
    "clock jump": (),
    "refuse": ("waiting", "connecting"),
    "firewall": ("waiting", "connecting"),
    "black hole": ("suspect", "connecting", "waiting"),
}
OVER_BY_THEMSELVES = ("drop", "clock jump")
OPEN_INSPECTOR = "() => document.getElementById('connection-button').click()"
PRESS_FAULT = "(fault) => document.querySelector(`[data-fault='${fault}']`).click()"
CRASH = """() => {
    const buttons = [...document.querySelectorAll("#inspector button")];
    const crash = buttons.find((button) => button.textContent === "Crash and reload");
    setTimeout(() => crash.click());
}"""


def open_demo(person: PageDriver, room: str = "general") -> None:
    """Open the demo, and wait until the bots have greeted."""
    person.begin_to_open(room, "?demo&lang=en")
    person.wait_until_started()
    person.wait_until_in()
    wait_to_hear(person, GREETING)


def wait_to_hear(person: PageDriver, beginning: str) -> None:
    """Wait until there is a message that begins so."""

    def is_there() -> bool:
        return any(text.startswith(beginning) for text in person.texts)

    eventually(is_there, PATIENCE, what=f"a message {beginning!r}", pause=person.pause)


def break_and_heal(person: PageDriver) -> list[str]:
    """Break the connection of an open demo in every way, write meanwhile, and return what was written."""
    written = [f"written during {fault}" for fault in FAULTS]
    person.run(OPEN_INSPECTOR)
    for fault, text in zip(FAULTS, written, strict=True):
        person.run(PRESS_FAULT, fault)
        person.say(text)
        if statuses := FAULTS[fault]:
            person.wait_for_text(text)
            person.wait_for_status(*statuses)
        else:
            person.wait_for_text(text, state="sent")
        if fault not in OVER_BY_THEMSELVES:
            person.run(PRESS_FAULT, fault)
        person.try_now_if_shown()
        person.wait_for_text(text, state="sent")
        person.wait_until_in()
    assert _figure(person, "drops") >= len([fault for fault in FAULTS if FAULTS[fault]])
    assert _figure(person, "duplicates") > 0
    return [*written, *_lose_the_network(person), *_restart_the_server(person), *_crash(person)]


def _figure(person: PageDriver, name: str) -> int:
    return int(person.run("(name) => document.querySelector(`[data-figure='${name}']`).textContent", name))


def _lose_the_network(person: PageDriver) -> list[str]:
    person.set_offline(True)
    person.wait_for_status("offline")
    person.say("written offline")
    person.wait_for_text("written offline", state="queued")
    person.set_offline(False)
    person.wait_for_text("written offline", state="sent")
    return ["written offline"]


def _restart_the_server(person: PageDriver) -> list[str]:
    person.say("restart")
    person.wait_for_status("waiting", "connecting")
    person.say("written while it restarts")
    person.wait_for_text("written while it restarts", state="sent")
    return ["restart", "written while it restarts"]


def _crash(person: PageDriver) -> list[str]:
    """Reload without a goodbye, while the server is out of reach."""
    person.run(PRESS_FAULT, "refuse")
    person.wait_for_status("waiting", "connecting")
    person.say("written before the crash")
    person.wait_for_text("written before the crash", state="queued")
    person.run("() => { window.isEarlier = true; }")
    person.run(CRASH)
    eventually(
        lambda: person.run("() => window.isEarlier !== true"),
        PATIENCE,
        what="another page",
        pause=person.pause,
    )
    person.wait_until_started()
    person.wait_until_in()
    person.wait_for_text("written before the crash", state="sent")
    return ["written before the crash"]


def lost_or_doubled(person: PageDriver, written: list[str]) -> list[str]:
    """Return what is wrong with the written messages: missing, twice, in another order, or not stored."""
    own = [shown for shown in person.messages if shown.state in ("queued", "sending", "sent", "failed")]
    wrong = [f"{shown.text!r} is {shown.state}" for shown in own if shown.state != "sent"]
    if [shown.text for shown in own] != written:
        wrong.append(f"{[shown.text for shown in own]} instead of {written}")
    numbers = [int(shown.seq or 0) for shown in person.messages]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append(f"the numbers are {numbers}")
    return wrong
