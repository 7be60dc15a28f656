"""The rules of the house hold for every file, and each of them is shown to catch what it forbids."""

import json
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


def test_js_is_imported_whole_and_pyscript_never():
    assert complaints(house.whole_browser_modules) == ""


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("app/ui/page.py", "from js import document"),
        ("app/main.py", "import pyscript"),
        ("tests/e2e/test_page.py", "from pyscript import when"),
    ],
)
def test_a_browser_import_in_the_wrong_form_is_caught(path: str, statement: str):
    assert caught(house.whole_browser_modules, path, statement) == 1


def test_the_page_runs_on_the_standard_library_alone():
    assert complaints(house.standard_library_only) == ""


@pytest.mark.parametrize("path", ["app/kizuna/wire.py", "app/chat/session.py", "app/ui/page.py"])
def test_a_third_party_import_in_the_page_is_caught(path: str):
    assert (
        caught(
            house.standard_library_only, path, "import json, pydantic, backend\nfrom asyncio import timeout"
        )
        == 2
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


def test_every_file_uses_the_fields_words():
    assert complaints(house.plain_words, FILES) == ""


def test_a_private_word_is_caught_and_a_stored_key_is_not():
    for word in house.PRIVATE_WORDS:
        assert caught(house.plain_words, "docs/x.md", f"see {word.capitalize()}, then") == 1
    assert caught(house.plain_words, "app/x.py", "kizuna.glimpse") == 0


def test_names_of_tests_have_at_most_twelve_words():
    assert complaints(house.short_test_name) == ""


def test_a_long_name_of_a_test_is_caught():
    name = "test_" + "_".join("a" * 12)
    assert caught(house.short_test_name, "tests/test_x.py", f"def {name}(): ...") == 0
    assert caught(house.short_test_name, "tests/test_x.py", f"async def {name}_b(): ...") == 1
