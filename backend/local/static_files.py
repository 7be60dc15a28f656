"""The page's files, of the source tree or of `make build`, and their security headers."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from backend.auth.origins import is_host, origin_of

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
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# 'wasm-unsafe-eval' lets WebAssembly compile, and nothing else be evaluated. Trusted Types: no text becomes HTML or a
# script, but for the addresses of two workers (app/kizuna/browser/ticks.py, static/boot/updates.js).
_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; "
    "connect-src {connect}; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types kizuna-ticks kizuna-updates"
)
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


class Policy:
    """The Content-Security-Policy: the page may talk to its own host and to those in static/config.json."""

    def __init__(self, root: Path) -> None:
        self._config = root / "static" / "config.json"
        self._stamp: tuple[int, int] | None = None
        self._origins: tuple[str, ...] = ()

    def headers(self, host: str | None) -> dict[str, str]:
        """Return all security headers of one answer. ``host`` is the request's; an invalid one is left out."""
        connect = ["'self'"]
        if host and is_host(host) and _can_be_named(host):
            # Older WebKit does not count ws: of the same host as 'self'.
            connect += [f"ws://{host}", f"wss://{host}"]
        connect += self._configured()
        return {"Content-Security-Policy": content_policy(connect), **SECURITY_HEADERS}

    def _configured(self) -> tuple[str, ...]:
        """Return the origins in config.json, read again when the file changes. The page reports a broken one."""
        try:
            status = self._config.stat()
        except OSError:
            return ()
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._origins = origins_in(self._config)
            self._stamp = stamp
        return self._origins


def content_policy(connect: Iterable[str]) -> str:
    """Return the Content-Security-Policy of a page that may talk to these sources, as connect-src spells them."""
    return _POLICY.format(connect=" ".join(connect))


def origins_in(path: Path) -> tuple[str, ...]:
    """Return the origins in a config.json; none if it cannot be read, which the page reports."""
    return tuple(dict.fromkeys(origin for origin in addresses_in(path).values() if origin))


def addresses_in(path: Path) -> dict[str, str | None]:
    """Return each absolute URL in a config.json with its origin; None as origin if no policy can name it. Relative URLs
    need no rule."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(config, Mapping):
        return {}
    urls = (config.get(key) for key in ("webSocketUrl", "tokenUrl", "ticketUrl"))
    found = {}
    for url in urls:
        if isinstance(url, str) and url and not _is_relative(url):
            origin = origin_of(url, ("ws", "wss", "http", "https"))
            found[url] = origin if origin and _can_be_named(origin) else None
    return found


def _is_relative(address: str) -> bool:
    """Return whether a URL is relative to the page's host; chat.config reads it in the same way."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    first = parts.path.partition("/")[0]
    return not parts.scheme and not parts.netloc and ("." not in first or first in (".", ".."))


def _can_be_named(host: str) -> bool:
    """Return whether a Content-Security-Policy can name a host: its hosts have no underscores (CSP 3, 2.3.1)."""
    return "_" not in host
