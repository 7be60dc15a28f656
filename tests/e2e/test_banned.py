"""A person whom the operator bans during a conversation."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.peer import Peer
from tests.support.process import PATIENCE
from tests.support.server import ROOT, KizunaServer
from tests.support.user_page import UserPage


def test_a_banned_person_is_removed_and_does_not_return(
    new_person: Callable[..., UserPage], server: KizunaServer, peer: Peer, room: str
) -> None:
    troll = new_person("Troll")
    troll.watch.allow("403")
    troll.open(room)
    troll.join()
    troll.say("spam")
    user_id = peer.wait_to_hear("spam").sender_id
    command = [sys.executable, "-m", "backend.admin", "--data", str(server.data), "ban", user_id]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)

    peer.say("is it quiet now?")
    troll.say("more spam")
    troll.wait_for_status("rejected")
    banner = troll.page.locator("#banner")
    expect(banner).to_contain_text(
        "You were banned from this server. Only the administrator of this chat can"
    )
    assert troll.texts == ["spam", "more spam"]
    assert troll.sockets_alive() == 0

    troll.reload()
    troll.wait_for_status("rejected")
    expect(banner).to_contain_text("You were banned from this server.")
    assert "more spam" not in peer.heard
