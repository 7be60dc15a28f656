"""What is sent with Enter stays in the field until it is kept; nothing is said twice, nothing is lost."""

import asyncio
import logging

import pytest

from ui.composer.send_queue import SendQueue


class Desk:
    """Responsible for a field, and for a session that keeps a text when the test says so."""

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
def desk() -> Desk:
    return Desk()


async def test_the_text_stays_until_it_is_kept(desk: Desk):
    await desk.enter("hello")
    assert (desk.said, desk.field.text, desk.field.is_busy) == (["hello"], "hello", True)
    await desk.answer()
    assert (desk.field.text, desk.field.is_busy, desk.settled) == ("", False, 1)


async def test_a_refused_text_stays(desk: Desk):
    await desk.enter("hello")
    await desk.answer(kept=False)
    assert (desk.field.text, desk.field.is_busy, desk.settled) == ("hello", False, 1)
    await desk.enter("")
    assert desk.said == ["hello", "hello"]


async def test_blank_text_is_not_said(desk: Desk):
    await desk.enter("", " \n", "\n")
    assert desk.said == []


async def test_a_sent_text_is_trimmed_and_removed_from_the_field(desk: Desk):
    await desk.enter("\n\nhello \n")
    assert desk.said == ["hello"]
    await desk.answer()
    assert desk.field.text == ""


async def test_pressing_again_says_nothing_again(desk: Desk):
    await desk.enter("hello")
    for more in ("", " ", "\n"):
        await desk.enter(more)
    await desk.answer()
    assert (desk.said, desk.field.text) == (["hello"], " \n")


async def test_what_is_typed_behind_it_stays(desk: Desk):
    await desk.enter("hello")
    desk.type(" there")
    await desk.answer()
    assert (desk.said, desk.field.text) == (["hello"], " there")


async def test_other_text_in_the_field_is_not_touched(desk: Desk):
    await desk.enter("hello")
    desk.fill("bye")
    await desk.answer()
    assert desk.field.text == "bye"


async def test_text_that_starts_with_the_same_letters_is_kept(desk: Desk):
    await desk.enter("no")
    desk.fill("not yet")
    await desk.answer()
    assert desk.field.text == "not yet"


async def test_an_edit_that_nobody_announced_is_known_by_its_result(desk: Desk):
    await desk.enter("hello")
    desk.field.edit("hullo")
    await desk.answer()
    assert desk.field.text == "hullo"


async def test_text_that_was_changed_and_changed_back_is_what_was_said(desk: Desk):
    await desk.enter("hello")
    desk.field.edit("hell")
    desk.field.edit("hello")
    await desk.answer()
    assert desk.field.text == ""


async def test_the_next_waits_for_its_turn(desk: Desk):
    await desk.enter("one")
    desk.fill("two")
    await desk.enter("")
    assert desk.said == ["one"]
    await desk.answer()
    assert (desk.said, desk.field.text) == (["one", "two"], "two")
    await desk.answer()
    assert (desk.field.text, desk.field.is_busy) == ("", False)


async def test_what_is_typed_behind_and_sent_is_the_next_message(desk: Desk):
    await desk.enter("one", "two", "three")
    desk.type("four")
    for _ in range(3):
        await desk.answer()
    assert (desk.said, desk.field.text) == (["one", "two", "three"], "four")


async def test_many_texts_are_sent_in_the_order_submitted(desk: Desk):
    texts = [f"message {number}" for number in range(1, 13)]
    for text in texts:
        desk.fill(text)
        await desk.enter("")
    for _ in texts:
        await desk.answer()
    assert (desk.said, desk.field.text) == (texts, "")


async def test_the_same_text_after_it_was_stored_is_a_second_message(desk: Desk):
    for _ in range(2):
        await desk.enter("ok")
        await desk.answer()
    assert desk.said == ["ok", "ok"]


async def test_what_follows_a_refused_text_is_said_together_with_it(desk: Desk):
    await desk.enter("one", " two", " three")
    await desk.answer(kept=False)
    assert (desk.said, desk.field.text) == (["one", "one two"], "one two three")
    await desk.answer()
    await desk.answer()
    assert (desk.said, desk.field.text) == (["one", "one two", " three"], "")


async def test_changing_a_waiting_text_keeps_the_one_before(desk: Desk):
    await desk.enter("one", "two")
    desk.field.touch(3)
    desk.field.edit("onezwei")
    await desk.answer()
    assert desk.field.text == "zwei"
    await desk.answer()
    assert (desk.said, desk.field.text) == (["one", "two"], "zwei")


async def test_a_bug_leaves_the_text_is_logged_and_stops_no_other(
    desk: Desk, caplog: pytest.LogCaptureFixture
):
    await desk.enter("hello")
    desk.fill("bye")
    await desk.enter("")
    with caplog.at_level(logging.ERROR):
        await desk.fail(RuntimeError("a bug"))
    assert [record.exc_text is not None for record in caplog.records] == [True]
    assert (desk.said, desk.field.text) == (["hello", "bye"], "bye")


async def test_the_draft_is_everything_that_would_be_lost(desk: Desk):
    await desk.enter("one")
    assert desk.field.draft == "one"
    desk.fill("two")
    await desk.enter("")
    desk.fill("three")
    assert desk.field.draft == "one\ntwo\nthree"
    await desk.answer()
    assert desk.field.draft == "two\nthree"
    await desk.answer()
    assert desk.field.draft == "three"


async def test_in_another_room_nothing_is_said_that_was_meant_for_this_one(desk: Desk):
    await desk.enter("one")
    desk.fill("two")
    await desk.enter("")
    desk.fill("three")
    desk.field.return_unsent()
    await desk.answer()
    assert (desk.said, desk.field.is_busy, desk.field.text) == (["one"], False, "two\nthree")


async def test_not_even_what_was_sent_in_the_same_moment(desk: Desk):
    desk.type("one")
    desk.field.send()
    desk.field.return_unsent()
    await desk.enter("")
    assert desk.said == ["one"], "said once, when the person is back and presses again"


async def test_what_is_being_kept_leaves_the_field_while_the_person_is_elsewhere(desk: Desk):
    await desk.enter("one", " two")
    desk.field.return_unsent()
    assert desk.field.text == "one two"
    await desk.answer()
    assert desk.field.text == " two"
    await desk.enter("")
    assert desk.said == ["one", " two"]


async def test_keeping_goes_on_while_the_field_cannot_be_cleared(desk: Desk):
    await desk.enter("one", "two")
    await desk.answer_while_composing()
    await desk.enter("three")
    await desk.answer_while_composing()
    await desk.answer_while_composing()
    assert desk.said == ["one", "two", "three"]
    assert (desk.field.shown, desk.field.text, desk.field.is_busy) == ("onetwothree", "", False)
    assert desk.field.clear()
    assert (desk.field.shown, desk.field.clear()) == ("", False)


async def test_a_stored_text_in_the_field_is_not_resent_or_a_draft(desk: Desk):
    await desk.enter("one")
    await desk.answer_while_composing()
    assert desk.field.draft == ""
    await desk.enter("")
    desk.type("two")
    assert (desk.said, desk.field.draft) == (["one"], "two")
    await desk.enter("")
    assert desk.said == ["one", "two"]


async def test_what_is_changed_before_it_was_cleared_is_another_text(desk: Desk):
    await desk.enter("one")
    await desk.answer_while_composing()
    desk.field.touch(1)
    desk.field.edit("ones")
    assert (desk.field.clear(), desk.field.text) == (False, "ones")


async def test_a_change_that_nobody_announced_before_it_was_cleared_is_known(desk: Desk):
    await desk.enter("one")
    await desk.answer_while_composing()
    desk.field.edit("on")
    assert (desk.field.clear(), desk.field.text) == (False, "on")


async def test_a_refused_text_behind_one_that_was_not_cleared_stays(desk: Desk):
    await desk.enter("one", "two", "three")
    await desk.answer_while_composing()
    await desk.answer_while_composing(kept=False)
    assert desk.said == ["one", "two", "twothree"]
    await desk.answer_while_composing()
    assert (desk.field.shown, desk.field.text) == ("onetwothree", "")


async def test_a_page_that_closes_waits_for_nothing(desk: Desk):
    before = asyncio.all_tasks()
    await desk.enter("one")
    desk.field.close()
    await desk.enter("")
    assert asyncio.all_tasks() == before
    assert desk.said == ["one"]
