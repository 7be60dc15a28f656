"""The page with one of its protections switched off: served changed, on its way to the browser.

Nothing in the product knows of this. Each change names the file and the piece of its text that is replaced; the
piece must be there exactly once, else the run stops and says which file has to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import BrowserContext, Route

from tests.support.server import ROOT


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


#: What can be switched off, by the name that `--without` takes.
SABOTAGES: dict[str, tuple[Change, ...]] = {
    # What is known already is shown again.
    "dedupe": (
        Change(
            "app/kizuna/sequence.py",
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
            "app/kizuna/outbox.py",
            "tries=parcel.tries + 1, in_flight=True, due_at=now + patience",
            "tries=parcel.tries + 1, in_flight=True, due_at=float('inf')",
        ),
        Change(
            "app/kizuna/outbox.py",
            "            self._parcels[parcel.id] = replace(parcel, in_flight=False, tries=0, due_at=0.0)\n",
            "            del self._parcels[parcel.id]\n",
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
    """Responsible for serving changed files to the pages of a browser context, and for knowing that they took them."""

    def __init__(self, without: str) -> None:
        self._texts = changed_files(without)
        self._served: set[str] = set()

    def attend(self, context: BrowserContext) -> None:
        """From now on its pages get the changed files."""
        for file in self._texts:
            context.route(f"**/{file}", self._serve)

    def check(self) -> None:
        """Raises SabotageFailed when a page runs without having asked for a changed file."""
        if missing := set(self._texts) - self._served:
            raise SabotageFailed(f"no page asked for {', '.join(sorted(missing))}: it runs unchanged")

    def _serve(self, route: Route) -> None:
        file = next(file for file in self._texts if route.request.url.partition("?")[0].endswith(file))
        self._served.add(file)
        route.fulfill(body=self._texts[file], content_type="text/x-python; charset=utf-8")
