"""The article's rule for repeats, over the last messages, is that of its ``addMessage``."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from chat import recent_messages
from chat.protocol import Message
from chat.recent_messages import RecentMessages


def message(message_id: str, sender: str, content: str, at: int, client_id: str | None = None) -> Message:
    return Message(
        room_id="general",
        message_id=message_id,
        sender_id=sender,
        sender_name=sender,
        content=content,
        timestamp=at,
        client_message_id=client_id,
    )


MESSAGES = st.lists(
    st.builds(
        message,
        st.sampled_from("abcdefgh"),
        st.sampled_from(["Ada", "Ben"]),
        st.sampled_from(["ok", "no"]),
        st.integers(0, 30_000),
    ),
    max_size=30,
)


def add_message(messages: list[Message], message: Message) -> list[Message]:
    """The article's rule, word for word."""
    is_duplicate = any(
        other.message_id == message.message_id
        or (
            other.content == message.content
            and other.sender_id == message.sender_id
            and abs(other.timestamp - message.timestamp) < 5000
        )
        for other in messages
    )
    return messages if is_duplicate else [*messages, message]


@given(MESSAGES)
def test_repeats_are_those_of_the_article(heard: list[Message]) -> None:
    recent, shown = RecentMessages(), list[Message]()
    for each in heard:
        expected = add_message(shown, each)
        is_new = not recent.is_known(each) and not recent.is_repeat(each)
        assert is_new is (expected is not shown)
        shown = expected
        if is_new:
            recent.add(each)


def test_only_the_last_ones_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_messages, "MAX_RECENT", 2)
    recent = RecentMessages()
    recent.add(message("1", "Ada", "ok", 0, "c1"))
    recent.add(message("2", "Ada", "ok", 6_000))
    recent.add(message("2", "Ada", "no", 6_000))  # the same id again, as a careless server may
    assert not recent.is_known(message("1", "Ada", "ok", 0))
    assert not recent.is_known(message("other", "Ada", "ok", 0, "c1"))
    assert not recent.is_repeat(message("3", "Ada", "ok", 0))
    assert recent.is_repeat(message("3", "Ada", "ok", 6_000))
    recent.add(message("4", "Ben", "ok", 0, "c4"))
    assert recent.is_known(message("2", "Ada", "ok", 0))
    assert not recent.is_repeat(message("3", "Ada", "ok", 6_000))
    assert recent.is_known(message("other", "Ben", "ok", 0, "c4"))
