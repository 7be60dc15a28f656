"""What the page shows, as one immutable value, and the store that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from chat.protocol import Message
from chat.timeline import EMPTY, Timeline
from kizuna.core.states import Status
from kizuna.store import Store


class NoticeKind(StrEnum):
    """What the page has to tell beside the connection's state; each has a text in static/i18n."""

    MESSAGE_REFUSED = "message_refused"  #: what was typed cannot be sent; params: problem and its own
    OUTBOX_FULL = "outbox_full"  #: too much is waiting already; params: limit
    NAME_REFUSED = "name_refused"  #: by the page or by the server; params: problem and its own
    ROOM_REFUSED = "room_refused"  #: the address names no valid room; params: room, problem and its own
    BAD_FRAME = "bad_frame"  #: the server sent something that cannot be read; params: count
    SERVER_ERROR = "server_error"  #: the server could not serve a request; the console has its words
    HISTORY_RESTORED = "history_restored"  #: the server's history is another one than before; reloaded
    NOT_KEPT = "not_kept"  #: the browser keeps nothing: what waits to be sent ends with this page
    MAY_HAVE_ARRIVED = "may_have_arrived"  #: a deleted message had been sent, and not been acknowledged
    FAILED_UNSEEN = "failed_unseen"  #: a message was not sent in a room that the person is in no longer
    STILL_WAITING = "still_waiting"  #: who left has messages that are not sent yet; params: count, name
    TEXT_TOO_LONG = (
        "text_too_long"  #: more text than the field takes was not added to it; params: limit, in KiB
    )
    DRAFT_CUT = (
        "draft_cut"  #: of what was kept of the field, only the beginning is in it; params: limit, in KiB
    )
    ONLY_TEXT = "only_text"  #: a file was dropped, or a picture pasted
    LEFT_ELSEWHERE = "left_elsewhere"  #: the person left in another tab, and so in this one; params: name
    ROOM_CLOSED = "room_closed"  #: the server does not let this person into a room; params: room


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell. ``number`` makes two equal notices in a row different."""

    kind: NoticeKind
    number: int
    params: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """The connection as the page shows it. Times: ``retry_at`` on the monotonic clock of ``Platform.now()`` in
    seconds; ``last_connected_at`` in seconds since 1970."""

    status: Status = Status.IDLE
    attempt: int = 0  #: which attempt since it was last connected; 0 while connected
    retry_at: float | None = None
    reason: str | None = None  #: machine-readable, such as "unreachable"; texts in static/i18n, reason.*
    last_connected_at: float | None = None


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """One of the rooms that the person is in. ``unread``: what others said since it was last shown."""

    room_id: str
    unread: int = 0


@dataclass(frozen=True, slots=True)
class ChatState:
    """All that views read."""

    connection: ConnectionInfo = ConnectionInfo()
    is_connected: bool = False
    caught_up: bool = False  #: nothing that was said before the link opened is missing any more
    catching_up: bool = False  #: the link is open and the batches are on their way
    name: str | None = None  #: the person's name; None: the join form shows
    suggested_name: str = ""  #: what the join form begins with: the name given last
    user_id: str | None = None
    room_id: str = "general"
    rooms: tuple[
        RoomSummary, ...
    ] = ()  #: the rooms that the person is in, in the order entered, the shown one too
    timeline: Timeline = EMPTY
    present: int | None = None  #: people in the room that is shown; None: not known
    present_or_more: bool = False  #: there are so many people at least
    typing: tuple[str, ...] = ()  #: names of those who are writing in the room that is shown
    waiting: int = 0  #: own messages that are not acknowledged yet, in every room
    loading_earlier: bool = False
    notice: Notice | None = None


class ChatStore(Store[ChatState]):
    """Responsible for the chat's state: the article's actions in Python's spelling."""

    def __init__(self) -> None:
        super().__init__(ChatState())

    def add_message(self, message: Message) -> None:
        """Show ``message``. A duplicate returns the same state: no listener is told, nothing is rendered."""

        def add(state: ChatState) -> ChatState:
            timeline = state.timeline.add(message)
            return state if timeline is state.timeline else replace(state, timeline=timeline)

        self.update(add)

    def set_connected(self, connected: bool) -> None:
        """Note whether the link is open."""
        self.update(
            lambda state: state if state.is_connected == connected else replace(state, is_connected=connected)
        )
