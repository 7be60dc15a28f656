"""What was sent with Enter and is not kept yet: in the order of the presses, nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from ui.composer.rules import trimmed

logger = logging.getLogger("ui")


@dataclass(slots=True, eq=False)
class Submission:
    """One press of Enter. ``text``: what was new in the field; ``before``: those whose words stood in front of it."""

    text: str
    before: list[Submission] = field(default_factory=list)
    started: bool = False

    @property
    def full_text(self) -> str:
        """Everything that stood in the field."""
        return _texts_of(self.before) + self.text


class SendQueue:
    """Responsible for the text of one field. What is sent stays in it until it is stored, then exactly that goes, as
    soon as the field may be written to. Nothing else waits for that.

    Who types on while a text is being kept types behind it: only what follows is another message. Who changes the
    text itself means another one. A press waits until those before it are kept or refused.
    """

    def __init__(
        self, text: str, send: Callable[[str], Awaitable[bool]], on_done: Callable[[], object]
    ) -> None:
        """``say`` keeps a text and tells whether it did; ``settled`` is called after each that was kept or not."""
        self.text = text
        self._stored = ""  #: what is stored and still stands in the field, before the text
        self._send = send
        self._on_done = on_done
        self._submissions: list[Submission] = []  #: the first is being kept
        self._in_field: list[
            Submission
        ] = []  #: those whose words still stand at the beginning of the text, untouched
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being kept."""
        return bool(self._submissions)

    @property
    def shown(self) -> str:
        """What stands in the field."""
        return self._stored + self.text

    @property
    def has_sent_words(self) -> bool:
        """Whether words that were sent stand in the field; only then it matters where it is changed."""
        return bool(self._stored or self._in_field)

    @property
    def draft(self) -> str:
        """All that would be lost with the page: the text, and before it what was sent and is not in it any more."""
        return "\n".join(filter(None, [*self._not_in_field(self._submissions), self.text]))

    def touch(self, at: int) -> None:
        """The person begins to change what stands in the field at this character."""
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
        """The person made the field say this."""
        if not shown.startswith(self._stored):
            self._stored = ""
        self.text = text = shown[len(self._stored) :]
        last = self._submissions[-1] if self._submissions else None
        if last is not None and text == last.full_text:
            self._in_field = [*last.before, last]
        while not text.startswith(_texts_of(self._in_field)):
            self._in_field.pop()

    def send(self) -> None:
        """The person pressed Enter. The same text again, while it is being stored, was a double press."""
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
        """The field may be written to: it is to show the text alone. Whether that changes it."""
        had, self._stored = self._stored, ""
        return bool(had)

    def return_unsent(self) -> None:
        """The person goes to another room. What waits for its turn would be said there, so it becomes text again."""
        waiting = [submission for submission in self._submissions if not submission.started]
        back = self._not_in_field(waiting)
        self._submissions = [submission for submission in self._submissions if submission.started]
        self._in_field = [submission for submission in self._in_field if submission.started]
        at = len(_texts_of(self._in_field))
        self.text = self.text[:at] + "\n".join(filter(None, [*back, self.text[at:]]))

    def close(self) -> None:
        """Wait for nothing any more."""
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
            logger.exception("a message was not kept; its text stays in the field")
        self._submissions.remove(submission)
        self._finish(submission, stored)
        self._on_done()

    def _finish(self, submission: Submission, stored: bool) -> None:
        """Take the words of a kept one away. Those of a refused one belong to what was typed behind them."""
        if submission in self._in_field:
            if stored:
                self.text = self.text.removeprefix(submission.text)
                self._stored += submission.text
            self._in_field.remove(submission)
        for later in self._submissions:
            if submission in later.before:
                later.before.remove(submission)
                if not stored and not later.before:  # else they belong to the first of those
                    later.text = submission.text + later.text

    def _not_in_field(self, submissions: Iterable[Submission]) -> list[str]:
        return [submission.text for submission in submissions if submission not in self._in_field]


def _texts_of(submissions: Iterable[Submission]) -> str:
    return "".join(submission.text for submission in submissions)
