"""The page with one of its protections disabled: its program is changed on the way to the browser.

Each change names a file and the piece of its text that is replaced. The piece must occur exactly once, else the run
stops and names the file.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from playwright.sync_api import BrowserContext, Route

from tests.support.server import ROOT
from tools.build.page import start_files_of


class ChangeFailed(Exception):
    """A change no longer fits its file, or the page never requested the program."""


@dataclass(frozen=True, slots=True)
class Change:
    """One piece of one file, and its replacement."""

    file: str  #: relative to the project's root
    piece: str
    instead: str

    def apply(self, text: str) -> str:
        """Return the changed text. Raises ChangeFailed."""
        found = text.count(self.piece)
        if found != 1:
            raise ChangeFailed(
                f"{self.file} has the piece to replace {found} times instead of once; "
                f"adapt tests/e2e/chaos/disabled_protections.py to it:\n{self.piece}"
            )
        return text.replace(self.piece, self.instead)


#: Protection -> the changes that disable it.
CHANGES: dict[str, tuple[Change, ...]] = {
    # A message that is known already is shown again.
    "dedupe": (
        Change(
            "app/kizuna/delivery/sequence.py",
            "        if number <= self.watermark:\n            return []\n",
            "        if number <= self.watermark:\n            return [item]\n",
        ),
        Change(
            "app/chat/room_log.py",
            "        if self.is_known(message):\n            return False\n",
            "",
        ),
    ),
    # A message is sent once, and not again after a lost link or a missing answer.
    "resend": (
        Change(
            "app/kizuna/delivery/outbox.py",
            "tries=pending.tries + 1, in_flight=True, due_at=now + timeout",
            "tries=pending.tries + 1, in_flight=True, due_at=float('inf')",
        ),
        Change(
            "app/kizuna/delivery/outbox.py",
            "            self._messages[pending.id] = replace(pending, in_flight=False, tries=0, due_at=0.0)\n",
            "            self.remove(pending.id)\n",
        ),
    ),
    # After a reconnect the page shows only new messages, and not those that it missed.
    "catch-up": (
        Change(
            "app/kizuna/delivery/reader.py",
            "        for message in batch.messages:\n            if message.seq is not None:\n",
            "        is_sync = asked is not None and asked.after is not None\n"
            "        if is_sync:\n"
            "            released += self._sequence.start(batch.epoch, batch.head)\n"
            "        for message in () if is_sync else batch.messages:\n"
            "            if message.seq is not None:\n",
        ),
    ),
}


def changed_files(without: str) -> dict[str, str]:
    """Return file -> its text without a protection. Raises ChangeFailed."""
    texts: dict[str, str] = {}
    for change in CHANGES[without]:
        text = texts.get(change.file) or (ROOT / change.file).read_text(encoding="utf-8")
        texts[change.file] = change.apply(text)
    return texts


class UnprotectedProgram:
    """The program of a built page without a protection, served by a route.

    The page has to start from the program's archive (query ``asks``), since a snapshot could not be changed.
    """

    asks = "?start=ordinary"

    def __init__(self, without: str, site: Path) -> None:
        name = start_files_of((site / "index.html").read_text(encoding="utf-8"))["program"]
        self._name = PurePosixPath(name).name
        self._archive = changed_archive((site / name).read_bytes(), changed_files(without))
        self._was_served = False

    def attach(self, context: BrowserContext) -> None:
        """Serve the changed program to the pages of a context."""
        context.route(f"**/{self._name}*", self._serve)

    def check(self) -> None:
        """Raise ChangeFailed if no page has requested the program."""
        if not self._was_served:
            raise ChangeFailed(f"no page asked for {self._name}: it runs unchanged")

    def _serve(self, route: Route) -> None:
        self._was_served = True
        route.fulfill(body=self._archive, content_type="application/zip")


def changed_archive(archive: bytes, texts: Mapping[str, str]) -> bytes:
    """Return the program's archive with other texts in it, without the bytecode of the old ones."""
    changed = io.BytesIO()
    due = {file.removeprefix("app/"): text for file, text in texts.items()}
    compiled = {str(PurePosixPath(name).with_suffix("")) for name in due}
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            source = name.replace("__pycache__/", "").partition(".")[0]
            if not (name.endswith(".pyc") and source in compiled):
                new.writestr(name, due.pop(name) if name in due else old.read(name))
    if due:
        raise ChangeFailed(f"the program has no {', '.join(due)}")
    smaller = changed.getvalue()
    return bytes(len(archive) - len(smaller)) + smaller  # the page knows how many bytes to expect
