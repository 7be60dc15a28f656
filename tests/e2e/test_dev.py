"""`make dev`: an open page shows changes of the source tree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.server import ROOT, KizunaServer
from tests.support.watch import Watch
from tools.build.page import read_page, stylesheets

#: The text in those lines of index.html that load Python.
PYTHON = ("static/vendor/", "static/boot/python.js", 'href="pyscript.toml"')
#: A reload loses it.
LEAVE_A_MARK = "() => { window.mark = 'left'; }"
MARK = "() => window.mark ?? 'lost'"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the source tree, without Python, which takes seconds to start."""
    tree = tmp_path / "tree"
    for name in ("app", "static"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    lines = read_page(ROOT).splitlines(keepends=True)
    kept = [line for line in lines if not any(part in line for part in PYTHON)]
    assert len(lines) - len(kept) > 5
    (tree / "index.html").write_text("".join(kept), encoding="utf-8")
    return tree


@pytest.fixture
def page(chromium: Browser, tree: Path, tmp_path: Path) -> Iterator[Page]:
    """The page of the copied tree."""
    with KizunaServer(tmp_path / "kizuna.sqlite3", flags=["--dev"], ROOT=str(tree)) as server:
        context = chromium.new_context(locale="en-US")
        try:
            page = context.new_page()
            watch = Watch(page, server.url)
            page.goto(server.url)
            yield page
            assert watch.problems == []
        finally:
            context.close()
        assert server.stop() == 0


def test_new_stylesheets_are_applied_and_other_changes_reload_the_page(page: Page, tree: Path) -> None:
    body, styles = page.locator("body"), page.locator('link[rel="stylesheet"]')
    page.evaluate(LEAVE_A_MARK)
    number = len(stylesheets(read_page(tree)))
    with (tree / "static" / "css" / "base.css").open("a") as file:
        file.write("\nbody { outline: 3px solid rgb(1, 2, 3); }\n")
    expect(body).to_have_css("outline-color", "rgb(1, 2, 3)")
    expect(styles).to_have_count(number)
    assert page.evaluate(MARK) == "left"

    changed = read_page(tree).replace("<body>", '<body data-changed="yes">')
    (tree / "index.html").write_text(changed, encoding="utf-8")
    expect(body).to_have_attribute("data-changed", "yes")
    assert page.evaluate(MARK) == "lost"
    expect(body).to_have_css("outline-color", "rgb(1, 2, 3)")
