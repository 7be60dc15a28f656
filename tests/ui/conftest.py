"""What the tests of the views share."""

from collections.abc import Callable
from typing import Any

import pytest

from chat.protocol import Message
from chat.timeline import Delivery, Entry
from ui.kit.texts import Texts

DAY = 24 * 60 * 60 * 1000
NOON = 20_000 * DAY + DAY // 2  #: some day's noon, in UTC


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Makes entries: ``entry("a", sender="Ada", at=3)`` says something three minutes after noon."""

    def make(key: str, sender: str = "Ada", at: float = 0, **fields: Any) -> Entry:
        who = {"sender_id": f"u-{sender}", "sender_name": sender, "own": False, "state": Delivery.RECEIVED}
        what = {"content": f"words {key}", "timestamp": NOON + int(at * 60_000)}
        return Entry(key=key, **{**who, **what, **fields})

    return make


@pytest.fixture
def message() -> Callable[..., Message]:
    """Makes messages of a room: ``message(7)`` is the seventh."""

    def make(number: int, sender: str = "Ada", **fields: Any) -> Message:
        usual: dict[str, Any] = {
            "room_id": "general",
            "message_id": f"m-{number}",
            "sender_id": f"u-{sender}",
            "sender_name": sender,
            "content": f"words {number}",
            "timestamp": NOON + number,
            "epoch": "e",
            "seq": number,
            "client_message_id": f"c-{number}",
        }
        return Message(**{**usual, **fields})

    return make


class KeyTexts(Texts):
    """Texts that show their key and parameters, so that a test reads like a sentence."""

    def __init__(self) -> None:
        super().__init__({}, "en")

    def __call__(self, key: str, **params: str | int) -> str:
        words = [key, *(f"{name}={value}" for name, value in params.items())]
        return "" if key == "sentences.between" else f"<{' '.join(words)}>"

    def has(self, key: str) -> bool:
        return key != "reason.made_up"


@pytest.fixture
def keys() -> Texts:
    return KeyTexts()
