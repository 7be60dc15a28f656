"""Valid frames in any order, from several people with several connections, against a simple model."""

import json
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from backend.auth.tokens import Tokens
from backend.messaging.connections import CONNECTION_PREFIX, connection_id_of
from backend.messaging.handlers import Backend
from backend.store.sqlite import SqliteStore
from tests.backend.conftest import SECRET
from tests.backend.fakes import FakeClock, FakeGateway, Ids, authorizer_of, event
from tests.support.depth import examples

PEOPLE = ["Ann", "Bob", "Eve"]
ROOMS = ["a", "b", "部屋"]
ROOM = st.sampled_from(ROOMS)
#: Few, so that they come again: as retries, and for other words.
IDS = st.sampled_from(["c-1", "c-2", "c-3", "c-4"])
WORDS = st.sampled_from(["ok", "hi"])
AFTER = st.none() | st.integers(0, 6)

Frame = dict[str, Any]


@dataclass(eq=False)
class ConnectionModel:
    """The expected state of one connection, by room: membership, seqs, arrivals and departures."""

    id: str
    name: str
    authorizer: dict[str, str]
    active: bool = False
    is_gone: bool = False  #: its socket is, and the server has not noticed
    rooms: set[str] = field(default_factory=set)
    heard: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    news: dict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))
    inbox: list[Frame] = field(default_factory=list)

    def got(self, kind: str, room: str) -> list[Frame]:
        """Return the frames of one type about one room."""
        return [frame for frame in self.inbox if frame["type"] == kind and frame["roomId"] == room]


class ConversationModel(RuleBasedStateMachine):
    """The model: who is where, the messages, and who got them."""

    links = Bundle("links")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = FakeClock()
        self.store = SqliteStore(self.folder / "k.sqlite3", clock=self.clock)
        self.store._writer.execute("PRAGMA synchronous = OFF")  # many small steps, and no power loss
        self.gateway = FakeGateway()
        self.tokens = Tokens(SECRET, clock=self.clock)
        self.ids, self.connection_ids = Ids(), Ids("link-")
        self.backend = self.begin()
        self.alive: dict[str, ConnectionModel] = {}
        self.logs: dict[str, list[tuple[str, str, str]]] = {room: [] for room in ROOMS}
        self.said: dict[tuple[str, str], tuple[str, str, int]] = {}

    def begin(self) -> Backend:
        """Start a server."""
        return Backend(self.store, self.gateway, clock=self.clock, new_id=self.ids)

    def teardown(self) -> None:
        """Let go of the file."""
        self.backend.close()
        self.store.close()
        shutil.rmtree(self.folder)

    # --- connections ---

    @rule(target=links, name=st.sampled_from(PEOPLE))
    def connect(self, name: str) -> ConnectionModel:
        """Do a handshake, and send no frame yet."""
        return self.handshake(name)

    def handshake(self, name: str) -> ConnectionModel:
        """Open a new connection of a person."""
        token = self.tokens.issue(name, f"the secret of {name}").token
        link = ConnectionModel(self.connection_ids(), name, authorizer_of(self.tokens, token))
        response = self.backend.handle(event("CONNECT", link.id, authorizer=link.authorizer))
        assert response["statusCode"] == 200
        self.alive[link.id] = link
        return link

    @rule(target=links, name=st.sampled_from(PEOPLE), rooms=st.lists(ROOM, min_size=1, unique=True))
    def come(self, name: str, rooms: list[str]) -> ConnectionModel:
        """Connect and say hello, as all pages do: most links should be where something happens."""
        link = self.handshake(name)
        self.hello(link, rooms, None)
        return link

    @rule(link=links, rooms=st.lists(ROOM, max_size=3, unique=True), after=AFTER)
    def hello(self, link: ConnectionModel, rooms: list[str], after: int | None) -> None:
        positions = [{"roomId": room, "after": after} for room in rooms]
        got = self.say(link, {"action": "hello", "v": 1, "rooms": positions})
        if got is None:
            return
        link.active = True
        assert kinds(got) == ["ready"] + ["batch"] * len(rooms) + ["presence"] * len(rooms)
        for room, batch in zip(rooms, got[1:], strict=False):
            self.check_batch(batch, room, after)
        self.enter(link, rooms)

    @rule(link=links)
    def hello_in_another_version(self, link: ConnectionModel) -> None:
        got = self.say(link, {"action": "hello", "v": 2})
        if got is not None:
            assert got == [{"type": "bye", "reason": "unsupported", "reconnect": False, "retryAfter": None}]
            self.disconnect(link)

    @rule(link=links)
    def disconnect(self, link: ConnectionModel) -> None:
        self.backend.handle(event("DISCONNECT", link.id, authorizer=link.authorizer))
        self.gateway.gone.add(link.id)
        self.remove([link])

    @rule(link=consumes(links))
    def vanish(self, link: ConnectionModel) -> None:
        """Drop a socket without $disconnect."""
        self.gateway.gone.add(link.id)
        link.is_gone = True

    @precondition(lambda self: len(self.alive) > 3)
    @rule()
    def restart(self) -> None:
        """Drop every socket, and purge every record of one."""
        self.backend.close()
        self.gateway.gone.update(self.alive)
        self.alive.clear()
        self.backend = self.begin()
        self.backend.connections.purge(map(connection_id_of, self.store.partitions(CONNECTION_PREFIX)))

    # --- rooms ---

    @rule(link=links, room=ROOM, after=AFTER)
    def join(self, link: ConnectionModel, room: str, after: int | None) -> None:
        got = self.say(link, {"action": "join", "roomId": room, "after": after, "ref": "r"})
        if got is not None:
            assert kinds(got) == ["batch", "presence"]
            self.check_batch(got[0], room, after)
            self.enter(link, [room])

    @rule(link=links, room=ROOM)
    def leave(self, link: ConnectionModel, room: str) -> None:
        got = self.say(link, {"action": "leave", "roomId": room})
        if got is not None:
            assert got == []
            self.exit([link], room)

    @rule(link=links, room=ROOM, client_message_id=IDS, words=WORDS)
    def send(self, link: ConnectionModel, room: str, client_message_id: str, words: str) -> None:
        frame = {"clientMessageId": client_message_id, "roomId": room, "content": words}
        got = self.say(link, {"action": "sendMessage", **frame})
        if got is None:
            return
        mine = (link.name, client_message_id)
        if (first := self.said.get(mine)) is None:
            self.logs[room].append((link.name, client_message_id, words))
            seq = len(self.logs[room])
            self.said[mine] = (room, words, seq)
            assert (got[0]["type"], got[0]["seq"], got[0]["duplicate"]) == ("ack", seq, False)
            for other in self.members(room):
                other.heard[room].append(seq)
            self.find_gone_ones(room)
        elif first[:2] == (room, words):
            assert [(frame["seq"], frame["duplicate"]) for frame in got] == [(first[2], True)]
        else:
            assert [(frame["type"], frame["code"]) for frame in got] == [("nack", "invalid_field")]

    @rule(link=links, room=ROOM)
    def typing(self, link: ConnectionModel, room: str) -> None:
        before = {other: len(other.got("typing", room)) for other in self.alive.values()}
        got = self.say(link, {"action": "typing", "roomId": room})
        if got is None:
            return
        if room not in link.rooms:
            assert [(frame["code"], frame["roomId"]) for frame in got] == [("not_in_room", room)]
            return
        for other, count in before.items():
            hears = other is not link and other in self.members(room)
            assert len(other.got("typing", room)) - count == hears
        self.find_gone_ones(room)

    # --- questions ---

    @rule(link=links, room=ROOM, after=AFTER)
    def sync(self, link: ConnectionModel, room: str, after: int | None) -> None:
        got = self.say(link, {"action": "sync", "roomId": room, "after": after, "ref": "r"})
        if got is not None and self.may_read(link, room, got):
            (batch,) = got
            self.check_batch(batch, room, after)

    @rule(link=links, room=ROOM, before=st.integers(1, 8), limit=st.integers(1, 4))
    def history(self, link: ConnectionModel, room: str, before: int, limit: int) -> None:
        got = self.say(link, {"action": "history", "roomId": room, "before": before, "limit": limit})
        if got is not None and self.may_read(link, room, got):
            (batch,) = got
            last = min(before - 1, len(self.logs[room]))
            assert contents(batch) == self.stored(room, range(max(1, last - limit + 1), last + 1))

    @rule(link=links)
    def ping(self, link: ConnectionModel) -> None:
        got = self.say(link, {"action": "ping", "t": 1})
        if got is not None:
            (pong,) = got
            heads = {head["roomId"]: head["seq"] for head in pong["heads"]}
            assert heads == {room: len(self.logs[room]) for room in link.rooms}

    # --- what is always true ---

    @invariant()
    def every_room_knows_its_connections(self) -> None:
        for room in ROOMS:
            known = {link.id for link in self.alive.values() if room in link.rooms}
            assert set(self.backend.connections.members(room)) == known

    @invariant()
    def everybody_heard_each_message_once_and_in_order(self) -> None:
        self.deliver()
        for room in ROOMS:
            for link in self.reachable():
                assert [frame["seq"] for frame in link.got("message", room)] == link.heard[room]

    @invariant()
    def everybody_was_told_who_came_and_left_and_the_last_count_is_true(self) -> None:
        self.deliver()
        for room in ROOMS:
            people = {link.name for link in self.alive.values() if room in link.rooms}
            for link in self.reachable():
                told = link.got("presence", room)
                joined = Counter(("joined", name) for frame in told for name in frame["joined"])
                left = Counter(("left", name) for frame in told for name in frame["left"])
                assert joined + left == link.news[room]
                assert room not in link.rooms or told[-1]["count"] == len(people)

    @invariant()
    def the_log_is_dense_and_holds_all_that_was_acknowledged(self) -> None:
        for room in ROOMS:
            batch = self.backend.rooms.read_after(room, None, None)
            found = [(m.seq, m.sender_name, m.client_message_id, m.content) for m in batch.messages]
            assert found == self.stored(room, range(1, len(self.logs[room]) + 1))

    # --- inside ---

    def say(self, link: ConnectionModel, frame: Frame) -> list[Frame] | None:
        """Return the answer to a frame; None, having checked the refusal, if the frame cannot count."""
        if link.is_gone:
            return None
        self.clock.advance(0.001)
        self.deliver()
        before = len(link.inbox)
        response = self.backend.handle(event("MESSAGE", link.id, frame, authorizer=link.authorizer))
        assert response["statusCode"] == 200
        self.deliver()
        got = link.inbox[before:] + ([json.loads(response["body"])] if "body" in response else [])
        if link.id not in self.alive:
            assert got == []  # bye, to nobody
            assert link.id in self.gateway.closed
            return None
        if not link.active and frame["action"] not in ("hello", "ping"):
            assert [(answer["type"], answer["code"]) for answer in got] == [("error", "hello_first")]
            return None
        return got

    def may_read(self, link: ConnectionModel, room: str, got: list[Frame]) -> bool:
        """Return whether a connection is in the room; if not, check the refusal."""
        if room not in link.rooms:
            assert [(answer["type"], answer["code"]) for answer in got] == [("error", "not_in_room")]
        return room in link.rooms

    def deliver(self) -> None:
        """Put what was posted into the inboxes of those who are alive."""
        for to, frame in self.gateway.posts:
            if to in self.alive:
                self.alive[to].inbox.append(frame)
        self.gateway.clear()

    def reachable(self) -> list[ConnectionModel]:
        """Return the connections that get posts."""
        return [link for link in self.alive.values() if not link.is_gone]

    def members(self, room: str) -> list[ConnectionModel]:
        """Return those of them that are in a room."""
        return [link for link in self.reachable() if room in link.rooms]

    def enter(self, link: ConnectionModel, rooms: Iterable[str]) -> None:
        """Put a connection into these rooms; those without its person get an arrival."""
        for room in rooms:
            is_new = all(room not in other.rooms or other.name != link.name for other in self.alive.values())
            link.rooms.add(room)
            if is_new:
                for other in self.members(room):
                    other.news[room]["joined", link.name] += 1

    def exit(self, leavers: Iterable[ConnectionModel], room: str) -> None:
        """Take connections out of a room; the others get the departures of people whose last one it was."""
        names = set()
        for link in leavers:
            if room in link.rooms:
                link.rooms.remove(room)
                names.add(link.name)
        names -= {other.name for other in self.alive.values() if room in other.rooms}
        for other in self.members(room):
            other.news[room].update(("left", name) for name in names)

    def remove(self, links: list[ConnectionModel]) -> None:
        """Forget connections."""
        known = [link for link in links if self.alive.pop(link.id, None)]
        for room in ROOMS:
            self.exit(known, room)

    def find_gone_ones(self, room: str) -> None:
        """Remove the gone connections that a broadcast has just found."""
        self.remove([link for link in self.alive.values() if link.is_gone and room in link.rooms])

    def check_batch(self, batch: Frame, room: str, after: int | None) -> None:
        head = len(self.logs[room])
        first = 1 if after is None or after > head else after + 1
        assert contents(batch) == self.stored(room, range(first, head + 1))
        assert (batch["roomId"], batch["head"], batch["complete"]) == (room, head, True)

    def stored(self, room: str, seqs: range) -> list[tuple[int, str, str, str]]:
        """Return the expected log."""
        return [(seq, *self.logs[room][seq - 1]) for seq in seqs]


def kinds(frames: list[Frame]) -> list[str]:
    return [frame["type"] for frame in frames]


def contents(batch: Frame) -> list[tuple[int, str, str, str]]:
    return [(m["seq"], m["senderName"], m["clientMessageId"], m["content"]) for m in batch["messages"]]


TestConversation = ConversationModel.TestCase
TestConversation.settings = settings(
    max_examples=examples(quick=10, deep=500), stateful_step_count=40, deadline=None
)
