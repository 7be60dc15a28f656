"""What a person can ask for."""

from __future__ import annotations

from typing import Protocol


class Actions(Protocol):
    """What the views call; ``chat.session.ChatSession`` does it.

    None of these waits, or raises for what the person typed.
    """

    def join(self, name: str) -> None:
        """Connect under this name; a name that cannot be used becomes a Notice."""

    def leave(self) -> None:
        """Disconnect on purpose and stay so."""

    def enter_room(self, name: str) -> None:
        """Show another room; a name that cannot be used becomes a Notice."""

    def say(self, text: str) -> bool:
        """Send, now or when there is a connection. False: refused, a Notice says why, the text stays where it is."""

    def try_now(self) -> None:
        """Do not wait for the next attempt."""

    def load_earlier(self) -> None:
        """Fetch the page of messages before the first one shown."""

    def retry(self, client_message_id: str) -> None:
        """Send a failed message again."""

    def discard(self, client_message_id: str) -> None:
        """Forget a failed message."""

    def dismiss_notice(self) -> None:
        """The person has read the notice."""
