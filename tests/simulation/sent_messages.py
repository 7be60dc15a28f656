"""All messages that people sent, and the check that the server's logs have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from backend.store.base import Item


@dataclass(slots=True)
class SentMessage:
    """One message as its sender knows it."""

    text: str
    room_id: str
    person: str
    page: int  #: number of the page that sent it
    place: int  #: among all messages
    id: str = ""
    is_kept: bool | None = None  #: whether the page kept it; None: unknown
    is_in_memory_only: bool = False  #: the disk failed, and the page said so
    is_retried: bool = False  #: sent again by hand, so its place in the order has changed
    is_discarded: bool = False
    is_warned: bool = False  #: the page said that it may have arrived, though discarded


class SentMessages:
    """Every message that was ever sent, compared with the server's logs.

    ``with_two_tabs``: people who may have two pages open at once.
    """

    def __init__(self, with_two_tabs: Container[str | int]) -> None:
        self._with_two_tabs = with_two_tabs
        self.said: list[SentMessage] = []
        self.may_be_lost: set[str] = set()  #: ids of messages that a restored backup may lack
        self.deleted: dict[str, str] = {}  #: message id -> client message id of deleted messages
        self._without_order: set[int] = set()  # pages

    def say(self, text: str, room_id: str, person: str, page: int) -> SentMessage:
        self.said.append(SentMessage(text, room_id, person, page, len(self.said)))
        return self.said[-1]

    def of(self, client_message_id: str) -> SentMessage:
        return next(said for said in self.said if said.id == client_message_id)

    def id_of(self, item: Item) -> str:
        """Return the client message id of a message in the log, which a deleted one does not contain."""
        own: str = item["clientMessageId"]
        return self.deleted[item["messageId"]] if item.get("deleted") else own

    def note_page_closed(self, page: int) -> None:
        """Note that a page has ended: messages that only its memory had may be lost."""
        for said in self.said:
            if said.page == page and said.is_in_memory_only:
                said.is_kept = None

    def exempt_from_order(self, person: str, page: int) -> None:
        """Check no order for a page that was in the back/forward cache: another tab may have sent its messages."""
        if person in self._with_two_tabs:
            self._without_order.add(page)

    def check(self, logs: Mapping[str, Sequence[Item]], shown_as_sent: set[str]) -> None:
        """Assert that the logs have each kept message once, in order, and nothing else."""
        known = {said.id: said for said in self.said if said.id}
        for room_id, log in logs.items():
            assert [int(item["sk"]) for item in log] == list(range(1, len(log) + 1)), "seq is dense from 1"
            for item in log:
                said = known[self.id_of(item)]
                if item.get("deleted"):
                    assert said.text not in item.values(), "its words are gone"
                    continue
                told = (said.text, said.room_id, said.person)
                assert told == (item["content"], room_id, item["senderName"]), "as it was said"
        stored = Counter(self.id_of(item) for log in logs.values() for item in log)
        for said in known.values():
            self._check_one(said, stored[said.id], said.id in shown_as_sent)
        for log in logs.values():
            self._check_order([known[self.id_of(item)] for item in log])

    def _check_one(self, said: SentMessage, count: int, shown_as_sent: bool) -> None:
        assert count <= 1, f"stored {count} times: {said}"
        if said.id in self.may_be_lost:
            return
        if said.is_kept and not said.is_discarded:
            assert count == 1, f"lost: {said}"
        if said.is_kept is False:
            assert count == 0, f"refused, so its text stayed with the person, and sent all the same: {said}"
        if said.is_discarded and count:
            assert said.is_warned, f"arrived though it was discarded, and nobody was told: {said}"
        if shown_as_sent:
            assert count == 1, f"shown as sent, and lost: {said}"

    def _check_order(self, log: Sequence[SentMessage]) -> None:
        """Assert that messages of one page, or of a person with one page at a time, are in the order sent."""
        last: dict[str | int, SentMessage] = {}
        for said in log:
            if said.is_retried or said.is_discarded or said.is_in_memory_only or said.id in self.may_be_lost:
                continue
            for source in (said.page, said.person):
                before = last.get(source)
                if source not in self._with_two_tabs and source not in self._without_order:
                    assert before is None or before.place < said.place, f"{said} was said before {before}"
                last[source] = said
