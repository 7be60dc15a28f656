"""The actions of a person."""

from __future__ import annotations

from typing import Protocol

from chat.store import NoticeKind


class Actions(Protocol):
    """The actions that views call, implemented by ``chat.session.ChatSession``. None raises for invalid input."""

    def join(self, name: str) -> None:
        """Connect under this name. An invalid name gives a notice."""

    def leave(self) -> None:
        """Disconnect on purpose, until join()."""

    def rename(self, name: str) -> None:
        """Give the person another name. An invalid name gives a notice."""

    def forget(self) -> None:
        """Leave, and delete all that this browser has stored of the person, unsent messages included."""

    def follow_other_tabs(self) -> None:
        """Leave if the person has left in another tab. May be called at any time."""

    def enter_room(self, name: str) -> None:
        """Show another room. An invalid name gives a notice."""

    def leave_room(self, name: str) -> None:
        """Leave a room, and show another one if it was shown. The last room cannot be left."""

    def send_message(self, text: str) -> bool:
        """Show a text as queued, and send it as soon as possible. It is kept at once, so that a crash loses nothing.
        Return False if it was refused, with a notice."""

    def set_reading(self, is_reading: bool) -> None:
        """Say whether the person sees the end of the shown room: then what arrives there is read."""

    def notify_typing(self) -> None:
        """Notify the room that the person is typing. May be called at every key."""

    def try_now(self) -> None:
        """Start the next attempt at once."""

    def set_place(self, *, follows: bool, holds_focus: bool) -> None:
        """Say whether the list of messages follows its end, and whether one of its messages has the focus."""

    def show_earlier(self) -> None:
        """Show messages before those on the page, requested from the server if necessary."""

    def show_from(self, key: str) -> None:
        """Show messages from the one with this key on, if it is in memory."""

    def show_later(self) -> None:
        """Show messages after those on the page."""

    def show_latest(self) -> None:
        """Show the newest messages."""

    def retry(self, client_message_id: str) -> None:
        """Send a failed message again."""

    def retry_all(self) -> None:
        """Send every failed message of the shown room again, in the order typed."""

    def discard(self, client_message_id: str) -> None:
        """Delete a message that is not acknowledged. If it was sent already, a notice says that it may have arrived."""

    def show_notice(self, kind: NoticeKind, /, **params: str | int) -> None:
        """Show a notice, unless one of this kind is shown already."""

    def dismiss_notice(self) -> None:
        """Close the notice."""
