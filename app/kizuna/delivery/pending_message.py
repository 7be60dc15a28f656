"""A message that is not acknowledged: one value from the composer to the wire, and to its row in the storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: Milliseconds after which a waiting message fails instead of being sent: it may be out of date.
MAX_AGE_MS = 3 * 24 * 3600 * 1000


class Failure(NamedTuple):
    """Why a message was not sent: ``code`` for programs and catalogues, ``words``: the server's text."""

    code: str
    words: str = ""

    def __str__(self) -> str:
        """Return both."""
        return f"{self.code}: {self.words}" if self.words else self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingMessage:
    """One message that waits for its acknowledgement, or has failed.

    The last three fields belong to one link and are not stored.
    """

    id: str
    channel: str
    data: Mapping[str, Any]  #: the frame that is sent
    meta: Mapping[str, Any] = field(default_factory=dict)  #: the application's own, stored but not sent
    written_at: int = 0  #: milliseconds since 1970: its age, and its place in the order
    number: int = 0  #: its place among those of one millisecond
    is_sent: bool = False  #: it was sent at least once, and may have arrived
    failure: Failure | None = None  #: why it is not sent again
    tries: int = 0  #: how often this link took it without an answer
    in_flight: bool = False
    due_at: float = 0.0  #: monotonic seconds

    def is_too_old(self, now_ms: int) -> bool:
        """Return whether the message waited for so long that its author may no longer mean it."""
        return now_ms - self.written_at > MAX_AGE_MS

    @property
    def order(self) -> tuple[int, int]:
        """The place of the message among those of its person."""
        return self.written_at, self.number
