"""The site of docs/library/ (`make docs`): it is built without a warning, and says what the code says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.examples import LIBRARY, ROOT
from tools.reports.library import PARTS, current

#: What a page of the site loads by itself: scripts, styles, pictures, fonts.
LOADED = re.compile(
    r"""<(?:script|link|img|iframe)\b[^>]* (?:src|href)="(?:https?:)?//|url\(["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("docs")
    build = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-d", str(folder / "trees")]
    done = subprocess.run(
        [sys.executable, *build, str(LIBRARY), str(folder / "site")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "site"


@pytest.mark.parametrize("document", PARTS)
def test_the_parts_made_from_the_code_are_current(document: str):
    text = (LIBRARY / document).read_text(encoding="utf-8")
    assert current(LIBRARY / document) == text, "run `python -m tools.reports.library`"


def test_every_document_is_a_page_of_the_site(site: Path):
    assert {page.stem for page in site.glob("*.html")} >= {document.stem for document in LIBRARY.glob("*.md")}


def test_the_site_loads_nothing_from_other_hosts(site: Path):
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(files) > 10
    for path in files:
        assert LOADED.findall(path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize(
    "text",
    [
        '<script defer src="https://example.org/a.js">',
        '<link rel="stylesheet" type="text/css" href="//example.org/a.css">',
        "src: url('https://example.org/a.woff2')",
    ],
)
def test_what_is_loaded_from_another_host_is_noticed(text: str):
    assert LOADED.search(text)


def exported(package: str) -> list[str]:
    """The names that a package exports, read without importing it: that needs a browser."""
    tree = ast.parse((ROOT / "app" / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    (names,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return [f"{package}.{name}" for name in ast.literal_eval(names)]


def test_the_reference_has_every_public_name(site: Path):
    reference = (site / "reference.html").read_text(encoding="utf-8")
    # Its own class of a page is the service of `kizuna` itself; AioSocket is what AioPlatform opens.
    known = {"kizuna.browser.WebSocketService", "kizuna.aio.AioSocket"}
    names = {*exported("kizuna"), *exported("kizuna.browser"), *exported("kizuna.aio")} - known
    missing = [name for name in sorted(names) if f'id="{name}"' not in reference]
    assert missing == []
    said = (
        "Return a service for one connection.",
        "open but doubted: a probe",
        "Any server: it is sent nothing",
    )
    assert [text for text in said if text not in reference] == []
