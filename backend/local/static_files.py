"""The page's files, of the source tree or of `make build`, and their security headers."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path, PurePath

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

# Browsers insist on these; the machine's own table (mimetypes) knows .mjs, .wasm and .toml on some systems only.
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}
_ALONE = frozenset(
    {"pyscript.toml"}
    | {f"{name}{end}" for name in ("index.html", "service-worker.js") for end in ("", ".br", ".gz")}
)
# Folders of which every file is public. In assets/, of a built site, a file never changes under its name.
_STATIC, _ASSETS = "static", "assets"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
# What `make build` leaves beside a file; the first that a browser takes is sent.
_ENCODINGS = {"br": ".br", "gzip": ".gz"}


class Pages(StaticFiles):
    """The public files of ``root``: index.html, service-worker.js, pyscript.toml, app/**/*.py, static/** and assets/**.

    Every answer has an ETag and must be asked about again (``no-cache``): a new version shows at the next load. What
    lies in assets/ never changes and may be kept.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(directory=root, check_dir=False)
        self._root = root.resolve()

    def get_path(self, scope: Scope) -> str:
        """Return the file of a URL; ``/`` is index.html."""
        path = super().get_path(scope)
        return "index.html" if path == "." else path

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the file behind a path, links followed; (…, None) unless it is public where it really lies."""
        if "\0" in path:
            raise HTTPException(404)
        full_path, stat_result = super().lookup_path(path)
        if stat_result is None or not is_public(Path(full_path), self._root):
            return "", None
        return full_path, stat_result

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, or 304, with its media type and cache time; compressed if there is such a file."""
        stored = self._encodings_of(full_path)
        encoding = _best(Headers(scope=scope).get("accept-encoding", ""), stored)
        sent, sent_stat = stored[encoding] if encoding else (full_path, stat_result)
        response = super().file_response(sent, sent_stat, scope, status_code)
        response.headers["Cache-Control"] = FOR_EVER if self._is_for_ever(full_path) else ASK_AGAIN
        if stored:
            response.headers["Vary"] = "Accept-Encoding"
        if encoding and "content-type" in response.headers:
            response.headers["Content-Encoding"] = encoding
        if "content-type" in response.headers:
            media_type = MEDIA_TYPES.get(PurePath(full_path).suffix, "application/octet-stream")
            charset = "; charset=utf-8" if media_type.startswith("text/") else ""
            response.headers["Content-Type"] = media_type + charset
        return response

    def _is_for_ever(self, full_path: str | os.PathLike[str]) -> bool:
        return Path(full_path).relative_to(self._root).parts[0] == _ASSETS

    def _encodings_of(self, full_path: str | os.PathLike[str]) -> dict[str, tuple[str, os.stat_result]]:
        """Return the compressed files beside a file, by content coding."""
        found = {}
        for encoding, end in _ENCODINGS.items():
            path, stat_result = self.lookup_path(os.path.relpath(f"{full_path}{end}", self._root))
            if stat_result is not None and stat.S_ISREG(stat_result.st_mode):
                found[encoding] = (path, stat_result)
        return found


def _best(accepted: str, available: Iterable[str]) -> str | None:
    """Return the first of the available codings that an Accept-Encoding header accepts; None: as it is."""
    named = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        named[coding.strip()] = re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight) is None
    return next((coding for coding in available if named.get(coding, False)), None)


def is_public(path: Path, root: Path) -> bool:
    """Return whether a file may be served. Hidden files and folders never are."""
    if not path.is_relative_to(root):
        return False
    relative = path.relative_to(root)
    if not relative.parts or any(part.startswith(".") for part in relative.parts):
        return False
    if str(relative) in _ALONE:
        return True
    if relative.parts[0] in (_STATIC, _ASSETS):
        return True
    return relative.parts[0] == "app" and relative.suffix == ".py"
