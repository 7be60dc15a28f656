"""What people said, and what must have become of it in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence

from backend.store.base import Item
from tests.simulation.page import Said


class Ledger:
    """Responsible for knowing every message that anybody ever said, and for comparing it with the server's logs.

    ``with_two_tabs``: people of whom two pages may be open at once.
    """

    def __init__(self, with_two_tabs: Container[str | int]) -> None:
        self._with_two_tabs = with_two_tabs
        self.said: list[Said] = []
        self._forgiven: set[str] = set()
        self._without_order: set[int] = set()  # pages

    def say(self, text: str, room_id: str, person: str, page: int) -> Said:
        self.said.append(Said(text, room_id, person, page, len(self.said)))
        return self.said[-1]

    def of(self, client_message_id: str) -> Said:
        return next(said for said in self.said if said.id == client_message_id)

    def bury(self, page: int) -> None:
        """This page is gone, and what only its memory had may be gone with it."""
        for said in self.said:
            if said.page == page and said.is_fragile:
                said.is_kept = None

    def has_two_tabs(self, person: str) -> bool:
        """Whether two pages of this person may be open at once."""
        return person in self._with_two_tabs

    def excuse(self, page: int) -> None:
        """This page was put aside: another one of its person may send what waited in it, now or later, while the
        page, back again, sends what is said next."""
        self._without_order.add(page)

    def forgive(self, client_message_ids: Iterable[str]) -> None:
        """These went with a history that is no more: they may be there or not."""
        self._forgiven.update(client_message_ids)

    def relent(self, client_message_ids: Iterable[str]) -> None:
        """These are in the history all the same."""
        self._forgiven.difference_update(client_message_ids)

    def check(self, logs: Mapping[str, Sequence[Item]], seen_as_sent: set[str]) -> None:
        """Everything that was kept is there once, nothing else is, and in order."""
        known = {said.id: said for said in self.said if said.id}
        for room_id, log in logs.items():
            assert [int(item["sk"]) for item in log] == list(range(1, len(log) + 1)), "seq is dense from 1"
            for item in log:
                said = known[item["clientMessageId"]]
                told = (said.text, said.room_id, said.person)
                assert told == (item["content"], room_id, item["senderName"]), "as it was said"
        stored = Counter(item["clientMessageId"] for log in logs.values() for item in log)
        for said in known.values():
            self._check_one(said, stored[said.id], said.id in seen_as_sent)
        for log in logs.values():
            self._check_order([known[item["clientMessageId"]] for item in log])

    def _check_one(self, said: Said, count: int, seen_as_sent: bool) -> None:
        assert count <= 1, f"stored {count} times: {said}"
        if said.id in self._forgiven:
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
            if said.is_retried or said.is_discarded or said.is_fragile or said.id in self._forgiven:
                continue
            for source in (said.page, said.person):
                before = last.get(source)
                if source not in self._with_two_tabs and source not in self._without_order:
                    assert before is None or before.place < said.place, f"{said} was said before {before}"
                last[source] = said
