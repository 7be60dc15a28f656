"""The queue of sent texts that are not stored yet: in the order sent, none lost, none twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from ui.composer.rules import trimmed

logger = logging.getLogger("ui")


@dataclass(slots=True, eq=False)
class Submission:
    """One press of Enter. ``text``: the new text of the field; ``before``: the submissions in front of it."""

    text: str
    before: list[Submission] = field(default_factory=list)
    started: bool = False

    @property
    def full_text(self) -> str:
        """The whole text of the field."""
        return _texts_of(self.before) + self.text


class SendQueue:
    """The text of one field, and the texts sent from it. A sent text stays in the field until it is stored, and is
    removed as soon as the field may be written to.

    Text typed behind a sent one is another message; a change of the sent text itself makes it another message, too. A
    submission waits until those before it are stored or refused.
    """

    def __init__(
        self, text: str, send: Callable[[str], Awaitable[bool]], on_done: Callable[[], object]
    ) -> None:
        """``send`` stores a text and returns whether it did; ``on_done`` is called after each."""
        self.text = text
        self._stored = ""  #: stored, and still in the field before the text
        self._send = send
        self._on_done = on_done
        self._submissions: list[Submission] = []  #: the first is being stored
        self._in_field: list[Submission] = []  #: those whose text is unchanged at the beginning of the field
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a text is being stored."""
        return bool(self._submissions)

    @property
    def shown(self) -> str:
        """The content of the field."""
        return self._stored + self.text

    @property
    def has_sent_words(self) -> bool:
        """Whether sent text is in the field; only then the place of a change matters."""
        return bool(self._stored or self._in_field)

    @property
    def draft(self) -> str:
        """Everything that would be lost with the page: sent texts that are no longer in the field, and the text."""
        return "\n".join(filter(None, [*self._not_in_field(self._submissions), self.text]))

    def touch(self, at: int) -> None:
        """Note that the person changes the field at this character."""
        end = len(self._stored)
        if at < end:
            self.text, self._stored = self.shown, ""
            self._in_field.clear()
            return
        for count, submission in enumerate(self._in_field):
            end += len(submission.text)
            if end > at:
                del self._in_field[count:]
                return

    def edit(self, shown: str) -> None:
        """Set the content of the field after the person changed it."""
        if not shown.startswith(self._stored):
            self._stored = ""
        self.text = text = shown[len(self._stored) :]
        last = self._submissions[-1] if self._submissions else None
        if last is not None and text == last.full_text:
            self._in_field = [*last.before, last]
        while not text.startswith(_texts_of(self._in_field)):
            self._in_field.pop()

    def send(self) -> None:
        """Submit the text. The same text again while it is being stored is a double press, and ignored."""
        new = self.text[len(_texts_of(self._in_field)) :]
        last = self._submissions[-1] if self._submissions else None
        if not trimmed(new) or (last is not None and trimmed(self.text) == trimmed(last.full_text)):
            return
        submission = Submission(new, [*self._in_field])
        self._submissions.append(submission)
        self._in_field.append(submission)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def clear(self) -> bool:
        """Remove stored texts from the field. Return whether that changes it."""
        had, self._stored = self._stored, ""
        return bool(had)

    def return_unsent(self) -> None:
        """Turn waiting submissions into text again, before the person goes to another room."""
        waiting = [submission for submission in self._submissions if not submission.started]
        back = self._not_in_field(waiting)
        self._submissions = [submission for submission in self._submissions if submission.started]
        self._in_field = [submission for submission in self._in_field if submission.started]
        at = len(_texts_of(self._in_field))
        self.text = self.text[:at] + "\n".join(filter(None, [*back, self.text[at:]]))

    def close(self) -> None:
        """Cancel the sending."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while self._submissions:
                await self._store(self._submissions[0])
        finally:
            self._task = None

    async def _store(self, submission: Submission) -> None:
        submission.started = True
        stored = False
        try:
            stored = await self._send(trimmed(submission.text))
        except Exception:
            logger.exception("could not store a message; its text stays in the field")
        self._submissions.remove(submission)
        self._finish(submission, stored)
        self._on_done()

    def _finish(self, submission: Submission, stored: bool) -> None:
        """Remove a stored submission's text; merge a refused one into the next."""
        if submission in self._in_field:
            if stored:
                self.text = self.text.removeprefix(submission.text)
                self._stored += submission.text
            self._in_field.remove(submission)
        for later in self._submissions:
            if submission in later.before:
                later.before.remove(submission)
                if not stored and not later.before:  # else the text belongs to the first of those
                    later.text = submission.text + later.text

    def _not_in_field(self, submissions: Iterable[Submission]) -> list[str]:
        return [submission.text for submission in submissions if submission not in self._in_field]


def _texts_of(submissions: Iterable[Submission]) -> str:
    return "".join(submission.text for submission in submissions)
