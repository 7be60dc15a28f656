"""The built page is the page of the source tree with other addresses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.build.errors import BuildError
from tools.build.page import Addresses, built_page, read_page, start_files_of, stylesheets

ROOT = Path(__file__).parents[3]
POLICY = "default-src 'self'; connect-src 'self' wss://chat.example"
ADDRESSES = Addresses(
    styles="assets/page.1.css",
    images={
        "static/icons/kizuna.svg": "assets/kizuna.1.svg",
        "static/icons/kizuna-unread.svg": "assets/kizuna-unread.1.svg",
        "static/icons/kizuna-offline.svg": "assets/kizuna-offline.1.svg",
        "static/icons/touch-icon.png": "assets/touch-icon.1.png",
        "static/manifest.webmanifest": "assets/manifest.1.webmanifest",
    },
    boot="assets/boot.1.js",
    cached_view="assets/cached_view.1.js",
    launcher="assets/python.1.js",
    interpreter="assets/interpreter.1.js",
    modules=("assets/pyscript-1/core.js", "assets/pyodide-1/pyodide.mjs"),
    fetched=("assets/pyodide-1/pyodide.asm.wasm",),
    start_files={"snapshot": "assets/start.1.snapshot", "odd": "</script>\\1"},
)


@pytest.fixture(scope="module")
def source() -> str:
    return read_page(ROOT)


@pytest.fixture(scope="module")
def page(source: str) -> str:
    return built_page(source, ADDRESSES, POLICY)


def test_every_address_is_relative_and_of_the_site(page: str):
    addresses = re.findall(
        r'(?:src|href)="([^"#?]*)"', page.replace('href="https://github.com/YOU/kizuna', 'href="#')
    )
    assert addresses
    assert [address for address in addresses if address and not address.startswith("assets/")] == []


def test_everything_that_the_page_loads_is_there_once(page: str):
    scripts = (ADDRESSES.boot, ADDRESSES.cached_view, ADDRESSES.launcher, *ADDRESSES.modules)
    for path in (ADDRESSES.styles, *ADDRESSES.images.values(), *scripts):
        assert page.count(f'"{path}"') == 1
    assert page.count(f'src="{ADDRESSES.interpreter}"') == 1
    assert f"./{ADDRESSES.interpreter}&quot;" in page  # PyScript's configuration


def test_the_rules_for_content_are_the_given_ones(page: str):
    assert re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page) == [POLICY]


def test_no_script_stands_in_the_page_but_data_and_python(page: str):
    kinds = [
        attributes
        for attributes, text in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
        if text
    ]
    assert len(kinds) == 2
    assert all('type="application/json"' in kind or 'type="py"' in kind for kind in kinds)


def test_start_data_of_any_content_can_be_read_back(page: str):
    assert start_files_of(page) == ADDRESSES.start_files


def test_what_a_person_sees_is_the_same(source: str, page: str):
    def body(text: str) -> str:
        return text[text.index("<body>") : text.index("<mpy-config")]

    assert body(page) == body(source).replace('"static/boot/cached_view.js"', f'"{ADDRESSES.cached_view}"')


def test_stylesheets_keep_their_order():
    page = '<link rel="stylesheet" href="static/css/b.css"> <link rel="stylesheet" href="static/css/a.css">'
    assert stylesheets(page) == ["static/css/b.css", "static/css/a.css"]


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ('src="static/boot/boot.js"', "static/boot/boot.js"),
        ('src="static/boot/cached_view.js"', "static/boot/cached_view.js"),
        ('src="static/boot/python.js"', "static/boot/python.js"),
        ('config="pyscript.toml"', "PyScript's configuration"),
        ('http-equiv="Content-Security-Policy"', "Content-Security-Policy"),
        ("static/icons/kizuna.svg", "its icon static/icons/kizuna.svg"),
        ("static/manifest.webmanifest", "static/manifest.webmanifest"),
    ],
)
def test_a_part_that_is_no_longer_where_it_was_is_named(source: str, part: str, named: str):
    with pytest.raises(BuildError, match=re.escape(named)):
        built_page(source.replace(part, "gone"), ADDRESSES, POLICY)


def test_an_address_that_the_build_does_not_know_is_named(source: str):
    with pytest.raises(BuildError, match="static/new.js"):
        built_page(
            source.replace("</body>", '<script src="static/new.js"></script></body>'), ADDRESSES, POLICY
        )


def test_the_source_trees_page_is_no_built_page(source: str):
    with pytest.raises(BuildError, match="not built"):
        start_files_of(source)
