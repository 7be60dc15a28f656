"""What a person can ask for."""

from __future__ import annotations

from typing import Protocol

from chat.store import NoticeKind


class Actions(Protocol):
    """What the views call; ``chat.session.ChatSession`` does it. None of these raises for what the person typed."""

    def join(self, name: str) -> None:
        """Connect under this name; a name that cannot be used becomes a Notice."""

    def leave(self) -> None:
        """Disconnect on purpose and stay so."""

    def follow_other_tabs(self) -> None:
        """Leave, if the person has left in another tab. May be called at any time."""

    def enter_room(self, name: str) -> None:
        """Show another room; a name that cannot be used becomes a Notice."""

    def leave_room(self, name: str) -> None:
        """Be in this room no longer. The last room cannot be left; of the one that is shown, another one shows."""

    async def send_message(self, text: str) -> bool:
        """Send, now or when there is a connection. Returns once it is kept, so that not even a crash loses it.
        False: refused, a Notice says why, the text stays where it is."""

    def notify_typing(self) -> None:
        """The person is writing. May be called at every key."""

    def try_now(self) -> None:
        """Do not wait for the next attempt."""

    def load_earlier(self) -> None:
        """Fetch the page of messages before the first one shown."""

    def retry(self, client_message_id: str) -> None:
        """Send a failed message again."""

    def retry_all(self) -> None:
        """Send every failed message of this room again, in the order typed."""

    def discard(self, client_message_id: str) -> None:
        """Forget a message that is not stored by the server. If it had been sent already, a Notice says that it may
        have arrived."""

    def show_notice(self, kind: NoticeKind, **params: str | int) -> None:
        """Show a notice of what the page found by itself; not again while it shows."""

    def dismiss_notice(self) -> None:
        """The person has read the notice."""
