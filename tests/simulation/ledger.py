"""What people said, and what must have become of it in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from backend.store.base import Item


@dataclass(slots=True)
class Said:
    """One message as its person knows it."""

    text: str
    room_id: str
    person: str
    page: int  #: number of the page on which it was said
    place: int  #: among all that was ever said
    id: str = ""
    is_kept: bool | None = None  #: what say() returned; None: it has not, or never will
    is_fragile: bool = False  #: only the page's memory has it: the disk failed, and the person was told
    is_retried: bool = False  #: said again by hand, so its place in the order is another
    is_discarded: bool = False
    is_warned: bool = False  #: its person was told that it may have arrived, though discarded


class Ledger:
    """Responsible for knowing every message that anybody ever said, and for comparing it with the server's logs.

    ``with_two_tabs``: people of whom two pages may be open at once.
    """

    def __init__(self, with_two_tabs: Container[str | int]) -> None:
        self._with_two_tabs = with_two_tabs
        self.said: list[Said] = []
        self.forgiven: set[str] = set()  #: they went with a history that is no more, and may be there or not
        self.deleted: dict[str, str] = {}  #: message id -> client message id of what an operator took away
        self._without_order: set[int] = set()  # pages

    def say(self, text: str, room_id: str, person: str, page: int) -> Said:
        self.said.append(Said(text, room_id, person, page, len(self.said)))
        return self.said[-1]

    def of(self, client_message_id: str) -> Said:
        return next(said for said in self.said if said.id == client_message_id)

    def id_of(self, item: Item) -> str:
        """The client message id of a message in the log, which a deleted one does not tell."""
        own: str = item["clientMessageId"]
        return self.deleted[item["messageId"]] if item.get("deleted") else own

    def bury(self, page: int) -> None:
        """This page is gone, and what only its memory had may be gone with it."""
        for said in self.said:
            if said.page == page and said.is_fragile:
                said.is_kept = None

    def excuse(self, person: str, page: int) -> None:
        """This page was put aside: another one of its person may send what waited in it, now or later, while the
        page, back again, sends what is said next."""
        if person in self._with_two_tabs:
            self._without_order.add(page)

    def check(self, logs: Mapping[str, Sequence[Item]], seen_as_sent: set[str]) -> None:
        """Everything that was kept is there once, nothing else is, and in order."""
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
            self._check_one(said, stored[said.id], said.id in seen_as_sent)
        for log in logs.values():
            self._check_order([known[self.id_of(item)] for item in log])

    def _check_one(self, said: Said, count: int, seen_as_sent: bool) -> None:
        assert count <= 1, f"stored {count} times: {said}"
        if said.id in self.forgiven:
            return
        if said.is_kept and not said.is_discarded:
            assert count == 1, f"lost: {said}"
        if said.is_kept is False:
            assert count == 0, f"refused, so its text stayed with the person, and sent all the same: {said}"
        if said.is_discarded and count:
            assert said.is_warned, f"arrived though it was discarded, and nobody was told: {said}"
        if seen_as_sent:
            assert count == 1, f"shown as sent, and lost: {said}"

    def _check_order(self, log: Sequence[Said]) -> None:
        """What came from one page is in the order said; and so is what came from the pages of a person who has but
        one at a time."""
        last: dict[str | int, Said] = {}
        for said in log:
            if said.is_retried or said.is_discarded or said.is_fragile or said.id in self.forgiven:
                continue
            for source in (said.page, said.person):
                before = last.get(source)
                if source not in self._with_two_tabs and source not in self._without_order:
                    assert before is None or before.place < said.place, f"{said} was said before {before}"
                last[source] = said
