"""The state that the page shows, as one immutable value, and its store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from chat.protocol import Message
from chat.room_log import RoomLog
from chat.timeline import EMPTY, Gap, Timeline
from kizuna import ConnectionState, ReasonKind, Store


class NoticeKind(StrEnum):
    """The kinds of notices; each has a text in static/i18n."""

    MESSAGE_REFUSED = "message_refused"  #: the message is invalid; params: problem and its own
    OUTBOX_FULL = "outbox_full"  #: too many messages are waiting; params: limit
    NAME_REFUSED = "name_refused"  #: by the page or by the server; params: problem and its own
    RENAME_REFUSED = "rename_refused"  #: as NAME_REFUSED, of a person who has joined
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
class RoomSummary:
    """A room that the person is in. ``unread``: messages of others that the person has not read yet."""

    room_id: str
    unread: int = 0


_NEVER_CONNECTED = ConnectionState()


@dataclass(frozen=True, slots=True)
class ChatState:
    """Everything that views read."""

    connection: ConnectionState = _NEVER_CONNECTED
    last_connected_at: float | None = None  #: seconds since 1970
    token_problem: str | None = None  #: why there is no token, in words of chat.identity
    is_connected: bool = False
    caught_up: bool = False  #: everything said before the link opened has arrived
    catching_up: bool = False  #: a link is open, and its batches are arriving
    name: str | None = None  #: the person's name; None: the join form is shown
    suggested_name: str = ""  #: the initial text of the join form: the name given last
    user_id: str | None = None
    room_id: str = "general"
    rooms: tuple[RoomSummary, ...] = ()  #: all rooms of the person, in the order entered
    timeline: Timeline = EMPTY
    first_unread: str | None = (
        None  #: the key of the first unread message of the room shown, if it is in memory
    )
    unread_from: str | None = (
        None  #: the key of the first message that was unread when the room was entered, or the page opened
    )
    gaps: tuple[Gap, ...] = ()  #: when there was no connection, in the room shown
    losses: int = 0  #: how often the connection was lost
    received: int = 0  #: messages of others that have arrived in all rooms, without first pages
    present: int | None = None  #: people in the room shown; None: unknown
    present_or_more: bool = False  #: there may be more people than that
    typing: tuple[str, ...] = ()  #: names of those who are typing in the room shown
    waiting: int = 0  #: own messages that are not acknowledged yet, in all rooms
    loading_earlier: bool = False
    notice: Notice | None = None

    @property
    def reason(self) -> str | None:
        """Why it is not connected, machine-readable, such as "unreachable"; texts in static/i18n, reason.*."""
        reason = self.connection.reason
        if reason is None:
            return None
        is_about_tokens = reason.kind in (ReasonKind.TOKEN_UNAVAILABLE, ReasonKind.UNAUTHORIZED)
        return (self.token_problem if is_about_tokens else None) or reason.kind

    @property
    def unread(self) -> int:
        """The messages of others in the shown room that the person has not read yet."""
        return sum(room.unread for room in self.rooms if room.room_id == self.room_id)

    @property
    def unread_everywhere(self) -> int:
        """The same in all rooms."""
        return sum(room.unread for room in self.rooms)


class ChatStore(Store[ChatState]):
    """The store of the chat's state, with the article's actions in Python's spelling."""

    def __init__(self) -> None:
        super().__init__(ChatState())
        self._log = RoomLog()
        self._notices = 0

    def show(self, log: RoomLog | None, **parts: Any) -> None:
        """Show the messages of this log as they are now (None: of no room), and replace these parts of the state."""
        self._log = RoomLog() if log is None else log
        self.change(timeline=EMPTY if log is None else log.publish(), **parts)

    def show_no_room(self, **parts: Any) -> None:
        """Show no room, and replace these parts of the state."""
        nothing = {
            "first_unread": None,
            "unread_from": None,
            "gaps": (),
            "rooms": (),
            "present": None,
            "typing": (),
        }
        self.show(None, **nothing, caught_up=False, catching_up=False, **parts)

    def add_message(self, message: Message) -> bool:
        """Add ``message`` to the log that is shown. A duplicate changes nothing and notifies no listener: return False.

        While the store is held, the messages are published together at the next show().
        """
        is_new = self._log.add(message)
        if is_new and not self.is_held:
            self.show(self._log)
        return is_new

    def set_connected(self, connected: bool) -> None:
        """Set whether the link is open."""
        self.change(is_connected=connected)

    def notify(self, kind: NoticeKind, **params: str | int) -> None:
        """Show a notice instead of the one that is shown."""
        self._notices += 1
        self.change(notice=Notice(kind, self._notices, params))

    def clear_notice(self, kind: NoticeKind) -> None:
        """Clear the notice that is shown if it is of this kind."""
        if self.state.notice is not None and self.state.notice.kind is kind:
            self.change(notice=None)

    def change(self, **parts: Any) -> None:
        """Replace these parts of the state; it stays the same object if all are equal."""
        state = self.state
        for name, value in parts.items():
            before = getattr(state, name)
            # An unchanged timeline is the same object; comparing it would be slow.
            if before is not value and (isinstance(value, Timeline) or before != value):
                self.update(lambda _: replace(state, **parts))
                return
