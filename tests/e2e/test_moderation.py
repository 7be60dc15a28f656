"""A message that an operator deletes disappears from the page and from the browser's storage."""

from __future__ import annotations

import subprocess
import sys

from playwright.sync_api import expect

from tests.support.peer import Peer
from tests.support.process import PATIENCE
from tests.support.server import ROOT, KizunaServer
from tests.support.user_page import UserPage
from tests.support.waiting import eventually

SECRET = "nobody should read this"
#: Returns all that the page stores of rooms, and for the next first paint.
KEPT = """() => new Promise((resolve, reject) => {
    const seen = [JSON.stringify({...localStorage})];
    indexedDB.databases().then((all) => Promise.all(all.map(({name}) => new Promise((done, fail) => {
        const opening = indexedDB.open(name);
        opening.onerror = () => fail(opening.error);
        opening.onsuccess = () => {
            const stores = [...opening.result.objectStoreNames];
            const reading = stores.map((store) => new Promise((read) => {
                const request = opening.result.transaction(store).objectStore(store).getAll();
                request.onsuccess = () => { seen.push(JSON.stringify(request.result)); read(); };
            }));
            Promise.all(reading).then(() => { opening.result.close(); done(); });
        };
    }))).then(() => resolve(seen.join(" "))).catch(reject));
})"""


def test_a_deleted_message_goes_from_the_page_and_from_what_it_keeps(
    quinn: UserPage, peer: Peer, server: KizunaServer, room: str
) -> None:
    peer.say("before", SECRET, "after")
    quinn.wait_for_text("after")
    eventually(lambda: SECRET in quinn.page.evaluate(KEPT), what="the page keeps what it shows")

    command = [sys.executable, "-m", "backend.admin", "delete", room, "2", "--data", str(server.data)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=PATIENCE, capture_output=True)

    quinn.wait_for_text("Message deleted")
    assert quinn.texts == ["before", "Message deleted", "after"]
    assert [message.seq for message in quinn.messages] == ["1", "2", "3"]
    deleted = quinn.page.locator("article[data-deleted]")
    expect(deleted).to_have_count(1)
    expect(deleted.locator('[data-part="sender"]')).not_to_contain_text("Peer")
    eventually(lambda: SECRET not in quinn.page.evaluate(KEPT), what="nothing of it is kept")

    quinn.reload()
    quinn.wait_until_in()
    assert quinn.texts == ["before", "Message deleted", "after"]
    assert SECRET not in quinn.page.evaluate(KEPT)
