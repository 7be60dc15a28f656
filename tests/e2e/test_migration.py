"""What commit 559f4ed kept is opened by the page and the server of now: nothing is lost, and nobody is somebody else.

``kept_by_559f4ed`` was made by that commit itself, in a clone of its own: `python -m backend.server` served its source
tree to Chromium, where Ann joined, wrote in #general and #日本語, and heard a peer. Then the server was killed, Ann
wrote three messages more and began a fourth, and the browser was closed. ``browser.json`` is what localStorage,
sessionStorage and the tables of IndexedDB held just before; ``server.sql`` is the server's SQLite file as Python's
`iterdump` writes it, with its two identifying PRAGMAs. Two things are adapted before use: the address of the server,
of which the keys of rows are made, and the times of rows, since words that waited for three days are not sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.test_served import served
from tests.support.waiting import PATIENCE

FOLDER = Path(__file__).with_name("kept_by_559f4ed")
SAID = {
    "general": [
        "Hello from Ann",
        "絆 👩‍👩‍👧",
        "Hello from a peer",
        "waited in general",
        "waited there as well",
    ],
    "日本語": ["こんにちは", "待っていた言葉"],
}

FILL = """async ({local, session, tables}) => {
    for (const [key, text] of Object.entries(local)) localStorage.setItem(key, text);
    for (const [key, text] of Object.entries(session)) sessionStorage.setItem(key, text);
    const opening = indexedDB.open("kizuna", 1);
    opening.onupgradeneeded = () => Object.keys(tables).forEach((table) => opening.result.createObjectStore(table));
    await new Promise((done) => opening.onsuccess = done);
    const transaction = opening.result.transaction(Object.keys(tables), "readwrite");
    for (const [table, rows] of Object.entries(tables))
        for (const [key, text] of Object.entries(rows)) transaction.objectStore(table).put(text, key);
    await new Promise((done) => transaction.oncomplete = done);
    opening.result.close();
}"""


def kept_at(token_url: str) -> dict[str, Any]:
    """Return the browser's stored data, with this server's address."""
    text = (FOLDER / "browser.json").read_text(encoding="utf-8")
    kept = json.loads(text)
    then, now = (
        hashlib.sha256(f"{url}\n{kept['local']['kizuna.secret.Ann']}".encode()).hexdigest()[:32]
        for url in (kept["token_url"], token_url)
    )
    assert then in text
    kept = json.loads(text.replace(then, now))
    outbox = {key: json.loads(row) for key, row in kept["tables"]["outbox"].items()}
    age = time.time_ns() // 1_000_000 - max(row["written_at"] for row in outbox.values())
    for row in outbox.values():
        row["written_at"] += age
    kept["tables"]["outbox"] = {key: json.dumps(row) for key, row in outbox.items()}
    return dict(kept)


def stored_in(data: Path) -> dict[str, list[tuple[str, str]]]:
    """Return the senders and texts of each room from the server."""
    with contextlib.closing(sqlite3.connect(data)) as file:
        rows = file.execute(
            "SELECT pk, attributes FROM items WHERE pk LIKE 'ROOM#%#LOG' ORDER BY pk, sk"
        ).fetchall()
    stored: dict[str, list[tuple[str, str]]] = {}
    for pk, attributes in rows:
        message = json.loads(attributes)
        stored.setdefault(pk.split("#")[1], []).append((message["senderId"], message["content"]))
    return stored


def wait_for_room(page: Page, room: str) -> None:
    """Assert that the page shows all messages of the room, once and stored."""
    expect(page.locator("#room-name")).to_have_text(room)
    expect(page.locator('article [data-part="content"]')).to_have_text(SAID[room])
    expect(page.locator('article:not([data-state="sent"], [data-state="received"])')).to_have_count(0)


def rooms_of(page: Page) -> list[str]:
    links = page.get_by_role("navigation", name="Rooms").get_by_role("link")
    return [text.strip().removeprefix("#").strip() for text in links.all_inner_texts()]


@pytest.mark.parametrize("path", ["", "team-a"], ids=["at the root", "under a path"])
def test_what_559f4ed_kept_is_found_sent_once_and_the_same_persons(
    chromium: Browser, site: Path, tmp_path: Path, path: str
) -> None:
    data = tmp_path / path / "kizuna.sqlite3"
    data.parent.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(data)) as file:
        file.executescript((FOLDER / "server.sql").read_text(encoding="utf-8"))
    before = stored_in(data)
    with (
        served(site, tmp_path, path) as url,
        contextlib.closing(chromium.new_context(locale="en-US")) as context,
    ):
        home = f"{url}/{path}/" if path else f"{url}/"
        kept = kept_at(f"{home}token")
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{home}health")
        page.evaluate(FILL, kept)
        page.goto(f"{home}#/general", wait_until="commit")
        for room in SAID:
            page.evaluate("room => { location.hash = `#/${room}`; }", room)
            wait_for_room(page, room)
        assert sorted(rooms_of(page)) == sorted(SAID)
        page.reload(wait_until="commit")
        wait_for_room(page, "日本語")
        page.evaluate("location.hash = '#/general'")
        wait_for_room(page, "general")
        expect(page.get_by_role("textbox", name="Message", exact=True)).to_have_value("half a sen")
    ann = next(sender for sender, text in before["general"] if text == "Hello from Ann")
    assert ann in kept["local"].values()
    after = stored_in(data)
    assert {room: [text for _, text in said] for room, said in after.items()} == SAID
    for room, said in after.items():
        assert said[: len(before[room])] == before[room]
        assert {sender for sender, _ in said[len(before[room]) :]} == {ann}
