"""The rules of the house hold for every file, and each of them is shown to catch what it forbids."""

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tools.checks import house
from tools.checks.house import Rule, Source

ROOT = Path(__file__).resolve().parent.parent
FILES = house.sources(ROOT)
PYTHON = [source for source in FILES if source.path.endswith(".py")]
PATHS = {source.path for source in FILES}


def complaints(rule: Rule, files: Iterable[Source] = PYTHON) -> str:
    """What the rule has against these files, one complaint a line; empty when all is well."""
    return "\n".join(complaint for source in files for complaint in rule(source))


def caught(rule: Rule, path: str, text: str) -> int:
    """How many complaints the rule has against a file that was never written."""
    return len(list(rule(Source(path, text))))


def test_arrows_between_packages_point_one_way():
    assert complaints(house.arrows) == ""


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("app/kizuna/core/link.py", "import chat.session"),
        ("app/kizuna/core/link.py", "from ui import timeline"),
        ("app/chat/session.py", "def late():\n    from ui.timeline import Timeline"),
        ("app/chat/protocol.py", "from kizuna import errors"),
        ("app/ui/page.py", "import main"),
        ("app/ui/page.py", "import backend.local.server"),
        ("backend/messaging/handlers.py", "from chat import session"),
        ("backend/messaging/handlers.py", "from kizuna.errors import KizunaError"),
        ("backend/messaging/handlers.py", "from app.chat import protocol"),
    ],
)
def test_an_arrow_that_points_back_is_caught(path: str, statement: str):
    assert caught(house.arrows, path, statement) == 1


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("app/ui/page.py", "from chat.timeline import Timeline\nfrom kizuna import WebSocketService"),
        ("app/main.py", "import ui.page, chat.session, kizuna.browser"),
        ("backend/messaging/handlers.py", "from chat import protocol\nfrom chat.protocol import MAX_FRAME"),
        ("tests/chat/test_session.py", "import backend.local.server, ui.page"),
    ],
)
def test_an_arrow_that_points_forward_is_left_alone(path: str, statement: str):
    assert caught(house.arrows, path, statement) == 0


def test_only_the_browser_side_knows_the_browser():
    assert complaints(house.browser_only) == ""


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("app/kizuna/service.py", "import js"),
        ("app/kizuna/service.py", "from kizuna.browser import websocket"),
        ("app/chat/session.py", "from pyodide.ffi import create_proxy"),
        ("backend/local/server.py", "import kizuna.browser"),
        ("app/ui/page.py", "from js import document"),
        ("app/main.py", "import pyscript"),
        ("tests/e2e/test_page.py", "from pyscript import when"),
    ],
)
def test_a_browser_import_in_the_wrong_place_or_form_is_caught(path: str, statement: str):
    assert caught(house.browser_only, path, statement) == 1


def test_the_page_runs_on_the_standard_library_alone():
    assert complaints(house.standard_library_only) == ""


@pytest.mark.parametrize("path", ["app/kizuna/wire.py", "app/chat/session.py", "app/ui/page.py"])
def test_a_third_party_import_in_the_page_is_caught(path: str):
    assert (
        caught(house.standard_library_only, path, "import json, pydantic\nfrom asyncio import timeout") == 1
    )


def test_nobody_changes_where_python_looks_for_modules():
    assert complaints(house.no_path_tricks) == ""


def test_a_change_of_the_module_search_path_is_caught():
    assert caught(house.no_path_tricks, "tests/test_x.py", "import sys\nsys.path.insert(0, 'app')") == 1
    assert caught(house.no_path_tricks, "tools/x.py", "from sys import path") == 1


def test_importing_a_module_of_the_page_draws_nothing_and_touches_no_javascript():
    assert complaints(house.clean_at_import) == ""


@pytest.mark.parametrize(
    "statement",
    [
        "import time\nSTARTED = time.monotonic()",
        "from random import random as draw\nclass Backoff:\n    jitter = draw()",
        "import uuid\ndef new(name=uuid.uuid4()): ...",
        "from datetime import datetime, UTC\nSTARTED = datetime.now(UTC)",
        "import js\nBODY = js.document.body",
        "from pyodide.ffi import create_proxy\nHANDLER = create_proxy(print)",
    ],
)
def test_a_value_drawn_at_import_is_caught(statement: str):
    assert caught(house.clean_at_import, "app/ui/page.py", statement) >= 1


def test_what_runs_later_may_draw_and_touch_what_it_likes():
    later = (
        "import js, time\n"
        "clock = time.monotonic\n"
        "def now(event: js.Event, clock=time.monotonic) -> js.Object:\n    return js.Date.new(time.time())\n"
        "elements: list[js.Element] = []\n"
    )
    assert caught(house.clean_at_import, "app/ui/page.py", later) == 0


def test_no_file_is_too_long_to_read_in_one_sitting():
    assert complaints(house.short_file, FILES) == ""


def test_a_file_that_is_too_long_is_caught():
    assert caught(house.short_file, "static/css/page.css", "\n" * 601) == 1
    assert caught(house.short_file, "static/css/page.css", "\n" * 600) == 0


@pytest.mark.parametrize("folder", ["app", "backend", "tools", "tests"])
def test_nine_functions_in_ten_are_under_forty_lines(folder: str):
    assert "\n".join(house.mostly_short_functions(s for s in PYTHON if s.inside(folder))) == ""


def test_too_many_long_functions_are_caught():
    short = "def short(): ...\n" * 9
    long = "def long():\n" + "    ...\n" * 39
    assert list(house.mostly_short_functions([Source("a.py", short + long)])) == []
    assert len(list(house.mostly_short_functions([Source("a.py", short + long + long)]))) == 2


def test_the_package_that_both_sides_share_runs_nothing_at_import():
    chat = [source.text for source in FILES if source.path == "app/chat/__init__.py"]
    assert not any(chat), (
        "empty app/chat/__init__.py: the backend imports chat.protocol and nothing on the way"
    )


def test_tests_are_not_packages():
    assert not [path for path in PATHS if path.startswith("tests/") and path.endswith("/__init__.py")], (
        "delete it: pytest imports by path here, and equal file names in two folders are no conflict"
    )


def test_no_file_names_the_host_of_a_package_registry():
    assert complaints(house.no_registry_host, FILES) == ""


def test_the_host_of_a_registry_is_caught():
    assert (
        caught(
            house.no_registry_host, "requirements/run.txt", f"--index-url https://{house.REGISTRY_HOSTS[0]}/"
        )
        == 1
    )


def packages_without_integrity(lock: dict[str, dict[str, dict[str, str]]]) -> Iterator[str]:
    """The packages of an npm lock file that say where they are instead of what they are."""
    for name, package in lock["packages"].items():
        if name and ("resolved" in package or "integrity" not in package):
            yield name


def test_the_npm_lock_file_holds_hashes_and_no_addresses():
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    assert list(packages_without_integrity(lock)) == [], (
        "make it with `make lock`: .npmrc leaves addresses out"
    )


def test_an_address_in_the_npm_lock_file_is_caught():
    good, bad = {"integrity": "sha512-x"}, {"integrity": "sha512-x", "resolved": "https://mirror/x.tgz"}
    assert list(packages_without_integrity({"packages": {"": {}, "a": good, "b": bad, "c": {}}})) == [
        "b",
        "c",
    ]


def differences(mapped: dict[str, str], paths: Iterable[str]) -> set[tuple[str, str]]:
    """Where [files] of pyscript.toml and the tree part: modules fetched wrongly or not at all, files not there."""
    paths = set(paths)
    modules = {path: path.replace("app/", "./", 1) for path in paths if re.fullmatch(r"app/.*\.py", path)}
    data = {path: place for path, place in mapped.items() if path in paths - modules.keys()}
    return mapped.items() ^ (modules | data).items()


def test_pyscript_fetches_every_module_of_the_page_and_nothing_that_is_not_there():
    mapped = tomllib.loads((ROOT / "pyscript.toml").read_text(encoding="utf-8"))["files"]
    assert differences(mapped, PATHS) == set(), "make [files] of pyscript.toml say what lies in app/"


def test_a_module_that_pyscript_would_not_fetch_is_caught():
    good = {"app/main.py": "./main.py", "static/i18n/ja.json": "./i18n/ja.json"}
    assert differences(good, good) == set()
    assert differences(good, [*good, "app/ui/page.py"]) == {("app/ui/page.py", "./ui/page.py")}
    assert differences(good, ["static/i18n/ja.json"]) == {("app/main.py", "./main.py")}
    assert differences({"app/main.py": "./app/main.py"}, ["app/main.py"]) != set()


def test_no_file_holds_a_path_of_one_machine():
    assert complaints(house.no_machine_path, FILES) == ""


def test_a_path_of_one_machine_is_caught():
    for path in ("/ro" + "ot/x/y", "see /wo" + "rk/x/y", "file:///ho" + "me/ann/y"):
        assert caught(house.no_machine_path, "docs/x.md", path) == 1
    assert (
        caught(house.no_machine_path, "docs/x.md", "/usr/bin/env, net" + "/wo" + "rk/x, /ho" + "me/pyodide/x")
        == 0
    )


def test_tests_wait_for_what_they_want_to_see():
    assert complaints(house.no_waiting_by_the_clock) == ""


def test_a_fixed_pause_in_a_test_is_caught():
    for pause in (
        "import time\ntime.sleep(1)",
        "from time import sleep\nsleep(1)",
        "page.wait_for_timeout(500)",
    ):
        assert caught(house.no_waiting_by_the_clock, "tests/e2e/test_page.py", pause) == 1


def test_words_never_become_markup():
    assert complaints(house.no_markup_from_text, FILES) == ""


def test_a_way_to_turn_words_into_markup_is_caught():
    for line in ("row.innerHTML = text", 'row.insertAdjacentHTML("beforeend", text)', "document.write(text)"):
        assert caught(house.no_markup_from_text, "app/ui/page.py", line) == 1
        assert caught(house.no_markup_from_text, "static/boot/boot.js", line) == 1
