"""What is sent with Enter stays in the field until it is kept; nothing is said twice, nothing is lost."""

import asyncio
import logging

import pytest

from ui.composer.send_queue import SendQueue


class FieldHarness:
    """A field, and a session that stores a text when the test says so."""

    def __init__(self, text: str = "") -> None:
        self.said: list[str] = []
        self.settled = 0
        self._answers: list[asyncio.Future[bool]] = []
        self.field = SendQueue(text, self._say, self._settle)

    def type(self, text: str) -> None:
        """Type this at the end."""
        self.field.touch(len(self.field.shown))
        self.field.edit(self.field.shown + text)

    def fill(self, text: str) -> None:
        """Select everything, and type or paste this."""
        self.field.touch(0)
        self.field.edit(text)

    async def enter(self, *texts: str) -> None:
        """Type each of these at the end and press Enter."""
        for text in texts:
            self.type(text)
            self.field.send()
        await self._pass()

    async def answer(self, kept: bool = True) -> None:
        """The oldest text is kept, or refused."""
        await self.answer_while_composing(kept)
        self.field.clear()

    async def answer_while_composing(self, kept: bool = True) -> None:
        """It is, and an input method is at work, so that the field cannot be cleared yet."""
        self._answers.pop(0).set_result(kept)
        await self._pass()

    async def fail(self, error: Exception) -> None:
        """The session has a bug."""
        self._answers.pop(0).set_exception(error)
        await self._pass()

    async def _say(self, text: str) -> bool:
        self.said.append(text)
        self._answers.append(asyncio.get_running_loop().create_future())
        return await self._answers[-1]

    def _settle(self) -> None:
        self.settled += 1

    @staticmethod
    async def _pass() -> None:
        for _ in range(4):  # a task begins, hears its answer, tells, begins with the next
            await asyncio.sleep(0)


@pytest.fixture
def harness() -> FieldHarness:
    return FieldHarness()


async def test_the_text_stays_until_it_is_kept(harness: FieldHarness):
    await harness.enter("hello")
    assert (harness.said, harness.field.text, harness.field.is_busy) == (["hello"], "hello", True)
    await harness.answer()
    assert (harness.field.text, harness.field.is_busy, harness.settled) == ("", False, 1)


async def test_a_refused_text_stays(harness: FieldHarness):
    await harness.enter("hello")
    await harness.answer(kept=False)
    assert (harness.field.text, harness.field.is_busy, harness.settled) == ("hello", False, 1)
    await harness.enter("")
    assert harness.said == ["hello", "hello"]


async def test_blank_text_is_not_said(harness: FieldHarness):
    await harness.enter("", " \n", "\n")
    assert harness.said == []


async def test_a_sent_text_is_trimmed_and_removed_from_the_field(harness: FieldHarness):
    await harness.enter("\n\nhello \n")
    assert harness.said == ["hello"]
    await harness.answer()
    assert harness.field.text == ""


async def test_pressing_again_says_nothing_again(harness: FieldHarness):
    await harness.enter("hello")
    for more in ("", " ", "\n"):
        await harness.enter(more)
    await harness.answer()
    assert (harness.said, harness.field.text) == (["hello"], " \n")


async def test_what_is_typed_behind_it_stays(harness: FieldHarness):
    await harness.enter("hello")
    harness.type(" there")
    await harness.answer()
    assert (harness.said, harness.field.text) == (["hello"], " there")


async def test_other_text_in_the_field_is_not_touched(harness: FieldHarness):
    await harness.enter("hello")
    harness.fill("bye")
    await harness.answer()
    assert harness.field.text == "bye"


async def test_text_that_starts_with_the_same_letters_is_kept(harness: FieldHarness):
    await harness.enter("no")
    harness.fill("not yet")
    await harness.answer()
    assert harness.field.text == "not yet"


async def test_an_edit_that_nobody_announced_is_known_by_its_result(harness: FieldHarness):
    await harness.enter("hello")
    harness.field.edit("hullo")
    await harness.answer()
    assert harness.field.text == "hullo"


async def test_text_that_was_changed_and_changed_back_is_what_was_said(harness: FieldHarness):
    await harness.enter("hello")
    harness.field.edit("hell")
    harness.field.edit("hello")
    await harness.answer()
    assert harness.field.text == ""


async def test_the_next_waits_for_its_turn(harness: FieldHarness):
    await harness.enter("one")
    harness.fill("two")
    await harness.enter("")
    assert harness.said == ["one"]
    await harness.answer()
    assert (harness.said, harness.field.text) == (["one", "two"], "two")
    await harness.answer()
    assert (harness.field.text, harness.field.is_busy) == ("", False)


async def test_what_is_typed_behind_and_sent_is_the_next_message(harness: FieldHarness):
    await harness.enter("one", "two", "three")
    harness.type("four")
    for _ in range(3):
        await harness.answer()
    assert (harness.said, harness.field.text) == (["one", "two", "three"], "four")


async def test_many_texts_are_sent_in_the_order_submitted(harness: FieldHarness):
    texts = [f"message {number}" for number in range(1, 13)]
    for text in texts:
        harness.fill(text)
        await harness.enter("")
    for _ in texts:
        await harness.answer()
    assert (harness.said, harness.field.text) == (texts, "")


async def test_the_same_text_after_it_was_stored_is_a_second_message(harness: FieldHarness):
    for _ in range(2):
        await harness.enter("ok")
        await harness.answer()
    assert harness.said == ["ok", "ok"]


async def test_what_follows_a_refused_text_is_said_together_with_it(harness: FieldHarness):
    await harness.enter("one", " two", " three")
    await harness.answer(kept=False)
    assert (harness.said, harness.field.text) == (["one", "one two"], "one two three")
    await harness.answer()
    await harness.answer()
    assert (harness.said, harness.field.text) == (["one", "one two", " three"], "")


async def test_changing_a_waiting_text_keeps_the_one_before(harness: FieldHarness):
    await harness.enter("one", "two")
    harness.field.touch(3)
    harness.field.edit("onezwei")
    await harness.answer()
    assert harness.field.text == "zwei"
    await harness.answer()
    assert (harness.said, harness.field.text) == (["one", "two"], "zwei")


async def test_a_bug_leaves_the_text_is_logged_and_stops_no_other(
    harness: FieldHarness, caplog: pytest.LogCaptureFixture
):
    await harness.enter("hello")
    harness.fill("bye")
    await harness.enter("")
    with caplog.at_level(logging.ERROR):
        await harness.fail(RuntimeError("a bug"))
    assert [record.exc_text is not None for record in caplog.records] == [True]
    assert (harness.said, harness.field.text) == (["hello", "bye"], "bye")


async def test_the_draft_is_everything_that_would_be_lost(harness: FieldHarness):
    await harness.enter("one")
    assert harness.field.draft == "one"
    harness.fill("two")
    await harness.enter("")
    harness.fill("three")
    assert harness.field.draft == "one\ntwo\nthree"
    await harness.answer()
    assert harness.field.draft == "two\nthree"
    await harness.answer()
    assert harness.field.draft == "three"


async def test_in_another_room_nothing_is_said_that_was_meant_for_this_one(harness: FieldHarness):
    await harness.enter("one")
    harness.fill("two")
    await harness.enter("")
    harness.fill("three")
    harness.field.return_unsent()
    await harness.answer()
    assert (harness.said, harness.field.is_busy, harness.field.text) == (["one"], False, "two\nthree")


async def test_not_even_what_was_sent_in_the_same_moment(harness: FieldHarness):
    harness.type("one")
    harness.field.send()
    harness.field.return_unsent()
    await harness.enter("")
    assert harness.said == ["one"], "said once, when the person is back and presses again"


async def test_what_is_being_kept_leaves_the_field_while_the_person_is_elsewhere(harness: FieldHarness):
    await harness.enter("one", " two")
    harness.field.return_unsent()
    assert harness.field.text == "one two"
    await harness.answer()
    assert harness.field.text == " two"
    await harness.enter("")
    assert harness.said == ["one", " two"]


async def test_keeping_goes_on_while_the_field_cannot_be_cleared(harness: FieldHarness):
    await harness.enter("one", "two")
    await harness.answer_while_composing()
    await harness.enter("three")
    await harness.answer_while_composing()
    await harness.answer_while_composing()
    assert harness.said == ["one", "two", "three"]
    assert (harness.field.shown, harness.field.text, harness.field.is_busy) == ("onetwothree", "", False)
    assert harness.field.clear()
    assert (harness.field.shown, harness.field.clear()) == ("", False)


async def test_a_stored_text_in_the_field_is_not_resent_or_a_draft(harness: FieldHarness):
    await harness.enter("one")
    await harness.answer_while_composing()
    assert harness.field.draft == ""
    await harness.enter("")
    harness.type("two")
    assert (harness.said, harness.field.draft) == (["one"], "two")
    await harness.enter("")
    assert harness.said == ["one", "two"]


async def test_what_is_changed_before_it_was_cleared_is_another_text(harness: FieldHarness):
    await harness.enter("one")
    await harness.answer_while_composing()
    harness.field.touch(1)
    harness.field.edit("ones")
    assert (harness.field.clear(), harness.field.text) == (False, "ones")


async def test_a_change_that_nobody_announced_before_it_was_cleared_is_known(harness: FieldHarness):
    await harness.enter("one")
    await harness.answer_while_composing()
    harness.field.edit("on")
    assert (harness.field.clear(), harness.field.text) == (False, "on")


async def test_a_refused_text_behind_one_that_was_not_cleared_stays(harness: FieldHarness):
    await harness.enter("one", "two", "three")
    await harness.answer_while_composing()
    await harness.answer_while_composing(kept=False)
    assert harness.said == ["one", "two", "twothree"]
    await harness.answer_while_composing()
    assert (harness.field.shown, harness.field.text) == ("onetwothree", "")


async def test_a_page_that_closes_waits_for_nothing(harness: FieldHarness):
    before = asyncio.all_tasks()
    await harness.enter("one")
    harness.field.close()
    await harness.enter("")
    assert asyncio.all_tasks() == before
    assert harness.said == ["one"]
