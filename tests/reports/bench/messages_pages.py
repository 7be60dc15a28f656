"""The pages that the benchmark of messages compares."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.reports.bench.messages_server import ARTICLE, KIZUNA, BenchServer
from tests.reports.bench.start_pages import NODE, REACT
from tests.support.server import ROOT
from tests.support.site import Copy

HERE = Path(__file__).parent


class PageKind(NamedTuple):
    """One of the pages. ``rows``: the selector of the rows' parent. ``counted``: of the element with data-count."""

    name: str
    wire: str
    rows: str
    field: str
    colour: str
    name_field: str = "#name"
    counted: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it is this project's page."""
        return bool(self.counted)


def _own(name: str, wire: str, colour: str) -> PageKind:
    return PageKind(name, wire, "#rows", "#composer-text", colour, "#join-name", "#messages")


PAGES = {
    "kizuna": _own("this page", KIZUNA, "#4b3fb5"),
    "article": _own("this page, the article's wire", ARTICLE, "#9a8ff0"),
    "react": PageKind("React + Zustand", ARTICLE, "ol", "input", "#d1495b"),
    "virtuoso": PageKind(
        "React, react-virtuoso", ARTICLE, "[data-testid=virtuoso-item-list]", "input", "#edae49"
    ),
    "pyscript": PageKind("plain PyScript", ARTICLE, "#messages", "#field", "#00798c"),
    "plain": PageKind("plain JavaScript", ARTICLE, "#messages", "#field", "#6b7280"),
}
#: Page -> its program, which esbuild bundles.
PROGRAMS = {"react": "main.tsx", "virtuoso": "virtuoso.tsx"}


def lay_out(folder: Path, server: BenchServer, pages: Sequence[str], site: Path) -> None:
    """Put each of the pages into a folder of its name. ``site``: this project's built page, on the same file system."""
    for page in pages:
        target = folder / page
        if PAGES[page].is_own:
            _copy_own(site, target, PAGES[page].wire, server)
        elif page in PROGRAMS:
            target.mkdir()
            _build_react(target, PROGRAMS[page])
        else:
            shutil.copytree(HERE / page, target)
            shutil.copy2(REACT / "main.css", target)
    if "pyscript" in pages:
        (folder / "pyscript" / "vendor").symlink_to(ROOT / "static" / "vendor")


def _copy_own(site: Path, target: Path, wire: str, server: BenchServer) -> None:
    copy = Copy(site, target)
    config = {"webSocketUrl": server.url(wire), "wire": wire}
    copy.replace("static/config.json", json.dumps(config).encode())
    copy.say("connect-src 'self'", f"connect-src 'self' {server.url('')}")


def _build_react(target: Path, program: str) -> None:
    command = [str(NODE), str(REACT / "build.cjs"), str(target), program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"esbuild is missing (make bench-messages fetches it) or failed:\n{done.stderr[-800:]}"
        )


def address(host: str, page: str, server: BenchServer) -> str:
    """Return the address of a page; this project's own knows its server by its config.json."""
    asked = "?lang=en" if PAGES[page].is_own else f"?server={server.url(PAGES[page].wire)}"
    return f"{host}/{page}/{asked}"
