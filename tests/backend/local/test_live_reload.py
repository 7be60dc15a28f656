"""Live reload: with --dev open pages are told about changes of the source tree; otherwise there is none."""

import asyncio
import json
import os
import re
import time
from pathlib import Path

import httpx
import pytest

from backend.auth.origins import is_loopback
from backend.local.app import Options
from backend.local.live_reload import CHANGES, Changes, Tree, with_script
from backend.local.settings import Unusable, read_options
from backend.local.web import create_app
from tests.support.process import PATIENCE
from tests.support.server import ROOT, KizunaServer

PAGE = "<html><head><title>x</title></head><body></body></html>"
FILES = {
    "index.html": PAGE,
    "pyscript.toml": "",
    "app/main.py": "1",
    "app/ui/page.py": "2",
    "static/css/base.css": "3",
    "static/config.json": "{}",
}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is refused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name, text in FILES.items():
        write(tree / name, text)
    return tree


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make_older(path: Path) -> None:
    """Change a file's time, as a change of its content does. Two writes may fall into one tick."""
    os.utime(path, (time.time() - 60, time.time() - 60))


def changed(root: Path, before: dict[str, str]) -> set[str]:
    return {kind for kind, version in Tree(root).versions().items() if before[kind] != version}


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("index.html", {"rest"}),
        ("pyscript.toml", {"rest"}),
        ("app/ui/page.py", {"rest"}),
        ("static/config.json", {"rest"}),
        ("static/css/base.css", {"styles"}),
    ],
)
def test_a_change_of_a_file_is_a_new_version_of_its_kind(root: Path, name: str, kinds: set[str]):
    before = Tree(root).versions()
    make_older(root / name)
    assert changed(root, before) == kinds


def test_a_new_file_and_one_that_is_gone_are_changes(root: Path):
    before = Tree(root).versions()
    write(root / "app" / "ui" / "new.py", "")
    assert changed(root, before) == {"rest"}
    (root / "app" / "ui" / "new.py").unlink()
    assert changed(root, before) == set()
    (root / "static" / "css" / "base.css").unlink()
    assert changed(root, before) == {"styles"}


@pytest.mark.parametrize(
    "name",
    [
        "backend/local/server.py",
        "static/vendor/pyodide/pyodide.mjs",
        "app/__pycache__/main.cpython-311.pyc",
        "app/.main.py.swp",
        "app/main.py~",
        ".git/index",
    ],
)
def test_what_is_no_part_of_the_page_does_not_count(root: Path, name: str):
    before = Tree(root).versions()
    write(root / name, "")
    assert changed(root, before) == set()


async def heard(events) -> dict[str, str]:
    """Return the next versions that a page gets."""
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if event.startswith("data: "):
                assert event.endswith("\n\n")
                versions: dict[str, str] = json.loads(event.removeprefix("data: "))
                return versions
    raise AssertionError("nothing more is told")


async def test_page_gets_the_versions_at_once_and_after_each_change(root: Path):
    changes = Changes(Tree(root), pause=0.01)
    events = changes.events()
    first = await heard(events)
    assert first == Tree(root).versions()
    make_older(root / "static" / "css" / "base.css")
    second = await heard(events)
    assert (second["rest"], second["styles"]) == (first["rest"], Tree(root).versions()["styles"])
    assert second["styles"] != first["styles"]
    changes.stop()
    assert [event async for event in events] == []


async def test_what_still_changes_is_told_when_it_has_come_to_rest():
    class Restless(Tree):
        def __init__(self, *seen: str) -> None:
            self._seen = list(seen)

        def versions(self) -> dict[str, str]:
            return {"rest": self._seen.pop(0) if len(self._seen) > 1 else self._seen[0]}

    changes = Changes(Restless("1", "without a file", "2", "2", "3", "1"), pause=0.001)
    events = changes.events()
    assert [await heard(events) for _ in range(3)] == [{"rest": "1"}, {"rest": "2"}, {"rest": "1"}]


async def test_the_server_says_in_the_page_which_version_it_is(root: Path, tmp_path: Path):
    answer = await get(root, tmp_path, "/", dev=True)
    script = re.search(r"<script [^>]*></script>\n(?=</head>)", answer.text)
    assert script is not None
    assert answer.text.replace(script[0], "") == PAGE
    assert 'type="module" src="static/dev/reload.js" id="dev-reload"' in script[0]
    assert dict(re.findall(r'data-(\w+)="(\w+)"', script[0])) == Tree(root).versions()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert "etag" not in answer.headers
    assert "script-src 'self' 'wasm-unsafe-eval';" in answer.headers["content-security-policy"]


async def test_other_files_are_served_as_ever(root: Path, tmp_path: Path):
    answer = await get(root, tmp_path, "/app/main.py", dev=True)
    assert (answer.text, answer.headers["cache-control"]) == ("1", "no-cache")
    assert "etag" in answer.headers


async def test_without_dev_there_is_no_script_and_nobody_to_listen_to(root: Path, tmp_path: Path):
    assert (await get(root, tmp_path, "/", dev=False)).text == PAGE
    assert (await get(root, tmp_path, CHANGES, dev=False)).status_code == 404


async def test_a_foreign_name_for_this_machine_gets_neither_page_nor_changes(root: Path, tmp_path: Path):
    """A page of another owner, whose name leads here, would read the source tree."""
    for path in ("/", CHANGES, "/health"):
        answer = await get(root, tmp_path, path, dev=True, host="evil.example")
        assert answer.status_code == 403
        assert "set ALLOWED_ORIGINS=https://evil.example" in answer.text


async def get(root: Path, tmp_path: Path, path: str, *, dev: bool, host: str = "localhost") -> httpx.Response:
    app = create_app(Options(data=tmp_path / "kizuna.sqlite3", root=root, dev=dev))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://{host}") as client,
    ):
        return await client.get(path)


@pytest.mark.parametrize("page", ["no head", "<head></head><!-- </head> -->"])
def test_page_without_a_single_end_of_head_stays_unchanged(page: str, caplog):
    assert with_script(page, {"rest": "1"}) == page
    assert "live reload is off" in caplog.text


def test_the_page_of_the_source_tree_has_one_head():
    page = (ROOT / "index.html").read_text(encoding="utf-8")
    assert "static/dev/reload.js" not in page
    assert 'src="static/dev/reload.js"' in with_script(page, {})


def test_dev_is_a_flag_for_this_machine_alone():
    assert read_options(["--dev"], {}).dev
    assert not read_options([], {"DEV": "1"}).dev
    with pytest.raises(Unusable, match=r"HOST must be 127\.0\.0\.1, not '0\.0\.0\.0'"):
        read_options(["--dev"], {"HOST": EVERYWHERE})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("localhost", True),
        (EVERYWHERE, False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback_is_what_no_other_machine_reaches(host: str, expected: bool):
    assert is_loopback(host) == expected


def test_a_page_that_listens_does_not_delay_the_end(tmp_path: Path):
    server = KizunaServer(tmp_path / "kizuna.sqlite3", flags=["--dev"]).start()
    try:
        with httpx.stream("GET", server.url + CHANGES, timeout=PATIENCE) as answer:
            lines = answer.iter_lines()
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert any(line.startswith("data: ") for line in lines)
            assert server.stop() == 0
            assert [line for line in lines if line] == []  # an end, not a break
    finally:
        server.kill()
    assert "ERROR" not in server.output
