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
    begun: bool = False

    @property
    def whole(self) -> str:
        """Everything that stood in the field."""
        return _words(self.before) + self.text


class Sending:
    """Responsible for the text of one field. What is sent stays in it until it is kept, then exactly that goes, as
    soon as the field may be written to. Nothing else waits for that.

    Who types on while a text is being kept types behind it: only what follows is another message. Who changes the
    text itself means another one. A press waits until those before it are kept or refused.
    """

    def __init__(
        self, text: str, say: Callable[[str], Awaitable[bool]], settled: Callable[[], object]
    ) -> None:
        """``say`` keeps a text and tells whether it did; ``settled`` is called after each that was kept or not."""
        self.text = text
        self._kept = ""  #: what is kept and still stands in the field, before the text
        self._say = say
        self._settled = settled
        self._presses: list[Submission] = []  #: the first is being kept
        self._head: list[
            Submission
        ] = []  #: those whose words still stand at the beginning of the text, untouched
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being kept."""
        return bool(self._presses)

    @property
    def shown(self) -> str:
        """What stands in the field."""
        return self._kept + self.text

    @property
    def has_sent_words(self) -> bool:
        """Whether words that were sent stand in the field; only then it matters where it is changed."""
        return bool(self._kept or self._head)

    @property
    def draft(self) -> str:
        """All that would be lost with the page: the text, and before it what was sent and is not in it any more."""
        return "\n".join(filter(None, [*self._not_in_text(self._presses), self.text]))

    def touch(self, at: int) -> None:
        """The person begins to change what stands in the field at this character."""
        end = len(self._kept)
        if at < end:
            self.text, self._kept = self.shown, ""
            self._head.clear()
            return
        for count, submission in enumerate(self._head):
            end += len(submission.text)
            if end > at:
                del self._head[count:]
                return

    def edit(self, shown: str) -> None:
        """The person made the field say this."""
        if not shown.startswith(self._kept):
            self._kept = ""
        self.text = text = shown[len(self._kept) :]
        last = self._presses[-1] if self._presses else None
        if last is not None and text == last.whole:
            self._head = [*last.before, last]
        while not text.startswith(_words(self._head)):
            self._head.pop()

    def send(self) -> None:
        """The person pressed Enter. The same text again, while it is being kept, was a double press."""
        new = self.text[len(_words(self._head)) :]
        last = self._presses[-1] if self._presses else None
        if not trimmed(new) or (last is not None and trimmed(self.text) == trimmed(last.whole)):
            return
        submission = Submission(new, [*self._head])
        self._presses.append(submission)
        self._head.append(submission)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def clear(self) -> bool:
        """The field may be written to: it is to show the text alone. Whether that changes it."""
        had, self._kept = self._kept, ""
        return bool(had)

    def withdraw(self) -> None:
        """The person goes to another room. What waits for its turn would be said there, so it becomes text again."""
        waiting = [submission for submission in self._presses if not submission.begun]
        back = self._not_in_text(waiting)
        self._presses = [submission for submission in self._presses if submission.begun]
        self._head = [submission for submission in self._head if submission.begun]
        at = len(_words(self._head))
        self.text = self.text[:at] + "\n".join(filter(None, [*back, self.text[at:]]))

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        try:
            while self._presses:
                await self._keep(self._presses[0])
        finally:
            self._task = None

    async def _keep(self, submission: Submission) -> None:
        submission.begun = True
        kept = False
        try:
            kept = await self._say(trimmed(submission.text))
        except Exception:
            logger.exception("a message was not kept; its text stays in the field")
        self._presses.remove(submission)
        self._settle(submission, kept)
        self._settled()

    def _settle(self, submission: Submission, kept: bool) -> None:
        """Take the words of a kept one away. Those of a refused one belong to what was typed behind them."""
        if submission in self._head:
            if kept:
                self.text = self.text.removeprefix(submission.text)
                self._kept += submission.text
            self._head.remove(submission)
        for later in self._presses:
            if submission in later.before:
                later.before.remove(submission)
                if not kept and not later.before:  # else they belong to the first of those
                    later.text = submission.text + later.text

    def _not_in_text(self, submissions: Iterable[Submission]) -> list[str]:
        return [submission.text for submission in submissions if submission not in self._head]


def _words(submissions: Iterable[Submission]) -> str:
    return "".join(submission.text for submission in submissions)
