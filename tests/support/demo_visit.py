"""A visit of the demo, in any engine: everything is broken in turn, and nothing may be lost."""

from __future__ import annotations

from tests.support.page_driver import PageDriver
from tests.support.waiting import PATIENCE, eventually

GREETING = "Hello! This is a demo."


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
    person.set_offline(True)
    person.wait_for_status("offline")
    person.say("written offline")
    person.wait_for_text("written offline", state="queued")
    person.set_offline(False)
    person.wait_for_text("written offline", state="sent")
    person.say("restart")
    person.wait_for_status("waiting", "connecting")
    person.say("written while it restarts")
    person.wait_for_text("written while it restarts", state="sent")
    _load_again(person)
    person.wait_until_in()
    person.say("written after a reload")
    person.wait_for_text("written after a reload", state="sent")
    return ["written offline", "restart", "written while it restarts", "written after a reload"]


def _load_again(person: PageDriver) -> None:
    person.run("() => { window.isEarlier = true; setTimeout(() => location.reload()); }")
    eventually(
        lambda: person.run("() => window.isEarlier !== true"),
        PATIENCE,
        what="another page",
        pause=person.pause,
    )
    person.wait_until_started()


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
