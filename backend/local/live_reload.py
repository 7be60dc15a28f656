"""Live reload for developers: with ``--dev`` the server tells open pages about changes in the source tree.

index.html gets one more script, static/dev/reload.js. That listens to /dev/changes, loads the page again, or only its
stylesheets when nothing else has changed. Nothing of it is in the built site.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Scope

from backend.local.static_files import ASK_AGAIN, Pages

log = logging.getLogger(__name__)

CHANGES = "/dev/changes"
#: How often the tree is looked at while a page listens. Some 200 files: a millisecond or two.
PAUSE_SECONDS = 0.3
#: How long a page waits before it asks a stopped server again.
RETRY_MILLISECONDS = 500
#: The page's sources. The runtime in static/vendor changes only with `make setup`, and is half of all files.
WATCHED = ("index.html", "pyscript.toml", "app", "static")
UNWATCHED = ("static/vendor",)
_END_OF_HEAD = "</head>"


class Tree:
    """The version of the page in ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def versions(self) -> dict[str, str]:
        """Return a version of all stylesheets, and one of the other files; it changes with their content or age.

        They hold nothing of this process: after a restart of the server the same tree has the same names.
        """
        digests = {"styles": hashlib.sha256(), "rest": hashlib.sha256()}
        for path, status in self._files():
            kind = "styles" if path.endswith(".css") else "rest"
            digests[kind].update(f"{path}\0{status.st_mtime_ns}\0{status.st_size}\n".encode())
        return {kind: digest.hexdigest()[:12] for kind, digest in digests.items()}

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the path from the root and the status of each file, in a fixed order. Files that disappear are left
        out."""
        folders = []
        for name in WATCHED:
            path = self._root / name
            if path.is_dir():
                folders.append(path)
            else:
                yield from self._statuses([path])
        for folder in folders:
            for place, inside, names in os.walk(folder):
                inside[:] = sorted(name for name in inside if self._is_watched(Path(place, name)))
                yield from self._statuses(Path(place, name) for name in sorted(names))

    def _is_watched(self, folder: Path) -> bool:
        is_private = folder.name.startswith(".") or folder.name == "__pycache__"
        return not is_private and folder.relative_to(self._root).as_posix() not in UNWATCHED

    def _statuses(self, paths: Iterable[Path]) -> Iterator[tuple[str, os.stat_result]]:
        for path in paths:
            # Editors leave other files beside the edited ones: .main.py.swp, main.py~.
            if path.name.startswith(".") or path.name.endswith("~"):
                continue
            try:
                yield path.relative_to(self._root).as_posix(), path.stat()
            except OSError:
                continue


class Changes:
    """The Server-Sent Events that tell pages of every new version, until ``stop``."""

    def __init__(self, tree: Tree, pause: float = PAUSE_SECONDS) -> None:
        self._tree = tree
        self._pause = pause
        self._stopping = asyncio.Event()

    async def stream(self, _: Request) -> Response:
        """Return the stream for one page. It lasts as long as the page does."""
        return StreamingResponse(
            self.events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def events(self) -> AsyncIterator[str]:
        """Yield the versions, then again whenever they have changed and then stayed the same for a pause: an editor or
        a checkout removes files before it writes them again."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        sent: dict[str, str] = {}
        seen: dict[str, str] = {}
        while not self._stopping.is_set():
            versions = await asyncio.to_thread(self._tree.versions)
            if versions != sent and (versions == seen or not sent):
                sent = versions
                yield f"data: {json.dumps(versions)}\n\n"
            seen = versions
            try:
                await asyncio.wait_for(self._stopping.wait(), self._pause)
            except TimeoutError:
                continue

    def stop(self) -> None:
        """End all streams: the server stops."""
        self._stopping.set()


class DevPages(Pages):
    """The same files as Pages, with one more script in index.html."""

    def __init__(self, root: Path, tree: Tree) -> None:
        super().__init__(root)
        self._tree = tree

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the same as Pages; index.html with the script, and without an ETag, since it names the version of the
        rest."""
        if Path(full_path) != self._root / "index.html":
            return super().file_response(full_path, stat_result, scope, status_code)
        page = with_script(Path(full_path).read_text(encoding="utf-8"), self._tree.versions())
        return HTMLResponse(page, status_code, headers={"Cache-Control": ASK_AGAIN})


def with_script(page: str, versions: Mapping[str, str]) -> str:
    """Return the page with the script at the end of its head; unchanged, with a warning, if that end is not found."""
    if page.count(_END_OF_HEAD) != 1:
        log.warning("index.html has not exactly one %s: live reload is off", _END_OF_HEAD)
        return page
    known = " ".join(f'data-{kind}="{version}"' for kind, version in versions.items())
    script = f'<script type="module" src="static/dev/reload.js" id="dev-reload" {known}></script>'
    return page.replace(_END_OF_HEAD, f"{script}\n{_END_OF_HEAD}")
