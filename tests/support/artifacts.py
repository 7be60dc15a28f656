"""What is kept of a page: screenshots in a folder of artefacts, and an account for the report of a failure."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Error

from tests.support.person import Person
from tests.support.server import ROOT

#: Git ignores it, `make clean` deletes it.
ARTIFACTS = ROOT / "test-results"


def keep_picture(person: Person, name: str) -> Path:
    """A screenshot of the page as it is."""
    file = re.sub(r"[^\w-]+", "-", f"{name}-{person.name}")
    path = ARTIFACTS / f"{file}.png"
    try:
        person.page.screenshot(path=path, animations="disabled")
    except Error as error:  # a page that has crashed
        person.watch.console.append(f"no screenshot: {error.message}")
    return path


def account_of(person: Person) -> str:
    """What the page said and did, last things last."""
    watch = person.watch
    lines = [f"address {person.page.url}, seen by its network: {person.network.counts}"]
    lines += [f"problem: {problem}" for problem in watch.problems]
    lines += [f"console: {text}" for text in watch.console[-30:]]
    lines += [f"sent: {frame[:300]}" for frame in watch.frames_sent[-20:]]
    lines += [f"received: {frame[:300]}" for frame in watch.frames_received[-20:]]
    return "\n".join(lines)
