"""The state that the page shows, as one immutable value, and its store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from chat.protocol import Message
from chat.timeline import EMPTY, Timeline
from kizuna.core.states import Status
from kizuna.store import Store


class NoticeKind(StrEnum):
    """The kinds of notices; each has a text in static/i18n."""

    MESSAGE_REFUSED = "message_refused"  #: the message is invalid; params: problem and its own
    OUTBOX_FULL = "outbox_full"  #: too many messages are waiting; params: limit
    NAME_REFUSED = "name_refused"  #: by the page or by the server; params: problem and its own
    ROOM_REFUSED = "room_refused"  #: the address names no valid room; params: room, problem and its own
    BAD_FRAME = "bad_frame"  #: the server sent an invalid frame; params: count
    SERVER_ERROR = "server_error"  #: the server could not serve a request; the console has details
    HISTORY_RESTORED = "history_restored"  #: the server's history was replaced and reloaded
    NOT_KEPT = "not_kept"  #: the browser cannot store messages
    MAY_HAVE_ARRIVED = "may_have_arrived"  #: a deleted message was sent, but not acknowledged
    FAILED_UNSEEN = "failed_unseen"  #: a message failed in a room that the person has left
    STILL_WAITING = "still_waiting"  #: unsent messages remain after leaving; params: count, name
    TEXT_TOO_LONG = "text_too_long"  #: a text does not fit into the field; params: limit, in KiB
    DRAFT_CUT = "draft_cut"  #: the end of a stored draft was cut off; params: limit, in KiB
    ONLY_TEXT = "only_text"  #: a file was dropped, or an image pasted
    LEFT_ELSEWHERE = "left_elsewhere"  #: the person left in another tab; params: name
    ROOM_CLOSED = "room_closed"  #: the person may not enter a room; params: room


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice. ``number`` makes two equal notices in a row different."""

    kind: NoticeKind
    number: int
    params: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """The connection as the page shows it. ``retry_at``: seconds on the monotonic clock of ``Platform.now()``;
    ``last_connected_at``: seconds since 1970."""

    status: Status = Status.IDLE
    attempt: int = 0  #: attempts since it was last connected
    retry_at: float | None = None
    reason: str | None = None  #: machine-readable, such as "unreachable"; texts in static/i18n, reason.*
    last_connected_at: float | None = None


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room that the person is in. ``unread``: messages of others since it was last shown."""

    room_id: str
    unread: int = 0


@dataclass(frozen=True, slots=True)
class ChatState:
    """Everything that views read."""

    connection: ConnectionInfo = ConnectionInfo()
    is_connected: bool = False
    caught_up: bool = False  #: everything said before the link opened has arrived
    catching_up: bool = False  #: a link is open, and its batches are arriving
    name: str | None = None  #: the person's name; None: the join form is shown
    suggested_name: str = ""  #: the initial text of the join form: the name given last
    user_id: str | None = None
    room_id: str = "general"
    rooms: tuple[RoomSummary, ...] = ()  #: all rooms of the person, in the order entered
    timeline: Timeline = EMPTY
    present: int | None = None  #: people in the room shown; None: unknown
    present_or_more: bool = False  #: there may be more people than that
    typing: tuple[str, ...] = ()  #: names of those who are typing in the room shown
    waiting: int = 0  #: own messages that are not acknowledged yet, in all rooms
    loading_earlier: bool = False
    notice: Notice | None = None


class ChatStore(Store[ChatState]):
    """The store of the chat's state, with the article's actions in Python's spelling."""

    def __init__(self) -> None:
        super().__init__(ChatState())

    def add_message(self, message: Message) -> None:
        """Add ``message`` to the timeline. A duplicate changes nothing and notifies no listener."""

        def add(state: ChatState) -> ChatState:
            timeline = state.timeline.add(message)
            return state if timeline is state.timeline else replace(state, timeline=timeline)

        self.update(add)

    def set_connected(self, connected: bool) -> None:
        """Set whether the link is open."""
        self.update(
            lambda state: state if state.is_connected == connected else replace(state, is_connected=connected)
        )
