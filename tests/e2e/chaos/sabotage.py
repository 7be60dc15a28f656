"""The page with one of its protections switched off: served changed, on its way to the browser.

Nothing in the product knows of this. Each change names the file and the piece of its text that is replaced; the
piece must be there exactly once, else the run stops and says which file has to be looked at.
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


class SabotageFailed(Exception):
    """A change does not fit the file any more, or the page never asked for the file."""


@dataclass(frozen=True, slots=True)
class Change:
    """One piece of one file, and what stands there instead."""

    file: str  #: from the project's root, which is the page's root too
    piece: str
    instead: str

    def apply(self, text: str) -> str:
        """The changed text. Raises SabotageFailed."""
        found = text.count(self.piece)
        if found != 1:
            raise SabotageFailed(
                f"{self.file} has the piece to replace {found} times instead of once; "
                f"adapt tests/e2e/chaos/sabotage.py to it:\n{self.piece}"
            )
        return text.replace(self.piece, self.instead)


#: What can be switched off.
SABOTAGES: dict[str, tuple[Change, ...]] = {
    # What is known already is shown again.
    "dedupe": (
        Change(
            "app/kizuna/delivery/sequence.py",
            "        if number <= self.watermark:\n            return []\n",
            "        if number <= self.watermark:\n            return [item]\n",
        ),
        Change(
            "app/chat/timeline.py",
            "            if timeline._settled(message, known if known is not None else self._known):\n",
            "            if False:\n",
        ),
    ),
    # Sent once and forgotten: neither the end of the link nor a missing answer brings it again.
    "resend": (
        Change(
            "app/kizuna/delivery/outbox.py",
            "tries=pending.tries + 1, in_flight=True, due_at=now + patience",
            "tries=pending.tries + 1, in_flight=True, due_at=float('inf')",
        ),
        Change(
            "app/kizuna/delivery/outbox.py",
            "            self._messages[pending.id] = replace(pending, in_flight=False, tries=0, due_at=0.0)\n",
            "            del self._messages[pending.id]\n",
        ),
    ),
    # After a break the page goes on from what is new, without what it missed.
    "catch-up": (
        Change(
            "app/chat/room.py",
            "        for message in batch.messages:\n            if message.seq is not None:\n",
            "        if asked_after is not None:\n"
            "            released += self._sequence.start(batch.epoch, batch.head)\n"
            "        for message in batch.messages if asked_after is None else ():\n"
            "            if message.seq is not None:\n",
        ),
    ),
}


def changed_files(without: str) -> dict[str, str]:
    """File -> its text without that protection. Raises SabotageFailed."""
    texts: dict[str, str] = {}
    for change in SABOTAGES[without]:
        text = texts.get(change.file) or (ROOT / change.file).read_text(encoding="utf-8")
        texts[change.file] = change.apply(text)
    return texts


class Saboteur:
    """Responsible for serving a built page its program without a protection, and for knowing that it took it.

    The page has to start from the archive of the program (``asks``): a snapshot could not be changed.
    """

    asks = "?start=ordinary"

    def __init__(self, without: str, site: Path) -> None:
        name = start_files_of((site / "index.html").read_text(encoding="utf-8"))["program"]
        self._name = PurePosixPath(name).name
        self._archive = changed_archive((site / name).read_bytes(), changed_files(without))
        self._was_served = False

    def attend(self, context: BrowserContext) -> None:
        """From now on its pages get the changed program."""
        context.route(f"**/{self._name}*", self._serve)

    def check(self) -> None:
        """Raises SabotageFailed when a page runs without having asked for the program."""
        if not self._was_served:
            raise SabotageFailed(f"no page asked for {self._name}: it runs unchanged")

    def _serve(self, route: Route) -> None:
        self._was_served = True
        route.fulfill(body=self._archive, content_type="application/zip")


def changed_archive(archive: bytes, texts: Mapping[str, str]) -> bytes:
    """The program's archive with other texts in it, and without what was compiled of the old ones."""
    changed = io.BytesIO()
    due = {file.removeprefix("app/"): text for file, text in texts.items()}
    compiled = {str(PurePosixPath(name).with_suffix("")) for name in due}
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            source = name.replace("__pycache__/", "").partition(".")[0]
            if not (name.endswith(".pyc") and source in compiled):
                new.writestr(name, due.pop(name) if name in due else old.read(name))
    if due:
        raise SabotageFailed(f"the program has no {', '.join(due)}")
    smaller = changed.getvalue()
    return bytes(len(archive) - len(smaller)) + smaller  # the page knows how many bytes to expect
