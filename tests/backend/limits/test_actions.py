"""The limits of a person's actions: alone, and as the page notices them."""

from collections.abc import Callable

import pytest

from backend.limits.actions import BURST_SECONDS, ActionLimits, Actions, typing_seconds_in
from backend.limits.rate_limit import InvalidRate
from backend.messaging.handlers import Backend
from chat.protocol import Hello, History, Join, Leave, Ping, RoomPosition, SendMessage, Sync, Typing, UpFrame
from tests.backend.fakes import FakeClock, Ids, Person

TYPING = {"action": "typing", "roomId": "general"}
SYNC = {"action": "sync", "roomId": "general", "after": 0}
HELLO = {"action": "hello", "v": 1, "rooms": [{"roomId": "general"}]}


@pytest.fixture
def monotonic():
    return FakeClock(0)


@pytest.fixture
def actions(monotonic):
    return Actions(ActionLimits(), monotonic=monotonic)


def hello() -> Hello:
    return Hello(v=1, rooms=(RoomPosition(room_id="general", after=None, epoch=None),))


def asks(room: str) -> list[UpFrame]:
    return [
        Sync(room_id=room, after=0, epoch="e", ref="r"),
        Join(room_id=room, after=0, epoch="e", ref="r"),
        Leave(room_id=room),
        History(room_id=room, before=5, limit=5, ref="r"),
    ]


def test_typing_passes_twice_then_once_in_two_seconds(actions, monotonic):
    assert [actions.wait("ann", Typing(room_id="a")) for _ in range(3)] == [0, 0, 2]
    assert actions.wait("ann", Typing(room_id="b")) == 0
    assert actions.wait("bob", Typing(room_id="a")) == 0
    monotonic.advance(2)
    assert actions.wait("ann", Typing(room_id="a")) == 0


def test_twenty_tabs_that_come_back_to_fifty_rooms_are_all_served(actions):
    assert {actions.wait("ann", hello()) for _ in range(40)} == {0}
    rooms = [f"r{number}" for number in range(50)]
    assert {actions.wait("ann", asks(room)[0]) for room in rooms for _ in range(20)} == {0}


def test_all_questions_of_a_person_are_counted_together(monotonic):
    actions = Actions(ActionLimits(asks=0.1), monotonic=monotonic)
    passed = [actions.wait("ann", frame) == 0 for frame in asks("a") + asks("b")]
    assert passed == [True] * 6 + [False] * 2
    assert actions.wait("bob", asks("a")[0]) == 0
    monotonic.advance(10)
    assert [actions.wait("ann", frame) == 0 for frame in asks("a")] == [True] + [False] * 3


def test_who_says_hello_again_and_again_has_to_wait(actions, monotonic):
    assert [actions.wait("ann", hello()) for _ in range(61)] == [0] * 60 + [0.5]
    monotonic.advance(0.5)
    assert actions.wait("ann", hello()) == 0


def test_pings_and_messages_have_other_limits(actions):
    message = SendMessage(client_message_id="c", room_id="a", content="hi")
    assert {actions.wait("ann", frame) for frame in (Ping(), message) for _ in range(2000)} == {0}


def test_each_limit_can_be_off(monotonic):
    actions = Actions(ActionLimits(0, 0, 0), monotonic=monotonic)
    for frame in (Typing(room_id="a"), hello(), *asks("a")):
        assert {actions.wait("ann", frame) for _ in range(2000)} == {0}


def test_limits_that_are_not_whole_numbers_let_one_through_at_least(monotonic):
    actions = Actions(ActionLimits(hellos=0.001), monotonic=monotonic)
    assert actions.wait("ann", hello()) == 0
    assert actions.wait("ann", hello()) == 1000


# --- as the page sees it ---


@pytest.fixture
def enter(store, gateway, clock, monotonic, tokens, retry):
    """Return a function that connects people to room general, where three hellos and three questions pass at once."""
    limits = ActionLimits(hellos=0.1, asks=0.05)
    made = Backend(
        store, gateway, clock=clock, new_id=Ids(), actions=limits, monotonic=monotonic, retry=retry
    )

    def connect(name: str, connection_id: str | None = None) -> Person:
        someone = Person(made, gateway, tokens, name, connection_id)
        someone.connect()
        someone.hello("general")
        return someone

    yield connect
    made.close()


Enter = Callable[..., Person]


def test_others_hear_of_typing_so_often_whatever_the_connections(enter: Enter, monotonic):
    bob, ann, again = enter("Bob"), enter("Ann"), enter("Ann", "again=")
    for _ in range(5):
        assert ann.say(TYPING) is None
        assert again.say(TYPING) is None
    assert len(bob.got("typing")) == 2
    monotonic.advance(2)
    ann.say(TYPING)
    assert len(bob.got("typing")) == 3


def test_a_question_too_many_has_no_answer_and_the_same_later_has(enter: Enter, monotonic):
    ann = enter("Ann")
    answers = [ann.say(SYNC) for _ in range(4)]
    assert [answer is None for answer in answers] == [False] * 3 + [True]
    monotonic.advance(20)
    answer = ann.say(SYNC)
    assert answer is not None
    assert answer["type"] == "batch"


def test_a_hello_too_many_is_told_when_to_come_back(enter: Enter, gateway):
    ann = enter("Ann")
    for _ in range(3):
        assert ann.say(HELLO) is None
    assert ann.got("bye") == [{"type": "bye", "reason": "rate_limited", "reconnect": True, "retryAfter": 10}]
    assert gateway.closed == [ann.id]


def test_too_fast_connections_are_refused_before_anything_is_written(enter: Enter, monotonic, store):
    ann = enter("Ann")
    ann.disconnect()
    for _ in range(BURST_SECONDS // 10 - 1):
        assert ann.connect() == {"statusCode": 200}
        ann.disconnect()
    before = store.query(f"USER#{ann.user_id}")
    assert ann.connect() == {"statusCode": 429, "body": "Too many connections"}
    assert store.query(f"USER#{ann.user_id}") == before == []
    assert enter("Bob").got("ready")
    monotonic.advance(10)
    assert ann.connect() == {"statusCode": 200}


def test_settings_of_typing_name_themselves():
    assert typing_seconds_in("X", "0") == 0
    for text in ("-1", "3601", "inf", "nan", ""):
        with pytest.raises(InvalidRate, match="^X must be a number of seconds"):
            typing_seconds_in("X", text)
