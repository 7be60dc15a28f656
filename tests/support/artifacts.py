"""Artifacts of a failed test: a folder with each page's picture, trace and account, and the server's log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from playwright.sync_api import BrowserContext, Error

from tests.support.server import ROOT
from tests.support.user_page import UserPage

#: Git ignores it, `make clean` deletes it.
ARTIFACTS = ROOT / "test-results"


def begin_trace(context: BrowserContext) -> None:
    """Start a new trace for `keep`: of actions and console, since snapshots cost half as much again."""
    try:
        context.tracing.start_chunk()
    except Error:  # there was no trace before
        context.tracing.start()


def keep(name: str, people: Iterable[UserPage], texts: Mapping[str, str]) -> str:
    """Save the artifacts in a folder of this name, with further ``texts`` by file, and return its path."""
    name = re.sub(r"[^\w-]+", "-", name)
    folder = ARTIFACTS / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, person in enumerate(people, 1):
        keep_picture(person, f"{name}/{number}")
        account = account_of(person)
        try:
            person.page.context.tracing.stop_chunk(path=folder / f"{number}-{person.name}.trace.zip")
        except Error as error:  # a second tab, or a closed browser
            account += f"no trace: {error.message}\n"
        (folder / f"{number}-{person.name}.txt").write_text(account, encoding="utf-8")
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return str(folder.relative_to(ROOT))


def keep_picture(person: UserPage, name: str) -> None:
    """Save a screenshot of the page."""
    try:
        person.page.screenshot(path=ARTIFACTS / f"{name}-{person.name}.png", animations="disabled")
    except Error as error:  # a page that has crashed
        person.watch.console.append(f"no screenshot: {error.message}")


def account_of(person: UserPage) -> str:
    """Return the page's console, problems and frames as text."""
    watch = person.watch
    lines = [f"address {person.page.url}, seen by its network: {person.network.counts}"]
    lines += [f"problem: {problem}" for problem in watch.problems]
    lines += [f"console: {text}" for text in watch.console[-100:]]
    lines += [f"sent: {frame[:300]}" for frame in watch.frames_sent[-100:]]
    lines += [f"received: {frame[:300]}" for frame in watch.frames_received[-100:]]
    return "\n".join([*lines, ""])
