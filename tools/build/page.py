"""index.html of the built site, made from that of the source tree: the same page, with other addresses."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.build.errors import BuildError

#: What PyScript is told; it reads JSON without a parser of its own. Its plugins are not used, but for the one that
#: shows errors.
PLUGINS = ["!codemirror", "!deprecations-manager", "!donkey", "!py-editor", "!py-game", "!py-terminal"]
_STYLESHEET = re.compile(r'<link rel="stylesheet" href="(static/css/[\w.-]+)">')


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the parts of the page are, from the page."""

    styles: str
    icon: str
    boot: str  #: static/boot/boot.js
    glimpse: str  #: static/boot/glimpse.js
    launcher: str  #: static/boot/python.js
    interpreter: str  #: static/boot/interpreter.js
    modules: tuple[str, ...]  #: scripts that others of these load
    fetched: tuple[str, ...]  #: what else every start needs
    start_files: Mapping[str, Any] = field(repr=False)  #: what static/boot/interpreter.js reads


def stylesheets(page: str) -> list[str]:
    """The stylesheets of the source tree's page, in their order."""
    return _STYLESHEET.findall(page)


def built_page(source: str, addresses: Addresses, policy: str) -> str:
    """The page with other addresses. Raises BuildError when a part that has one is not found where it was."""
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
    page.replace(r'href="static/icons/[\w.-]+"', f'href="{addresses.icon}"', "its icon")
    page.replace(r'src="static/boot/boot\.js"', f'src="{addresses.boot}"', "static/boot/boot.js")
    page.replace(r'src="static/boot/glimpse\.js"', f'src="{addresses.glimpse}"', "static/boot/glimpse.js")
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
    """As it is written."""
    return page.encode("utf-8")


def _start(addresses: Addresses) -> str:
    """The files of the start, as data, then the module that fetches and starts, then hints of what it will ask for."""
    data = json.dumps(addresses.start_files, separators=(",", ":")).replace("<", "\\u003c")
    lines = [
        f'<script type="application/json" id="start-files">{data}</script>',
        f'<script type="module" async src="{addresses.interpreter}"></script>',
        *(f'<link rel="modulepreload" href="{path}">' for path in addresses.modules),
        *(f'<link rel="preload" as="fetch" crossorigin href="{path}">' for path in addresses.fetched),
    ]
    return "\n  ".join([*lines, ""])


class _Page:
    """Responsible for changing parts of a page that are there exactly once."""

    def __init__(self, text: str) -> None:
        self.text = text

    def replace(self, pattern: str, replacement: str, what: str) -> None:
        """Put ``replacement`` (a template, as in re.sub) where ``pattern`` is. Raises BuildError."""
        # A path or JSON holds no backslash that were one of a template, but for the \u003c of _start.
        template = replacement if r"\g<1>" in replacement else replacement.replace("\\", r"\\")
        self.text, count = re.subn(pattern, template, self.text, flags=re.DOTALL)
        if count != 1:
            raise BuildError(
                f"index.html: {what} was found {count} times instead of once: tell tools/build/page.py"
            )

    def check(self) -> None:
        """Raise BuildError for an address of the source tree that is still there."""
        without_comments = re.sub(r"<!--.*?-->", "", self.text, flags=re.DOTALL)
        left = re.findall(r'(?:src|href)="((?:static|app)/[^"]*)"', without_comments)
        if left:
            raise BuildError(
                f"index.html: the build does not know {', '.join(left)}: tell tools/build/page.py"
            )


def start_files_of(page: str) -> dict[str, Any]:
    """What a built page says about the files of its start. Raises BuildError for a page that was not built."""
    found = re.search(r'<script type="application/json" id="start-files">(.*?)</script>', page)
    if found is None:
        raise BuildError("this page was not built")
    files: dict[str, Any] = json.loads(found[1])
    return files


def read_page(root: Path) -> str:
    """index.html of the source tree."""
    return (root / "index.html").read_text(encoding="utf-8")
