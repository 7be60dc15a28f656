"""The built site's index.html: that of the source tree with other addresses."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.build.errors import BuildError

#: PyScript's plugins that the page disables: all but the one that shows errors.
PLUGINS = ["!codemirror", "!deprecations-manager", "!donkey", "!py-editor", "!py-game", "!py-terminal"]
_STYLESHEET = re.compile(r'<link rel="stylesheet" href="(static/css/[\w.-]+)">')


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of the page's parts, relative to the page."""

    styles: str
    images: Mapping[str, str]  #: the icons and the manifest: address in the source tree -> address
    boot: str  #: static/boot/boot.js
    cached_view: str  #: static/boot/cached_view.js
    launcher: str  #: static/boot/python.js
    interpreter: str  #: static/boot/interpreter.js
    modules: tuple[str, ...]  #: scripts that other scripts load
    fetched: tuple[str, ...]  #: other files of every start
    start_files: Mapping[str, Any] = field(repr=False)  #: data for static/boot/interpreter.js


def stylesheets(page: str) -> list[str]:
    """Return the stylesheets of the source tree's page, in order."""
    return _STYLESHEET.findall(page)


def built_page(source: str, addresses: Addresses, policy: str) -> str:
    """Return the page with other addresses. Raises BuildError if a part of the page is not found."""
    page = _Page(source)
    page.replace(
        r"<!--(?:(?!-->).)*same rules that the server sends.*?-->\s*", "", "the comment on its rules"
    )
    page.replace(
        r'(http-equiv="Content-Security-Policy" content=")[^"]*',
        rf"\g<1>{policy}",
        "its Content-Security-Policy",
    )
    page.replace(
        rf"(?:{_STYLESHEET.pattern}\s*)+",
        f'<link rel="stylesheet" href="{addresses.styles}">\n  ',
        "its stylesheets",
    )
    for old, new in addresses.images.items():
        page.replace(f'="{re.escape(old)}"', f'="{new}"', f"its icon {old}")
    page.replace(r'src="static/boot/boot\.js"', f'src="{addresses.boot}"', "static/boot/boot.js")
    page.replace(
        r'src="static/boot/cached_view\.js"', f'src="{addresses.cached_view}"', "static/boot/cached_view.js"
    )
    page.replace(
        r"<!-- Without these hints.*?-->\s*(?:<link [^>]*preload[^>]*>\s*)+",
        _start(addresses),
        "its hints of what to load",
    )
    page.replace(r'src="static/boot/python\.js"', f'src="{addresses.launcher}"', "static/boot/python.js")
    settings = json.dumps({"interpreter": f"./{addresses.interpreter}", "plugins": PLUGINS})
    page.replace(r'config="pyscript\.toml"', f'config="{html.escape(settings)}"', "PyScript's configuration")
    page.check()
    return page.text


def page_bytes(page: str) -> bytes:
    """Return the page as bytes."""
    return page.encode("utf-8")


def _start(addresses: Addresses) -> str:
    """Return the data about the start's files, the module that starts Python, and its preload hints."""
    data = json.dumps(addresses.start_files, separators=(",", ":")).replace("<", "\\u003c")
    lines = [
        f'<script type="application/json" id="start-files">{data}</script>',
        f'<script type="module" async src="{addresses.interpreter}"></script>',
        *(f'<link rel="modulepreload" href="{path}">' for path in addresses.modules),
        *(f'<link rel="preload" as="fetch" crossorigin href="{path}">' for path in addresses.fetched),
    ]
    return "\n  ".join([*lines, ""])


class _Page:
    """A page whose parts, each of which occurs once, are replaced."""

    def __init__(self, text: str) -> None:
        self.text = text

    def replace(self, pattern: str, replacement: str, what: str) -> None:
        """Replace ``pattern`` by ``replacement`` (a template, as in re.sub). Raises BuildError."""
        # Only the \u003c of _start has backslashes that are no template.
        template = replacement if r"\g<1>" in replacement else replacement.replace("\\", r"\\")
        self.text, count = re.subn(pattern, template, self.text, flags=re.DOTALL)
        if count != 1:
            raise BuildError(
                f"index.html: {what} was found {count} times instead of once: adapt tools/build/page.py"
            )

    def check(self) -> None:
        """Raise BuildError for an address of the source tree that is still there."""
        without_comments = re.sub(r"<!--.*?-->", "", self.text, flags=re.DOTALL)
        left = re.findall(r'(?:src|href|data-\w+)="((?:static|app)/[^"]*)"', without_comments)
        if left:
            raise BuildError(
                f"index.html: the build does not know {', '.join(left)}: adapt tools/build/page.py"
            )


def start_files_of(page: str) -> dict[str, Any]:
    """Return a built page's data about its start files. Raises BuildError for a page that was not built."""
    found = re.search(r'<script type="application/json" id="start-files">(.*?)</script>', page)
    if found is None:
        raise BuildError("this page was not built")
    files: dict[str, Any] = json.loads(found[1])
    return files


def read_page(root: Path) -> str:
    """Return index.html of the source tree."""
    return (root / "index.html").read_text(encoding="utf-8")
