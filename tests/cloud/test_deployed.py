"""The deployed backend: template, package and handlers together, on ministack in place of AWS.

What ministack does otherwise than AWS, and which checks that leaves to other tests:

- It knows no route responses and sends back what any function returns: that each action has one is asserted on the
  template (tests/backend/aws/test_template.py).
- Its CloudFormation hands the CORS configuration on in another case than its gateway reads it in: put right in the
  template that it gets.
- Its CloudFormation knows no alarms that add up metrics, and does not turn on TTL or point-in-time recovery: asserted
  on the template. Nothing expired is deleted here, so that only the filter on reading keeps it away.
- It lets one event of a connection, and of a function, happen at a time: races are played in tests/backend.
- Connections have ids of 16 hexadecimal digits: that AWS's are encoded in URLs is shown in test_aws_gateway.
- What functions say while they answer a WebSocket's event is thrown away, and their loggers are at WARNING. Tokens
  are looked for in the logs of the authorizer and of the HTTP API, here, and in all log lines in tests/backend.
- Binary frames, limits of size, time and idleness are not AWS's.
"""

import hashlib
import time

import pytest

from tests.cloud.deployed import ORIGIN
from tests.support.peer import knock
from tests.support.server import post
from tests.support.waiting import eventually

pytestmark = pytest.mark.deep

HOUR = 3600


# --- a conversation ---


def test_people_see_each_message_once_and_in_order(person):
    ann, bob = person("Ann"), person("Bob")
    assert ann.read("presence", joined=["Bob"])["count"] == 2
    acks = [ann.say("one"), bob.say("two"), ann.say("three")]
    assert [ack["seq"] for ack in acks] == [1, 2, 3]
    for someone in (ann, bob):
        last = [frame for frame in someone.received if frame["type"] == "message"]
        while not last or last[-1]["seq"] != 3:
            last.append(someone.read("message"))
        assert [(frame["seq"], frame["content"]) for frame in last] == [
            (1, "one"),
            (2, "two"),
            (3, "three"),
        ]


def test_who_dropped_catches_up_with_what_was_said_meanwhile(person):
    ann, bob = person("Ann"), person("Bob")
    bob.say("before")
    seen = ann.read("message")
    ann.vanish()
    bob.say("meanwhile")
    bob.say("and more")
    batch = person("Ann", after=seen["seq"], epoch=seen["epoch"]).batch
    assert [message["content"] for message in batch["messages"]] == ["meanwhile", "and more"]
    assert (batch["complete"], batch["limited"]) == (True, False)


def test_a_message_that_is_sent_again_is_acknowledged_again_and_stored_once(person):
    ann = person("Ann")
    frame = {"clientMessageId": "again", "roomId": ann.room, "content": "hi"}
    for _ in range(2):
        ann.send("sendMessage", **frame)
    first, second = ann.read("ack"), ann.read("ack")
    assert (first["seq"], first["duplicate"]) == (second["seq"], False)
    assert second["duplicate"] is True
    ann.send("sync", roomId=ann.room, after=0)
    assert len(ann.read("batch")["messages"]) == 1


def test_every_action_is_answered_by_the_function_behind_its_route(person):
    ann, bob = person("Ann"), person("Bob")
    ann.say("hi")
    ann.send("ping", t=7)
    pong = ann.read("pong", t=7)
    assert [(head["roomId"], head["seq"]) for head in pong["heads"]] == [(ann.room, 1)]
    ann.send("history", roomId=ann.room, before=2, limit=5, ref="h")
    assert [message["content"] for message in ann.read("batch", ref="h")["messages"]] == ["hi"]
    ann.send("join", roomId="another", after=0)
    assert ann.read("batch", roomId="another")["messages"] == []
    ann.send("leave", roomId="another")
    ann.send("typing", roomId=ann.room)
    assert bob.read("typing")["senderName"] == "Ann"
    ann.send("nonsense")
    assert ann.read("error")["code"]


# --- who gets in ---


def test_a_ticket_admits_once(deployed):
    ticket = deployed.ticket("Ann")
    assert [deployed.knock(ticket) for _ in range(2)] == [101, 403]


def test_a_token_itself_admits_as_the_article_has_it(deployed):
    assert deployed.knock(deployed.token("Ann")) == 101


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 401), ("?token=", 401), ("?token=nonsense", 403), ("?token=a.b.c", 403), ("?other=x", 401)],
)
def test_without_a_good_token_nobody_gets_in(deployed, query, status):
    assert knock(deployed.web_socket_url + query, ORIGIN) == status


def test_a_page_of_another_origin_gets_neither_in_nor_a_ticket(deployed):
    ticket = deployed.ticket("Ann")
    assert deployed.knock(ticket, origin="https://evil.example") == 403
    assert deployed.knock(ticket, origin=deployed.origin) == 101
    token = deployed.token("Ann")
    assert deployed.ask_for_ticket(token, "https://evil.example")[0] == 403
    assert deployed.ask_for_ticket(token)[0] == 200


def test_a_ticket_wants_a_good_token(deployed):
    status, answer = post(deployed.ticket_url, Authorization="Bearer a.b.c")
    assert (status, answer["code"]) == (401, "unauthorized")
    assert post(deployed.ticket_url)[0] == 401


def test_an_expired_ticket_admits_nobody_though_it_still_lies_in_the_table(deployed):
    ticket = deployed.ticket("Ann")
    key = (f"TICKET#{hashlib.sha256(ticket.encode()).hexdigest()}", "TICKET")
    item = deployed.raw(*key)
    expired = {**item, "expiresAt": {"N": str(int(time.time()) - 1)}}
    deployed.dynamodb.put_item(TableName=deployed.table, Item=expired)
    assert deployed.knock(ticket) == 403
    assert deployed.raw(*key) is not None
    deployed.dynamodb.put_item(TableName=deployed.table, Item=item)
    assert deployed.knock(ticket) == 101
    assert deployed.raw(*key) is None


def test_whoever_was_let_in_is_who_speaks_in_every_later_event(person):
    zoe, bob = person("Zoë 🎉 王"), person("Bob")
    zoe.send("sendMessage", clientMessageId="c", roomId=zoe.room, content="hi", senderId=bob.ready["userId"])
    message = bob.read("message")
    assert (message["senderId"], message["senderName"]) == (zoe.ready["userId"], "Zoë 🎉 王")


# --- who goes ---


def test_who_leaves_is_forgotten_and_missed(person, deployed):
    ann, bob = person("Ann"), person("Bob")
    bob.leave()
    assert ann.read("presence", left=["Bob"])["count"] == 1
    eventually(lambda: deployed.store.query(f"CONNECTION#{bob.connection_id}") == [])
    assert deployed.store.query(f"USER#{bob.ready['userId']}") == []


def test_broadcast_removes_stale_connection_only(person, deployed):
    ann, bob, cyd = person("Ann"), person("Bob"), person("Cyd")
    with deployed.without_disconnects():
        bob.vanish()
        eventually(lambda: not deployed.knows(bob.connection_id))
        assert deployed.store.get(f"CONNECTION#{bob.connection_id}", "METADATA") is not None
        ann.say("is Bob here?")
        assert ann.read("presence", left=["Bob"])["count"] == 2
    assert deployed.store.query(f"CONNECTION#{bob.connection_id}") == []
    assert deployed.store.get(f"ROOM#{ann.room}", f"CONNECTION#{bob.connection_id}") is None
    for someone in (ann, cyd):
        assert deployed.store.get(f"CONNECTION#{someone.connection_id}", "METADATA") is not None
    cyd.say("no")
    assert ann.read("message", content="no")["seq"] == 2


def test_an_expired_record_is_ignored_and_a_pending_one_is_kept(person, deployed):
    ann = person("Ann")
    now = int(time.time())
    ghosts = {
        "expired": ("active", now - 1),
        "pending": ("pending", now + HOUR),
        "gone": ("active", now + HOUR),
    }
    for connection_id, (state, expires_at) in ghosts.items():
        deployed.record(connection_id, ann.room, state, expires_at)
    ann.say("hi")
    ann.read("presence", left=["gone"])
    # Nobody posted to the expired one, so nobody was told 410.
    assert deployed.raw("CONNECTION#expired", "METADATA") is not None
    assert deployed.raw("CONNECTION#pending", "METADATA") is not None
    assert deployed.raw("CONNECTION#gone", "METADATA") is None
    assert deployed.raw(f"ROOM#{ann.room}", "CONNECTION#gone") is None


# --- logs ---


def test_no_log_line_holds_what_admits_anybody(deployed):
    token, ticket = deployed.token("Ann"), deployed.ticket("Ann")
    assert [deployed.knock(admission) for admission in (token, ticket, ticket)] == [101, 101, 403]
    logs = deployed.logs()
    assert "START RequestId" in logs
    for secret in (token, ticket, token.rpartition(".")[2]):
        assert secret not in logs
